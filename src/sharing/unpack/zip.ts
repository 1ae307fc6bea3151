import type { Buffer } from "node:buffer";
import type { Readable } from "node:stream";
import yauzl from "yauzl";
import { DaemonError, messageOf } from "../../core/mod.ts";
import { refused, type TargetTree } from "./target_tree.ts";

interface ZipEntry {
  readonly fileName: string;
  readonly uncompressedSize: number;
  readonly externalFileAttributes: number;
  readonly versionMadeBy: number;
  isEncrypted(): boolean;
}

interface ZipFile {
  readonly entryCount: number;
  readonly fileSize: number;
  readEntry(): void;
  openReadStream(entry: ZipEntry, callback: (error: unknown, stream?: Readable) => void): void;
  on(event: "entry", listener: (entry: ZipEntry) => void): void;
  on(event: "end", listener: () => void): void;
  on(event: "error", listener: (error: unknown) => void): void;
  close(): void;
}

const UNIX = 3;
const FILE_TYPE = 0o170000;
const REGULAR_FILE = 0o100000;
const FOLDER = 0o040000;

/** Unpacks a zip archive entry by entry, as its central directory lists them. */
export async function unpackZip(
  path: string,
  target: TargetTree,
  signal: AbortSignal,
): Promise<void> {
  let zip: ZipFile | undefined;
  try {
    zip = await openZip(path);
    target.expect(zip.entryCount, 0);
    for await (const entry of entriesOf(zip)) {
      signal.throwIfAborted();
      await take(zip, entry, target, signal);
    }
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof DaemonError) throw cause;
    throw new DaemonError("data_loss", `Cannot unpack ${path}: ${messageOf(cause)}`, { cause });
  } finally {
    zip?.close();
  }
}

function openZip(path: string): Promise<ZipFile> {
  const { promise, resolve, reject } = Promise.withResolvers<ZipFile>();
  const options = { lazyEntries: true, autoClose: false, validateEntrySizes: true };
  yauzl.open(path, options, (error: unknown, zip: ZipFile) => error ? reject(error) : resolve(zip));
  return promise;
}

async function* entriesOf(zip: ZipFile): AsyncGenerator<ZipEntry> {
  let next = Promise.withResolvers<ZipEntry | undefined>();
  zip.on("entry", (entry) => next.resolve(entry));
  zip.on("end", () => next.resolve(undefined));
  zip.on("error", (error) => next.reject(error));
  for (;;) {
    zip.readEntry();
    const entry = await next.promise;
    if (!entry) return;
    next = Promise.withResolvers();
    yield entry;
  }
}

async function take(
  zip: ZipFile,
  entry: ZipEntry,
  target: TargetTree,
  signal: AbortSignal,
): Promise<void> {
  const name = entry.fileName;
  const mode = entry.versionMadeBy >> 8 === UNIX ? entry.externalFileAttributes >>> 16 : 0;
  const kind = mode & FILE_TYPE;
  if (kind !== 0 && kind !== REGULAR_FILE && kind !== FOLDER) {
    throw refused(name, "it is no file and no folder");
  }
  if (name.endsWith("/")) return await target.folder(name);
  if (entry.isEncrypted()) throw refused(name, "it is encrypted");
  const { promise, resolve, reject } = Promise.withResolvers<Readable>();
  zip.openReadStream(entry, (error, stream) => stream ? resolve(stream) : reject(error));
  const stream = await promise;
  stream.on("error", () => undefined); // it may fail before it is read, and is asked again then
  try {
    await target.file(name, stream as AsyncIterable<Buffer>, {
      size: entry.uncompressedSize,
      executable: (mode & 0o111) !== 0,
      signal,
    });
  } finally {
    stream.destroy();
  }
}
