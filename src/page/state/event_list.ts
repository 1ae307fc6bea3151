import { Store } from "./store.ts";

/** One event as the page keeps it. */
export interface KeptEvent {
  readonly id: number;
  readonly timeMs: number;
  readonly name: string;
  readonly text: string;
}

/** Events that stay on the page. */
const MAX_EVENTS = 2_000;
/** Longest text of an event that is kept. */
const MAX_TEXT = 2_000;

function textOf(told: unknown): string {
  return Object.entries(told ?? {}).map(([name, value]) =>
    `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`
  ).join("  ");
}

/** The last events; a change is told once a frame, however many came. */
export class EventList {
  readonly list: Store<readonly KeptEvent[]> = new Store<readonly KeptEvent[]>([]);
  #fresh: KeptEvent[] = [];
  #next = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Takes one in. */
  add(name: string, body: Record<string, unknown>): void {
    const kind = name === "Custom" ? String(body["event_type"]) : name;
    const told = name === "Custom" ? body["data"] : body;
    const text = textOf(told).slice(0, MAX_TEXT);
    this.#fresh.push({ id: this.#next++, timeMs: Date.now(), name: kind, text });
    if (this.#fresh.length > MAX_EVENTS) this.#fresh.shift();
    this.#timer ??= setTimeout(() => this.#flush(), 50);
  }

  /** Forgets all. */
  clear(): void {
    this.#fresh = [];
    this.list.set([]);
  }

  #flush(): void {
    this.#timer = undefined;
    this.list.set([...this.list.value, ...this.#fresh].slice(-MAX_EVENTS));
    this.#fresh = [];
  }
}
