import { join } from "node:path";
import { rootMark } from "./folder_facts.ts";

/** Longest round of looks. */
const ROUND_MS = 10;
/** The newest folders are looked at in every round, the others in turn. */
export const MAX_NEWEST = 16;
/** Most folders whose change one round tells of. */
const MAX_TOLD = 32;

/** Folders that nobody watches: they are looked at, and compared with what was seen last. */
export class SilentFolders {
  readonly #dir: string;
  /** The newest come last. */
  readonly #marks = new Map<string, number | undefined>();
  #turn: Iterator<string> | undefined;

  /** @param dir The library's folder. */
  constructor(dir: string) {
    this.#dir = dir;
  }

  get size(): number {
    return this.#marks.size;
  }

  has(id: string): boolean {
    return this.#marks.has(id);
  }

  /** The oldest first. */
  ids(): string[] {
    return [...this.#marks.keys()];
  }

  /** It is the newest now, and nothing of it was seen. */
  add(id: string): void {
    this.#marks.delete(id);
    this.#marks.set(id, undefined);
  }

  delete(id: string): void {
    this.#marks.delete(id);
  }

  clear(): void {
    this.#marks.clear();
  }

  /**
   * Looks at the newest and at as many others as there is time for.
   *
   * @param tell Told of each that is gone or another one, or was never looked at.
   */
  *look(tell: (id: string) => void): Generator<void, void> {
    const until = performance.now() + ROUND_MS;
    const newest = this.ids().slice(-MAX_NEWEST);
    let told = 0;
    for (let left = this.#marks.size; left > 0 && told < MAX_TOLD; left--) {
      const id = newest.pop() ?? this.#next();
      if (id === undefined || performance.now() >= until) return;
      const mark = yield* rootMark(join(this.#dir, id));
      if (!this.#marks.has(id)) continue;
      if (mark === undefined) this.#marks.delete(id);
      else if (mark === this.#marks.get(id)) continue;
      else this.#marks.set(id, mark);
      told++;
      tell(id);
      yield;
    }
  }

  #next(): string | undefined {
    for (let attempt = 0; attempt < 2; attempt++) {
      this.#turn ??= this.#marks.keys();
      const { done, value } = this.#turn.next();
      if (!done) return value;
      this.#turn = undefined;
    }
    return undefined;
  }
}
