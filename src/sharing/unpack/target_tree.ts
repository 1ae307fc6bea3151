/** The one way from an archive into a folder: every name, size and kind is checked before anything is written. */
import { dirname, join } from "node:path";
import { DaemonError } from "../../core/mod.ts";
import type { Files } from "../files.ts";
import { makeFolders } from "../files.ts";
import { OWNED, pathProblem, twinKey } from "../names.ts";
import type { UnpackProgress } from "../transaction.ts";

/** What an archive may grow to. */
export interface UnpackLimits {
  /** Files and folders. @default {250_000} */
  readonly maxEntries?: number;
  /** Bytes in all for each byte of the archive. @default {200} */
  readonly maxRatio?: number;
  /** Bytes in all that are allowed whatever the ratio. @default {1 GiB} */
  readonly freeOfRatioBytes?: number;
  /** Bytes that stay free on the disk. @default {64 MiB} */
  readonly reserveBytes?: number;
}

/** Characters of all names together; they are remembered to find twins. */
const MAX_NAME_CHARACTERS = 32 * 1_024 ** 2;
/** Bytes written before they are given to the disk in one go. */
const WRITE_BYTES = 1_024 * 1_024;

/** A folder that is filled from archives; nothing in it is a link, nothing is written outside. */
export class TargetTree {
  readonly #files: Files;
  readonly #root: string;
  readonly #limits: Required<UnpackLimits>;
  readonly #onProgress: (progress: UnpackProgress) => void;
  readonly #folders = new Set<string>();
  readonly #folderKeys = new Set<string>();
  readonly #names = new Set<string>();
  #maxBytes = 0;
  #bytes = 0;
  #count = 0;
  #characters = 0;

  constructor(
    { files, root, onProgress }: {
      files: Files;
      root: string;
      onProgress: (progress: UnpackProgress) => void;
    },
    limits: UnpackLimits = {},
  ) {
    this.#files = files;
    this.#root = root;
    this.#onProgress = onProgress;
    this.#limits = {
      maxEntries: limits.maxEntries ?? 250_000,
      maxRatio: limits.maxRatio ?? 200,
      freeOfRatioBytes: limits.freeOfRatioBytes ?? 1_024 ** 3,
      reserveBytes: limits.reserveBytes ?? 64 * 1_024 ** 2,
    };
  }

  /** Lets in as much as an archive of this size may hold and the disk takes. */
  async admit(archiveBytes: number): Promise<void> {
    const { maxRatio, freeOfRatioBytes, reserveBytes } = this.#limits;
    const allowed = this.#bytes + Math.max(freeOfRatioBytes, archiveBytes * maxRatio);
    const free = await this.#files.freeBytes(this.#root) - reserveBytes;
    this.#maxBytes = Math.min(allowed, this.#bytes + Math.max(0, free));
  }

  /** Refuses an archive that says beforehand that it is too large. */
  expect(entries: number, bytes: number): void {
    if (this.#count + entries > this.#limits.maxEntries) throw tooMany(this.#limits.maxEntries);
    if (this.#bytes + bytes > this.#maxBytes) throw tooLarge(this.#maxBytes);
  }

  /** Whether the disk has room for a program to go on. @throws {DaemonError} `resource_exhausted`. */
  async checkRoom(): Promise<void> {
    const free = await this.#files.freeBytes(this.#root) - this.#limits.reserveBytes;
    if (free <= 0) throw tooLarge(this.#maxBytes);
  }

  /** Counts a file or folder that a program made. @throws {DaemonError} for one that is too much. */
  adopt(path: string, bytes: number): void {
    this.#checked(path);
    this.#grow(bytes);
  }

  /** Makes a folder. */
  async folder(path: string): Promise<void> {
    const clean = path.replace(/\/+$/, "");
    if (clean === "" || clean === ".") return;
    await this.#makeFolder(this.#checked(clean));
  }

  /**
   * Writes a file; it lasts once this resolves.
   *
   * @param size As the archive says it; undefined when it does not.
   */
  async file(
    path: string,
    content: AsyncIterable<Uint8Array>,
    options: { size?: number; executable?: boolean; signal: AbortSignal },
  ): Promise<void> {
    const name = this.#checked(path);
    if (options.size !== undefined) this.expect(0, options.size);
    const key = twinKey(name);
    if (this.#names.has(key) || this.#folderKeys.has(key)) {
      throw refused(path, "two entries have this name on some file system");
    }
    this.#names.add(key);
    await this.#makeFolder(dirname(name) === "." ? "" : dirname(name));
    const file = await this.#files.open(join(this.#root, name), "new", {
      executable: options.executable ?? false,
    });
    try {
      let position = 0;
      for await (const bytes of gathered(content)) {
        options.signal.throwIfAborted();
        this.#grow(bytes.byteLength);
        await file.write(bytes, position);
        position += bytes.byteLength;
      }
      if (options.size !== undefined && position !== options.size) {
        throw refused(path, `it has ${position} bytes where ${options.size} were announced`);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    this.#onProgress({ bytes: this.#bytes, files: this.#names.size });
  }

  /** Makes the names of everything last. */
  async sync(): Promise<void> {
    for (const folder of this.#folders) await this.#files.syncFolder(join(this.#root, folder));
    await this.#files.syncFolder(this.#root);
  }

  #grow(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.#maxBytes) throw tooLarge(this.#maxBytes);
  }

  async #makeFolder(path: string): Promise<void> {
    if (path === "" || this.#folders.has(path)) return;
    const names = path.split("/");
    for (let depth = 1; depth <= names.length; depth++) {
      const parent = names.slice(0, depth).join("/");
      if (this.#folders.has(parent)) continue;
      if (this.#names.has(twinKey(parent))) {
        throw refused(path, "a file has the name of its folder");
      }
      await makeFolders(this.#files, this.#root, parent);
      this.#folders.add(parent);
      this.#folderKeys.add(twinKey(parent));
    }
  }

  #checked(path: string): string {
    const name = path.replace(/^(\.\/)+/, "");
    const problem = pathProblem(name) ?? (twinKey(name) === OWNED ? "it is reserved" : undefined);
    if (problem) throw refused(path, problem);
    this.#characters += name.length;
    if (++this.#count > this.#limits.maxEntries || this.#characters > MAX_NAME_CHARACTERS) {
      throw tooMany(this.#limits.maxEntries);
    }
    return name;
  }
}

async function* gathered(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of content) {
    parts.push(part);
    size += part.byteLength;
    if (size < WRITE_BYTES) continue;
    yield joined(parts, size);
    [parts, size] = [[], 0];
  }
  if (size > 0) yield joined(parts, size);
}

function joined(parts: readonly Uint8Array[], size: number): Uint8Array {
  const [first] = parts;
  if (first && parts.length === 1) return first;
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return bytes;
}

/** An entry that no archive may have. */
export function refused(path: string, reason: string): DaemonError {
  const shown = JSON.stringify(path.slice(0, 200));
  return new DaemonError("invalid_argument", `Cannot unpack the entry ${shown}: ${reason}`);
}

function tooMany(limit: number): DaemonError {
  return new DaemonError(
    "resource_exhausted",
    `Cannot unpack the archive: it has more than ${limit} entries, or very long names`,
  );
}

function tooLarge(limit: number): DaemonError {
  return new DaemonError(
    "resource_exhausted",
    `Cannot unpack the archive: it grows over ${limit} bytes, more than its size or the disk allows`,
  );
}
