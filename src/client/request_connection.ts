import { DaemonError } from "../core/mod.ts";
import { connectionLost } from "./errors.ts";
import type { LineChannel } from "./line_channel.ts";

/** One request that waits for its answer. */
interface Waiting {
  /** False once nobody waits for the answer any more; it still takes its place in the order. */
  isWanted: boolean;
  resolve(answer: unknown): void;
  reject(failure: unknown): void;
}

/** How one request is sent. */
export interface SendInit {
  /** Its line, for messages. */
  readonly what: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** One connection with many requests in flight; answers come in the order of the requests. */
export class RequestConnection {
  readonly #channel: LineChannel;
  readonly #place: string;
  readonly #waiting: Waiting[] = [];
  #reserved = 0;
  #isOpen = true;
  #isRetired = false;
  #usedAt = performance.now();

  constructor(channel: LineChannel, place: string) {
    this.#channel = channel;
    this.#place = place;
    channel.hold(false);
    channel.handle({
      onLine: (answer) => this.#onAnswer(answer),
      onEnd: (cause) => this.#onEnd(cause),
    });
  }

  /** Whether further requests may be sent here. */
  get isUsable(): boolean {
    return this.#isOpen && !this.#isRetired;
  }

  /** Requests in flight, and those about to be sent. */
  get load(): number {
    return this.#waiting.length + this.#reserved;
  }

  /** Keeps a place for the request that is sent next. */
  reserve(): this {
    this.#reserved++;
    return this;
  }

  /** Milliseconds without a request in flight. */
  get idleMs(): number {
    return this.load > 0 ? 0 : performance.now() - this.#usedAt;
  }

  /**
   * Sends one line, in the place that was reserved for it, and waits for its answer.
   *
   * @throws {ControlError} `ReadError` if the connection ends before.
   * @throws {DaemonError} `deadline_exceeded`, or `cancelled` by the signal.
   */
  async send(line: string, { what, timeoutMs, signal }: SendInit): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const waiting: Waiting = { isWanted: true, resolve, reject };
    const giveUp = (failure: DaemonError) => {
      waiting.isWanted = false;
      this.#retire();
      reject(failure);
    };
    const timer = setTimeout(() => giveUp(late(what, timeoutMs)), timeoutMs);
    const cancel = () => giveUp(cancelled(what));
    signal?.addEventListener("abort", cancel, { once: true });
    this.#reserved--;
    this.#waiting.push(waiting);
    this.#channel.hold(true);
    try {
      this.#channel.write(line);
      return await promise;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", cancel);
    }
  }

  /** Closes at once; what is in flight fails. */
  close(): void {
    this.#channel.close();
  }

  // Behind an answer that nobody wants any more the others would only wait; so nothing new comes
  // here, and once the rest is answered, closing tells the daemon to end the unwanted work.
  #retire(): void {
    this.#isRetired = true;
    if (!this.#waiting.some(({ isWanted }) => isWanted)) this.#channel.close();
  }

  #onAnswer(answer: unknown): void {
    this.#usedAt = performance.now();
    const waiting = this.#waiting.shift();
    if (this.#waiting.length === 0) this.#channel.hold(false);
    waiting?.resolve(answer);
    if (this.#isRetired) this.#retire();
  }

  #onEnd(cause: unknown): void {
    this.#isOpen = false;
    const failure = connectionLost(this.#place, true, cause);
    for (const { reject } of this.#waiting.splice(0)) reject(failure);
  }
}

/** The caller no longer wants an answer. */
export function cancelled(what: string): DaemonError {
  return new DaemonError("cancelled", `Cannot finish ${what}: it was cancelled`);
}

function late(what: string, timeoutMs: number): DaemonError {
  return new DaemonError(
    "deadline_exceeded",
    `Cannot finish ${what} within ${timeoutMs} ms; see what keeps almenad busy with "almenad logs"`,
  );
}
