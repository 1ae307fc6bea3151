/** SHA-256 of chunks on a thread of its own, so that the event loop has the network to itself. */
import { createHash } from "node:crypto";
import { Worker } from "node:worker_threads";

// As text, because it has to be found inside the executable as well. A buffer goes there and comes
// back: it is neither copied nor shared.
const PROGRAM = `
  const { parentPort } = require("node:worker_threads");
  const { createHash } = require("node:crypto");
  parentPort.on("message", ({ id, buffer, length }) => {
    const hash = createHash("sha256").update(new Uint8Array(buffer, 0, length)).digest("hex");
    parentPort.postMessage({ id, hash, buffer }, [buffer]);
  });
`;
/** Below this size a hash takes less time than the way to another thread. */
export const THREAD_BYTES = 262_144;

interface Answer {
  readonly id: number;
  readonly hash: string;
  readonly buffer: ArrayBuffer;
}

/** What {@link HashThread.hash} gives. */
export interface Hashed {
  /** In hex. */
  readonly hash: string;
  /** The same bytes; the array that was given cannot be used any more. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** One thread; it begins with the first large chunk and must be ended. */
export class HashThread {
  readonly #waiting = new Map<number, (answer: Answer | Error) => void>();
  #worker: Worker | undefined;
  #next = 1;

  /**
   * Hashes the beginning of an array that has its buffer to itself.
   *
   * @throws if the thread ends; the bytes are lost with it.
   */
  async hash(bytes: Uint8Array<ArrayBuffer>, length: number): Promise<Hashed> {
    if (length < THREAD_BYTES) {
      const hash = createHash("sha256").update(bytes.subarray(0, length)).digest("hex");
      return { hash, bytes };
    }
    this.#worker ??= this.#start();
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const id = this.#next++;
    this.#waiting.set(id, (answer) => answer instanceof Error ? reject(answer) : resolve(answer));
    const { buffer } = bytes;
    this.#worker.postMessage({ id, buffer, length }, [buffer]);
    const answer = await promise;
    return { hash: answer.hash, bytes: new Uint8Array(answer.buffer) };
  }

  /** Ends the thread; safe to call twice. */
  async end(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
    this.#fail(new TypeError("the hash thread was ended"));
  }

  #start(): Worker {
    const worker = new Worker(PROGRAM, { eval: true });
    worker.on("message", (answer: Answer) => {
      const settle = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      settle?.(answer);
    });
    worker.on("error", (error: Error) => this.#fail(error));
    return worker;
  }

  #fail(error: Error): void {
    for (const settle of this.#waiting.values()) settle(error);
    this.#waiting.clear();
  }
}
