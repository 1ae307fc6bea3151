/** Chunks of an item that are on disk before it is fetched, so that nobody has to send them again. */
import { join } from "node:path";
import { type Files, isPlainBelow } from "./files.ts";
import { digest, fromHex, sameHash } from "./hashing.ts";
import type { FileEntry, Manifest } from "./manifest.ts";
import { CHUNK_BYTES, chunkCount, SENTINEL } from "./names.ts";
import { hasOtherNames } from "./prepare_files.ts";
import { turn } from "./slices.ts";
import type { IndexStore, StoredChunk } from "./store.ts";

/** A chunk that is there. */
export interface KeptChunk {
  /** Index of its file in the manifest. */
  readonly file: number;
  readonly part: StoredChunk;
}

interface Known {
  readonly parts: readonly StoredChunk[];
  /** When the file was written last as far as we know; another time means another hand, or a kill. */
  readonly mtimeMs: number | undefined;
  /** What the file's size may be besides the wanted one. */
  readonly size?: number;
}

/**
 * Finds what an unfinished download, or the version before, left behind. What is not known to be
 * on disk, or may have been changed since, is read and hashed once before it counts.
 */
export async function* keptChunks(
  { files, store }: { files: Files; store: IndexStore },
  { root, manifest, signal }: { root: string; manifest: Manifest; signal: AbortSignal },
): AsyncGenerator<KeptChunk> {
  const parts = Map.groupBy(store.parts(manifest.id), ({ path }) => path);
  const times = store.partTimes(manifest.id);
  for (const [file, entry] of manifest.files.entries()) {
    if (file % 256 === 255) await turn();
    signal.throwIfAborted();
    const { path, size } = entry;
    if (path === SENTINEL || size === 0) continue;
    const unfinished = parts.get(path);
    const known = unfinished
      ? { parts: unfinished, mtimeMs: times.get(path) }
      : ofVersionBefore(store, manifest.id, entry);
    if (!known || known.parts.length === 0 || !await isPlainBelow(files, root, path)) continue;
    const absolute = join(root, ...path.split("/"));
    for await (const part of stillThere(files, absolute, entry, known, signal)) {
      yield { file, part };
    }
  }
}

// Only whole chunks of a file that was of another size: the last one may have been shorter.
function ofVersionBefore(
  store: IndexStore,
  id: string,
  { path, size }: FileEntry,
): Known | undefined {
  const before = store.file(id, path);
  if (!before) return undefined;
  const isAsLong = before.size === size;
  const count = isAsLong ? chunkCount(size) : Math.floor(before.size / CHUNK_BYTES);
  const parts = Array.from({ length: count }, (_, chunk) => ({
    ...{ path, chunk, isSynced: true },
    hash: before.chunks.slice(chunk * 32, chunk * 32 + 32),
  }));
  return { parts, mtimeMs: before.mtimeMs, size: before.size };
}

async function* stillThere(
  files: Files,
  absolute: string,
  entry: FileEntry,
  known: Known,
  signal: AbortSignal,
): AsyncGenerator<StoredChunk> {
  const facts = await files.facts(absolute);
  if (facts?.kind !== "file") return;
  if (facts.size !== entry.size && facts.size !== known.size) return;
  const isShared = hasOtherNames(facts);
  if (isShared && facts.size !== entry.size) return;
  const isUntouched = facts.mtimeMs === known.mtimeMs;
  const wanted = known.parts.filter(({ chunk, hash }) => {
    const text = entry.chunks[chunk];
    return text !== undefined && sameHash(hash, fromHex(text));
  });
  const isSure = (part: StoredChunk) => part.isSynced && isUntouched;
  // Where one chunk is missing a fresh file is made.
  if (isShared && wanted.length < chunkCount(entry.size)) return;
  if (wanted.every(isSure)) return yield* wanted;
  const file = await files.open(absolute, "read");
  try {
    for (const part of wanted) {
      signal.throwIfAborted();
      const at = part.chunk * CHUNK_BYTES;
      const buffer = new Uint8Array(Math.min(CHUNK_BYTES, entry.size - at));
      const isThere = isSure(part) || (await file.read(buffer, at) === buffer.byteLength &&
        sameHash(await digest(buffer), part.hash));
      if (isThere && !isShared) yield part;
      else if (!isThere && isShared) return;
    }
    if (isShared) yield* wanted;
  } finally {
    await file.close();
  }
}
