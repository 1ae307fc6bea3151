import { html, type View } from "../html.ts";
import type { LogRow } from "./log_rows.ts";

/** Which entries are shown. */
export interface LogFilters {
  /** `log`, `event` or both. */
  readonly kind: "all" | "log" | "event";
  /** This level or worse. */
  readonly level: string;
  /** Part of the target, or of the event's type. */
  readonly target: string;
  /** Part of the message. */
  readonly text: string;
}

/** Everything from `info` on. */
export const NO_FILTERS: LogFilters = { kind: "all", level: "info", target: "", text: "" };

const LEVELS = ["trace", "debug", "info", "warn", "error"] as const;

/** Whether an entry passes; levels are kept back by the daemon already. */
export function matches(row: LogRow, { kind, level, target, text }: LogFilters): boolean {
  if (kind !== "all" && (row.level === "event") !== (kind === "event")) return false;
  const isLow = row.level !== "event" &&
    LEVELS.findIndex((one) => one === row.level) < LEVELS.findIndex((one) => one === level);
  return !isLow && contains(row.target, target) && contains(row.message, text);
}

function contains(text: string, part: string): boolean {
  return part === "" || text.toLowerCase().includes(part.toLowerCase());
}

/** The fields above the entries. */
export function LogFilter(
  { filters, onChange }: { filters: LogFilters; onChange: (filters: LogFilters) => void },
): View {
  const text = (name: "target" | "text", label: string) =>
    html`<label>${label}<input type="search" value=${filters[name]} spellcheck=${false}
      onInput=${(event: InputEvent) =>
      onChange({ ...filters, [name]: (event.target as HTMLInputElement).value })} /></label>`;
  const choose = (name: "kind" | "level") => (event: Event) =>
    onChange({ ...filters, [name]: (event.target as HTMLSelectElement).value });
  return html`<div class="filters" role="search" aria-label="Filters">
    <label>Type<select value=${filters.kind} onChange=${choose("kind")}>
      <option value="all">log lines and events</option>
      <option value="log">log lines</option><option value="event">events</option></select></label>
    <label>Level<select value=${filters.level} onChange=${choose("level")}>${
    LEVELS.map((level) =>
      html`<option key=${level} value=${level}>${level}${
        level === "error" ? "" : " or worse"
      }</option>`
    )
  }</select></label>
    ${text("target", "Target or event")} ${text("text", "Text")}
  </div>`;
}
