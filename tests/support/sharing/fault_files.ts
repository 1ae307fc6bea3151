/** A disk that fails, or ends the process, at the step a test names. */
import process from "node:process";
import type { Files, OpenFile } from "../../../src/sharing/files.ts";
import { systemFiles } from "../../../src/sharing/files.ts";

/** What happens at a step. */
export type Fault = "none" | "kill before" | "kill after" | "ENOSPC" | "EIO";

/** Counts every step that changes the disk and lets one of them fail. */
export class FaultFiles implements Files {
  /** Steps so far, and what they did. */
  readonly steps: string[] = [];
  readonly #inner: Files;
  readonly #at: number;
  readonly #fault: Fault;
  readonly #isLasting: boolean;

  /**
   * @param at Number of the step, from 1; 0 for none.
   * @param options.isLasting Every later step fails as well.
   */
  constructor(at = 0, fault: Fault = "none", options: { isLasting?: boolean; inner?: Files } = {}) {
    this.#at = at;
    this.#fault = fault;
    this.#isLasting = options.isLasting ?? false;
    this.#inner = options.inner ?? systemFiles;
  }

  facts: Files["facts"] = (path) => this.#inner.facts(path);
  list: Files["list"] = (path) => this.#inner.list(path);
  freeBytes: Files["freeBytes"] = (path) => this.#inner.freeBytes(path);
  makeFolder: Files["makeFolder"] = (path) =>
    this.#step(`mkdir ${path}`, () => this.#inner.makeFolder(path));
  rename: Files["rename"] = async (from, to) => {
    if (!await this.#inner.facts(from)) return await this.#inner.rename(from, to); // changes nothing
    await this.#step(`rename ${from} ${to}`, () => this.#inner.rename(from, to));
  };
  removeFile: Files["removeFile"] = async (path) => {
    if (!await this.#inner.facts(path)) return await this.#inner.removeFile(path); // changes nothing
    await this.#step(`unlink ${path}`, () => this.#inner.removeFile(path));
  };
  removeFolder: Files["removeFolder"] = (path) =>
    this.#step(`rmdir ${path}`, () => this.#inner.removeFolder(path));
  syncFolder: Files["syncFolder"] = (path) =>
    this.#step(`sync ${path}`, () => this.#inner.syncFolder(path));
  open: Files["open"] = async (path, mode, options) => {
    if (mode === "read") return await this.#inner.open(path, mode, options);
    const file = await this.#step(
      `open ${path}`,
      () => this.#inner.open(path, mode, options),
      (opened) => opened.close(),
    );
    return this.#wrap(path, file);
  };

  #wrap(path: string, file: OpenFile): OpenFile {
    return {
      read: (buffer, position) => file.read(buffer, position),
      write: (bytes, position) =>
        this.#step(`write ${path}`, async () => {
          // Half of it arrives when the machine stops in the middle.
          if (this.#isNow(1) && this.#fault === "kill before") {
            await file.write(bytes.subarray(0, bytes.byteLength >> 1), position);
            return kill();
          }
          await file.write(bytes, position);
        }),
      truncate: (size) => this.#step(`truncate ${path}`, () => file.truncate(size)),
      sync: () => this.#step(`fsync ${path}`, () => file.sync()),
      facts: () => file.facts(),
      close: () => file.close(),
    };
  }

  #isNow(ahead = 0): boolean {
    const number = this.steps.length + 1 - ahead;
    return number === this.#at || (this.#isLasting && this.#at > 0 && number > this.#at);
  }

  async #step<T>(what: string, act: () => Promise<T>, undo?: (made: T) => unknown): Promise<T> {
    const isNow = this.#isNow();
    this.steps.push(what);
    if (isNow && (this.#fault === "ENOSPC" || this.#fault === "EIO")) {
      throw Object.assign(new TypeError(`${this.#fault}: injected at "${what}"`), {
        code: this.#fault,
      });
    }
    if (isNow && this.#fault === "kill before" && !what.startsWith("write ")) kill();
    const made = await act();
    if (isNow && this.#fault === "kill after") {
      undo?.(made);
      kill();
    }
    return made;
  }
}

// The kernel ends the process; nothing of ours runs afterwards.
function kill(): never {
  process.kill(process.pid, "SIGKILL");
  for (;;);
}
