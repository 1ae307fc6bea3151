/** A thread that hashes chunks and writes them, so that the event loop has the network to itself. */
import { createHash } from "node:crypto";
import { Worker } from "node:worker_threads";
import type { ChunkMemory } from "./chunk_memory.ts";

// As text, because it has to be found inside the executable as well. Each file is open once more here,
// past the system's cache where the system can do that: what it is does not change between two looks.
const PROGRAM = `
  const { parentPort, workerData: memory } = require("node:worker_threads");
  const { createHash } = require("node:crypto");
  const fs = require("node:fs");
  const { O_RDWR, O_DIRECT = 0, O_NOFOLLOW = 0 } = fs.constants;
  const files = new Map();
  const close = (key) => {
    if (files.get(key) !== undefined) fs.closeSync(files.get(key));
    files.delete(key);
  };
  const open = ({ key, path, identity }, flags) => {
    close(key);
    files.set(key, undefined);
    let file;
    try {
      file = fs.openSync(path, O_RDWR | O_NOFOLLOW | flags);
    } catch {
      return flags === 0 ? undefined : open({ key, path, identity }, 0);
    }
    const { dev, ino } = fs.fstatSync(file, { bigint: true });
    if (dev + ":" + ino === identity) files.set(key, file);
    else fs.closeSync(file);
    return files.get(key);
  };
  const writeAll = (file, bytes, position) => {
    for (let done = 0; done < bytes.byteLength;) {
      done += fs.writeSync(file, bytes, done, bytes.byteLength - done, position + done);
    }
  };
  const operations = {
    hash: (bytes) => createHash("sha256").update(bytes).digest("hex"),
    write(bytes, { position, ...which }) {
      const file = files.has(which.key) ? files.get(which.key) : open(which, O_DIRECT);
      if (file === undefined) return false;
      try {
        writeAll(file, bytes, position);
      } catch (error) {
        // Some systems open a file in this way and then take nothing.
        if (error.code !== "EINVAL") throw error;
        const again = open(which, 0);
        if (again === undefined) return false;
        writeAll(again, bytes, position);
      }
      return true;
    },
    close: (_, { key }) => close(key),
  };
  parentPort.on("message", ({ id, operation, at, length, ...init }) => {
    try {
      const bytes = new Uint8Array(memory, at, length);
      parentPort.postMessage({ id, result: operations[operation](bytes, init) });
    } catch ({ message, code }) {
      parentPort.postMessage({ id, failure: { message, code } });
    }
  });
`;
/** Below this size a hash takes less time than the way to another thread. */
const THREAD_BYTES = 262_144;

/** What positions, counts and addresses are multiples of where the system's cache is passed by. */
export const DIRECT_BYTES = 4_096;

/** Where bytes are written. */
export interface ThreadFile {
  /** Made up by the caller; the file stays open under it until it is closed. */
  readonly key: number;
  readonly path: string;
  /** Device and inode with a colon between; nothing is written to any other file. */
  readonly identity: string;
}

interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly failure?: { readonly message: string; readonly code?: string };
}

interface Waiting {
  resolve(result: unknown): void;
  reject(failure: Error): void;
}

/** One thread and the memory that it shares; it begins with the first large chunk and must be ended. */
export class ChunkThread {
  readonly memory: ChunkMemory;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #next = 1;

  constructor(memory: ChunkMemory) {
    this.memory = memory;
  }

  /** Whether the thread can read and write bytes where they are. */
  knows({ buffer }: Uint8Array): boolean {
    return this.memory.shared !== undefined && buffer === this.memory.shared;
  }

  /**
   * Hashes bytes; only those in shared memory, which must not change meanwhile, go to the thread.
   *
   * @returns In hex. @throws if the thread ends.
   */
  async hash(bytes: Uint8Array): Promise<string> {
    if (bytes.byteLength < THREAD_BYTES || !this.knows(bytes)) {
      return createHash("sha256").update(bytes).digest("hex");
    }
    return await this.#ask("hash", placeOf(bytes)) as string;
  }

  /**
   * Writes bytes of shared memory, which must not change meanwhile, past the system's cache: their
   * address, count and position are multiples of {@link DIRECT_BYTES}.
   *
   * @returns False if there is no such file. @throws The operating system's error.
   */
  async write(file: ThreadFile, bytes: Uint8Array, position: number): Promise<boolean> {
    return await this.#ask("write", { ...file, ...placeOf(bytes), position }) as boolean;
  }

  /** Closes a file that was written to. */
  async close(key: number): Promise<void> {
    if (this.#worker) await this.#ask("close", { key });
  }

  /** Ends the thread; safe to call twice. */
  async end(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
    this.#fail(new TypeError("the thread for chunks was ended"));
  }

  #ask(operation: string, init: object): Promise<unknown> {
    this.#worker ??= this.#start();
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const id = this.#next++;
    this.#waiting.set(id, { resolve, reject });
    this.#worker.postMessage({ id, operation, ...init });
    return promise;
  }

  #start(): Worker {
    // Once: sent again with each question, it made the thread stop answering after some ten (Deno 2.7.14, 2.9.3).
    const worker = new Worker(PROGRAM, { eval: true, workerData: this.memory.shared });
    worker.on("message", ({ id, result, failure }: Answer) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (!failure) return waiting?.resolve(result);
      const { message, code } = failure;
      waiting?.reject(Object.assign(new TypeError(message), code === undefined ? {} : { code }));
    });
    worker.on("error", (error: Error) => {
      if (this.#worker === worker) this.#worker = undefined; // the next one begins anew
      this.#fail(error);
    });
    return worker;
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

function placeOf({ byteOffset, byteLength }: Uint8Array): { at: number; length: number } {
  return { at: byteOffset, length: byteLength };
}
