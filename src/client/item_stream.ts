import type { DaemonError } from "../core/mod.ts";
import { connectionLost, errorIn } from "./errors.ts";
import type { LineChannel } from "./line_channel.ts";

/** Items that wait for their reader; then the daemon has to wait. */
const MAX_WAITING = 256;

/** How one kind of endless answer is spelled, contract 2.3. */
export interface StreamSpelling<Item> {
  /** The line that asks for it. */
  readonly request: string;
  /** What the line means. */
  read(line: unknown): { readonly item: Item } | "begun" | "over";
}

/**
 * What the daemon sends on a connection of its own, item by item; a slow reader holds the daemon
 * back, and the daemon drops for this reader alone.
 */
export class ItemStream<Item> implements AsyncIterable<Item> {
  readonly #open: (signal?: AbortSignal) => Promise<LineChannel>;
  readonly #spelling: StreamSpelling<Item>;
  readonly #place: string;
  readonly #signal: AbortSignal | undefined;

  constructor(
    components: { open(signal?: AbortSignal): Promise<LineChannel> },
    init: { spelling: StreamSpelling<Item>; place: string; signal?: AbortSignal | undefined },
  ) {
    this.#open = (signal) => components.open(signal);
    this.#spelling = init.spelling;
    this.#place = init.place;
    this.#signal = init.signal;
  }

  /**
   * Asks anew each time it is iterated; leaving the loop, or the signal, ends it.
   *
   * @throws {ControlError} if the daemon refuses it, or goes away.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Item> {
    if (this.#signal?.aborted) return;
    const lines: unknown[] = [];
    let ended: { readonly cause: unknown } | undefined;
    let wake = () => {};
    const channel = await this.#open(this.#signal);
    const leave = () => {
      ended ??= { cause: undefined };
      wake();
    };
    this.#signal?.addEventListener("abort", leave, { once: true });
    channel.handle({
      onLine: (line) => {
        if (lines.push(line) >= MAX_WAITING) channel.pause();
        wake();
      },
      onEnd: (cause) => {
        ended = { cause };
        wake();
      },
    });
    try {
      channel.write(this.#spelling.request);
      for (;;) {
        while (lines.length > 0) {
          const meaning = this.#read(lines.shift());
          if (lines.length === 0) channel.resume();
          if (meaning === "over") return;
          if (meaning !== "begun") yield meaning.item;
        }
        if (this.#signal?.aborted) return;
        if (ended) throw connectionLost(this.#place, true, ended.cause);
        const arrived = Promise.withResolvers<void>();
        wake = arrived.resolve;
        await arrived.promise;
      }
    } finally {
      this.#signal?.removeEventListener("abort", leave);
      channel.leave('"Unsubscribe"');
    }
  }

  #read(line: unknown): { readonly item: Item } | "begun" | "over" {
    const failure: DaemonError | undefined = errorIn(line);
    if (failure) throw failure;
    return this.#spelling.read(line);
  }
}

/** The spelling of a stream operation. */
export function streamSpelling<Item>(request: unknown): StreamSpelling<Item> {
  return {
    request: JSON.stringify(request),
    read: (line) => {
      if (line === "End") return "over";
      const fields = line as { Item?: Item };
      return "Item" in fields ? { item: fields.Item as Item } : "begun";
    },
  };
}

/** The spelling of a subscription: `Event` lines hold items, log lines are items. */
export function subscriptionSpelling<Item>(request: unknown): StreamSpelling<Item> {
  return {
    request: JSON.stringify(request),
    read: (line) => {
      if (typeof line === "string") return line.endsWith("Unsubscribed") ? "over" : "begun";
      const fields = line as { Event?: Item };
      return { item: ("Event" in fields ? fields.Event : line) as Item };
    },
  };
}
