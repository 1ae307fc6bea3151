/**
 * Long answers, read in pieces: a manifest of 100,000 files is tens of megabytes of
 * JSON, and parsing it in one go would hold the event loop for most of a second.
 */
import { fileHash, fromHex } from "./hashing.ts";
import type { FileEntry, Manifest } from "./manifest.ts";
import { broken, type FrameReader, MAX_ANSWER_BYTES, parseJson } from "./messages.ts";
import { chunkCount, isItemId, itemPathProblem, twinKey } from "./names.ts";
import { MAX_FILES } from "./scanner.ts";
import { turn } from "./slices.ts";

/** Bytes that are looked at between two looks at the clock. */
const READ_BYTES = 8_192;
/** Longest entry of a list; a manifest has one a file. */
const MAX_ENTRY_BYTES = 8 * 1_024 * 1_024;

/**
 * Reads a message whose last value is a list of objects, one object at a time.
 *
 * @param take Called with each object of the innermost list, in order.
 * @param onBytes Told how much was read, each time.
 * @returns The message with that list empty.
 */
export async function readListMessage(
  reader: FrameReader,
  signal: AbortSignal,
  take: (entry: unknown) => void,
  onBytes?: (bytes: number) => void,
): Promise<unknown> {
  let left = await reader.length(MAX_ANSWER_BYTES, signal);
  const splitter = new EntrySplitter(take);
  let until = performance.now() + 4;
  while (left > 0) {
    // In pieces of one size: what comes byte by byte would take hundreds of bytes for each.
    const piece = new Uint8Array(Math.min(left, READ_BYTES));
    await reader.fill(piece, signal);
    left -= piece.byteLength;
    onBytes?.(piece.byteLength);
    signal.throwIfAborted();
    splitter.push(piece);
    if (performance.now() < until) continue;
    await turn();
    until = performance.now() + 4;
  }
  return parseJson(splitter.outside());
}

const [QUOTE, BACKSLASH, OPEN, CLOSE, LIST, LIST_END] = [...'"\\{}[]'].map((c) => c.charCodeAt(0));

// Finds the objects inside the first list of a JSON text by counting brackets outside of strings.
class EntrySplitter {
  readonly #take: (entry: unknown) => void;
  readonly #outside: Uint8Array[] = [];
  #outsideBytes = 0;
  #entry: Uint8Array[] = [];
  #entryBytes = 0;
  #isInList = false;
  /** Whatever else comes belongs outside. */
  #isOver = false;
  #depth = 0;
  #isString = false;
  #isEscaped = false;

  constructor(take: (entry: unknown) => void) {
    this.#take = take;
  }

