import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { App } from "../state/app.ts";
import { useStore } from "../state/store.ts";
import type { LogFilters } from "./log_filter.ts";

/** One entry: a log line, or an event. */
export interface LogRow {
  readonly id: string;
  readonly timeMs: number;
  /** Of a log line; `event` for an event. */
  readonly level: string;
  readonly target: string;
  readonly message: string;
}

/** Entries that stay on the page. */
const MAX_ROWS = 3_000;
/** Longest message that is kept. */
const MAX_MESSAGE = 20_000;
const RETRY_MS = 1_000;

/** What the view shows. */
export interface LogRows {
  readonly list: readonly LogRow[];
  /** Forgets all that is here. */
  clear(): void;
}

/** Log lines of the daemon with the events of the page, in order of time. */
export function useLogRows(app: App, filters: LogFilters, isPaused: boolean): LogRows {
  const [lines, setLines] = useState<readonly LogRow[]>([]);
  const events = useStore(app.events.list);
  const { state } = useStore(app.live.connection);
  const frozen = useRef<readonly LogRow[]>([]);
  const isLive = state === "live";
  useEffect(() => {
    const own = new AbortController();
    if (isLive) void follow(app, filters.level, own.signal, setLines);
    return () => own.abort();
  }, [app, filters.level, isLive]);
  const list = useMemo(() => {
    if (isPaused) return frozen.current;
    const told = events.map((event): LogRow => ({
      id: `e${event.id}`,
      timeMs: event.timeMs,
      level: "event",
      target: event.name,
      message: event.text,
    }));
    return [...lines, ...told].sort((a, b) => a.timeMs - b.timeMs).slice(-MAX_ROWS);
  }, [lines, events, isPaused]);
  frozen.current = list;
  const clear = () => {
    frozen.current = [];
    setLines([]);
    app.events.clear();
  };
  return { list, clear };
}

type SetLines = (change: (lines: readonly LogRow[]) => readonly LogRow[]) => void;

let next = 0;

// Lines that come together are drawn together.
async function follow(app: App, level: string, signal: AbortSignal, set: SetLines): Promise<void> {
  let fresh: LogRow[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  const flush = () => {
    const added = fresh;
    [fresh, timer] = [[], undefined];
    set((lines) => [...lines, ...added].slice(-MAX_ROWS));
  };
  while (!signal.aborted) {
    try {
      for await (const item of app.calls.stream("logs", { filter: { level } }, { signal })) {
        if (!("LogMessage" in item)) continue;
        const { timestamp, level: own, target, message } = item.LogMessage;
        fresh.push({
          id: `l${next++}`,
          timeMs: Date.parse(timestamp),
          level: own,
          target,
          message: message.slice(0, MAX_MESSAGE),
        });
        if (fresh.length > MAX_ROWS) fresh.shift();
        timer ??= setTimeout(flush, 50);
      }
    } catch {
      // it ended; it is opened again below, unless nobody looks any longer
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
  clearTimeout(timer);
}
