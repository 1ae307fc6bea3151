import type { Clock, Timer } from "../core/mod.ts";
import type { FileFacts, Files, OpenFile } from "./files.ts";

/** The chunks of a file are mostly asked for one after the other: it stays open for so long. */
const KEEP_MS = 1_000;
/** Files that stay open at most while nobody reads them. */
const MOST_IDLE = 16;

/** What {@link ServedHandles} uses. */
export interface ServedHandlesComponents {
  readonly files: Pick<Files, "open">;
  readonly clock: Pick<Clock, "after">;
}

interface Idle {
  readonly path: string;
  readonly file: OpenFile;
  readonly timer: Timer;
}

/** Files that are being served; opening one takes several ways to another thread. */
export class ServedHandles {
  readonly #components: ServedHandlesComponents;
  /** The one that was given back first before the others. */
  #idle: Idle[] = [];
  #isOpen = false;

  constructor(components: ServedHandlesComponents) {
    this.#components = components;
  }

  /** From now on files may stay open. */
  start(): void {
    this.#isOpen = true;
  }

  /**
   * A file for one reader, to be given back or closed.
   *
   * @returns Undefined if what is at the path is not right.
   */
  async take(
    path: string,
    isRight: (facts: FileFacts) => boolean,
  ): Promise<OpenFile | undefined> {
    const known = this.#idle.findLast((one) => one.path === path);
    if (known) this.#forget(known);
    // What was opened earlier may be another file than is there now.
    return known && await checked(known.file, isRight) ||
      await checked(await this.#components.files.open(path, "read"), isRight);
  }

  /** Takes a file back that is still as it should be. */
  async give(path: string, file: OpenFile): Promise<void> {
    if (!this.#isOpen) return await file.close();
    const timer = this.#components.clock.after(KEEP_MS, () => void this.#close(idle));
    const idle: Idle = { path, file, timer };
    this.#idle.push(idle);
    const [oldest] = this.#idle;
    if (oldest && this.#idle.length > MOST_IDLE) await this.#close(oldest);
  }

  /** Closes what nobody reads, and from now on everything that is given back. */
  async stop(): Promise<void> {
    this.#isOpen = false;
    await Promise.all(this.#idle.map((idle) => this.#close(idle)));
  }

  #forget(idle: Idle): void {
    idle.timer.cancel();
    this.#idle = this.#idle.filter((one) => one !== idle);
  }

  // Nothing was written: what a system says at the end of reading changes nothing.
  async #close(idle: Idle): Promise<void> {
    this.#forget(idle);
    await idle.file.close().catch(() => undefined);
  }
}

async function checked(
  file: OpenFile,
  isRight: (facts: FileFacts) => boolean,
): Promise<OpenFile | undefined> {
  try {
    if (isRight(await file.facts())) return file;
  } catch (failure) {
    await file.close();
    throw failure;
  }
  await file.close();
  return undefined;
}
