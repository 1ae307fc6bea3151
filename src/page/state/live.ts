import type { OutputOf } from "../../client/mod.ts";
import type { Calls } from "../wire/calls.ts";
import { Store } from "./store.ts";

/** Whether the daemon answers. */
export interface Connection {
  readonly state: "connecting" | "live" | "lost";
  readonly sinceMs: number;
}

/** One event as the daemon writes it: its kind, and its body. */
export type EventItem = OutputOf<"stream", "events">;

/** What {@link Live} uses. */
export interface LiveInit {
  calls: Calls;
  /** Told of each event. */
  onEvent(name: string, body: Record<string, unknown>): void;
  /** Told when the daemon answers, at first and after it was away. */
  onBack(): void;
}

/** Two heartbeats and a half: a stream that is silent for longer is dead. */
const SILENCE_MS = 38_000;
/** All events; of log lines, which have a stream of their own, as few as can be asked for. */
const NO_LOGS = { filter: { level: "error" } };
const RETRY_MS = [250, 500, 1_000, 1_500, 2_000] as const;

/** The one stream of events that keeps the page up to date and tells whether the daemon is there. */
export class Live {
  readonly connection: Store<Connection> = new Store<Connection>({
    state: "connecting",
    sinceMs: Date.now(),
  });
  readonly #init: LiveInit;
  #running: AbortController | undefined;
  #retries = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #silence: ReturnType<typeof setTimeout> | undefined;

  constructor(init: LiveInit) {
    this.#init = init;
  }

  /** Opens the stream, and opens it again whenever it ends. */
  start(): void {
    if (this.#running) return;
    clearTimeout(this.#timer);
    const own = this.#running = new AbortController();
    void this.#follow(own).finally(() => {
      clearTimeout(this.#silence);
      if (this.#running !== own) return;
      this.#running = undefined;
      this.#set("lost");
      const wait = RETRY_MS[Math.min(this.#retries++, RETRY_MS.length - 1)];
      this.#timer = setTimeout(() => this.start(), wait);
    });
  }

  /** Closes it: nobody looks. */
  pause(): void {
    clearTimeout(this.#timer);
    const own = this.#running;
    this.#running = undefined;
    own?.abort();
  }

  async #follow(own: AbortController): Promise<void> {
    const { calls, onEvent, onBack } = this.#init;
    try {
      let isOpen = false;
      const onAlive = () => {
        clearTimeout(this.#silence);
        this.#silence = setTimeout(() => own.abort(), SILENCE_MS);
        if (isOpen || own.signal.aborted) return;
        isOpen = true;
        this.#retries = 0;
        this.#set("live");
        onBack();
      };
      const init = { signal: own.signal, onAlive };
      for await (const item of calls.stream("events", NO_LOGS, init)) {
        for (const [name, body] of Object.entries(item)) {
          if (name !== "LogMessage") onEvent(name, body as never);
        }
      }
    } catch {
      // it ended; whoever started us opens it again
    }
  }

  #set(state: Connection["state"]): void {
    if (this.connection.value.state === state) return;
    this.connection.set({ state, sinceMs: Date.now() });
  }
}
