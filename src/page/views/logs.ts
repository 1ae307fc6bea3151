import { useMemo, useState } from "preact/hooks";
import { html, type View } from "../html.ts";
import { Badge, Card, CopyButton, Empty, type Tone } from "../parts/basic.ts";
import { Dialog } from "../parts/dialog.ts";
import { VirtualTable } from "../parts/virtual_rows.ts";
import { useApp } from "../state/app.ts";
import { useStore } from "../state/store.ts";
import { clockText, countText } from "../text/figures.ts";
import { plain } from "../text/plain.ts";
import { LogFilter, type LogFilters, matches, NO_FILTERS } from "./log_filter.ts";
import { type LogRow, useLogRows } from "./log_rows.ts";

/** Characters of one entry that its window shows. */
const MAX_ENTRY = 20_000;
/** Entries that are copied at once. */
const MAX_COPIED = 2_000;

const TONES: Readonly<Record<string, Tone>> = {
  error: "bad",
  warn: "warn",
  info: "accent",
  event: "good",
};

/** Log lines and events as they come. */
export function Logs(): View {
  const app = useApp();
  const [filters, setFilters] = useState<LogFilters>(NO_FILTERS);
  const [isPaused, setPaused] = useState(false);
  const rows = useLogRows(app, filters, isPaused);
  const [open, setOpen] = useState<LogRow | undefined>(undefined);
  const { state } = useStore(app.live.connection);
  const shown = useMemo(() => rows.list.filter((row) => matches(row, filters)), [
    rows.list,
    filters,
  ]);
  const text = () => shown.slice(-MAX_COPIED).map(lineOf).join("\n");
  return html`
    <div class="grid">
      <${Card} title="Live" wide actions=${html`<div class="buttons">
      <button type="button" aria-pressed=${isPaused} onClick=${() => setPaused(!isPaused)}>${
        isPaused ? "Go on" : "Pause"
      }</button>
      <${CopyLater} text=${text} count=${Math.min(shown.length, MAX_COPIED)} />
      <button type="button" class="quiet" onClick=${rows.clear}>Clear</button></div>`}>
          <${LogFilter} filters=${filters} onChange=${setFilters} />
          <p class="muted" role="status">${countText(shown.length, "entry", "entries")}${isPaused
            ? ", paused"
            : state === "live"
            ? ", live"
            : ", waiting for almenad"}</p>
          <${VirtualTable} label="Log lines and events" layout="logs" rows=${shown} followsEnd
            keyOf=${(row: LogRow) => row.id} columns=${["Time", "Level", "Target", "Message"]}
            cellsOf=${(row: LogRow) => cellsOf(row, setOpen)}
            empty=${html`<${Empty}>Nothing yet that passes the filters.<//>`} />
        <//>
        ${open ? html`<${Entry} row=${open} onClose=${() => setOpen(undefined)} />` : null}
      </div>
  `;
}

function cellsOf(row: LogRow, open: (row: LogRow) => void) {
  return [
    clockText(row.timeMs),
    html`<${Badge} tone=${TONES[row.level] ?? "plain"}>${plain(row.level, 12)}<//>`,
    html`<code>${plain(row.target, 60)}</code>`,
    html`<button type="button" class="link" onClick=${() => open(row)}><bdi>${
      plain(row.message, 300)
    }</bdi></button>`,
  ];
}

function Entry({ row, onClose }: { row: LogRow; onClose: () => void }): View {
  return html`
    <${Dialog} title=${plain(row.target, 60)} onClose=${onClose}>
      <p>${new Date(row.timeMs).toLocaleString()}, ${plain(row.level, 12)}</p>
      <pre tabindex="0"><bdi>${plain(row.message, MAX_ENTRY)}</bdi></pre>
      <${CopyButton} text=${lineOf(row)} what="the entry" />
      <//>
  `;
}

function CopyLater({ text, count }: { text: () => string; count: number }): View {
  const { notices } = useApp();
  const onClick = async () => {
    try {
      await navigator.clipboard.writeText(text());
      notices.tell(`Copied ${countText(count, "entry", "entries")}`, "good");
    } catch {
      notices.tell("Cannot copy: the browser does not allow it", "bad");
    }
  };
  return html`<button type="button" class="quiet" onClick=${onClick}>Copy</button>`;
}

function lineOf({ timeMs, level, target, message }: LogRow): string {
  return `${new Date(timeMs).toISOString()} ${level} ${target} ${message}`;
}