  push(bytes: Uint8Array): void {
    let from = 0;
    for (let at = 0; at < bytes.byteLength; at++) {
      const byte = bytes[at];
      if (this.#isString) {
        if (this.#isEscaped) this.#isEscaped = false;
        else if (byte === BACKSLASH) this.#isEscaped = true;
        else if (byte === QUOTE) this.#isString = false;
      } else if (byte === QUOTE) this.#isString = true;
      else if (!this.#isInList) {
        if (byte !== LIST || this.#isOver) continue;
        this.#isInList = true;
        this.#keepOutside(bytes.subarray(from, at + 1));
        from = at + 1;
      } else if (byte === OPEN || byte === LIST) this.#depth++;
      else if (byte === CLOSE || byte === LIST_END) {
        if (this.#depth === 0) { // the list's own end
          this.#keepOutside(bytes.subarray(at));
          this.#isInList = false;
          this.#isOver = true;
          return;
        }
        if (--this.#depth > 0) continue;
        this.#keepEntry(bytes.subarray(from, at + 1));
        from = at + 1;
        this.#finishEntry();
      }
    }
    if (this.#isInList) this.#keepEntry(bytes.subarray(from));
    else this.#keepOutside(bytes.subarray(from));
  }

  outside(): Uint8Array {
    return joined(this.#outside);
  }

  #keepOutside(bytes: Uint8Array): void {
    this.#outside.push(bytes);
    this.#outsideBytes += bytes.byteLength;
    if (this.#outsideBytes > 65_536) throw broken("it has no list where one belongs");
  }

  #keepEntry(bytes: Uint8Array): void {
    if (bytes.byteLength === 0) return;
    this.#entry.push(bytes);
    this.#entryBytes += bytes.byteLength;
    if (this.#entryBytes > MAX_ENTRY_BYTES) throw broken("an entry of it is too long");
  }

  #finishEntry(): void {
    const bytes = this.#entry.length === 1 ? this.#entry[0] as Uint8Array : joined(this.#entry);
    const start = bytes.indexOf(OPEN ?? 0);
    if (start < 0) throw broken("its list has something else than objects");
    this.#take(parseJson(bytes.subarray(start)));
    this.#entry = [];
    this.#entryBytes = 0;
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  parts.reduce((at, part) => (bytes.set(part, at), at + part.byteLength), 0);
  return bytes;
}

/** Collects the files of a manifest from a peer; anything that cannot be is refused. */
export class ManifestReader {
  readonly #id: string;
  readonly #files: FileEntry[] = [];
  readonly #names = new Set<string>();
  readonly #folders = new Set<string>();

  /** @param id Of the item that was asked for. */
  constructor(id: string) {
    this.#id = id;
  }

  /** Adds one file. @throws {DaemonError} `data_loss`. */
  readonly take = (entry: unknown): void => {
    const file = fileEntry(entry);
    if (this.#files.length >= MAX_FILES) throw broken(`it has more than ${MAX_FILES} files`);
    const key = twinKey(file.path);
    if (this.#names.has(key) || this.#folders.has(key)) {
      throw badPath(file.path, "it is there twice");
    }
    for (let at = key.lastIndexOf("/"); at > 0; at = key.lastIndexOf("/", at - 1)) {
      const folder = key.slice(0, at);
      if (this.#names.has(folder)) throw badPath(file.path, "a file has the name of its folder");
      if (this.#folders.has(folder)) break;
      this.#folders.add(folder);
    }
    this.#names.add(key);
    this.#files.push(file);
  };

  /** The manifest. @param rest The message without its files. */
  finish(rest: unknown): Manifest {
    const game = (rest as { Game?: { id?: unknown; version?: unknown } } | null)?.Game;
    if (game?.id !== this.#id || !isItemId(this.#id)) throw broken("it tells of another item");
    const { version } = game;
    if (typeof version !== "string" || version.length > 256) throw broken("it has no version");
    return { id: this.#id, version, files: this.#files };
  }
}

const HASH = /^[0-9a-f]{64}$/;

// By hand: a schema library takes many times as long for each of 100,000 files.
function fileEntry(entry: unknown): FileEntry {
  const { path, size, sha256, chunks } = (entry ?? {}) as Record<string, unknown>;
  if (typeof path !== "string") throw broken("a file of it has no path");
  const problem = itemPathProblem(path);
  if (problem) throw badPath(path, problem);
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) {
    throw badPath(path, "it has no size");
  }
  if (!Array.isArray(chunks) || chunks.length !== chunkCount(size)) {
    throw badPath(path, "its chunks do not add up to its size");
  }
  if (!chunks.every((chunk) => typeof chunk === "string" && HASH.test(chunk))) {
    throw badPath(path, "a chunk of it has no hash");
  }
  if (typeof sha256 !== "string" || sha256 !== fileHash(fromHex(chunks.join("")))) {
    throw badPath(path, "its hash is not that of its chunks");
  }
  return { path, size, sha256, chunks };
}

function badPath(path: string, reason: string) {
  return broken(`the file ${JSON.stringify(path.slice(0, 200))}: ${reason}`);
}
