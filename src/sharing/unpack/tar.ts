import { createReadStream } from "node:fs";
import type { Writable } from "node:stream";
import { createGunzip } from "node:zlib";
import tar from "tar-stream";
import { DaemonError, messageOf } from "../../core/mod.ts";
import { refused, type TargetTree } from "./target_tree.ts";

interface TarEntry extends AsyncIterable<Uint8Array> {
  readonly header: {
    readonly name: string;
    readonly type: string | null;
    readonly size: number;
    readonly mode?: number;
  };
  resume(): void;
  on(event: "error", listener: (error: unknown) => void): void;
}

// Headers that say something of the entries after them.
const HINTS = new Set(["pax-header", "pax-global-header", "gnu-long-path", "gnu-long-link-path"]);

/** Unpacks a tar archive, compressed with gzip or not, as a stream. */
export async function unpackTar(
  path: string,
  target: TargetTree,
  signal: AbortSignal,
): Promise<void> {
  const extract = tar.extract() as unknown as Writable & AsyncIterable<TarEntry>;
  const source = createReadStream(path, { highWaterMark: 256 * 1_024 });
  const plain = /gz$/i.test(path) ? source.pipe(createGunzip()) : source;
  // pipe() passes bytes on, but no failure.
  source.on("error", (failure: Error) => extract.destroy(failure));
  plain.on("error", (failure: Error) => extract.destroy(failure));
  plain.pipe(extract);
  const onAbort = () => extract.destroy(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    signal.throwIfAborted();
    for await (const entry of extract) await take(entry, target, signal);
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof DaemonError) throw cause;
    throw new DaemonError("data_loss", `Cannot unpack ${path}: ${messageOf(cause)}`, { cause });
  } finally {
    signal.removeEventListener("abort", onAbort);
    source.destroy();
    plain.destroy();
    extract.destroy();
  }
}

async function take(entry: TarEntry, target: TargetTree, signal: AbortSignal): Promise<void> {
  entry.on("error", () => undefined); // it may fail before it is read, and is asked again then
  const { name, type, size, mode = 0 } = entry.header;
  if (type === "directory") {
    await target.folder(name);
    return entry.resume();
  }
  if (type === "file" || type === "contiguous-file") {
    return await target.file(name, entry, { size, executable: (mode & 0o111) !== 0, signal });
  }
  if (type && HINTS.has(type)) return entry.resume();
  throw refused(name, `it is a ${type ?? "thing"}, and only files and folders are unpacked`);
}
