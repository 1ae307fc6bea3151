import { Buffer } from "node:buffer";
import { MAX_ANSWER_BYTES } from "./messages.ts";
import { chunkCount } from "./names.ts";

type Sized = { readonly path: string; readonly size: number };

/** Why peers are not told of an item: none of them could read what it consists of. */
export const TOO_LONG =
  `the list of its files and hashes is longer than the ${MAX_ANSWER_BYTES / 1_048_576} MiB that ` +
  "peers accept; make several items of it";

/** What an entry has besides its path and its size: names, quotes, the file's own hash. */
const ENTRY_BYTES = `,{"path":,"size":,"sha256":"${"0".repeat(64)}","chunks":[]}`.length;
/** A chunk's hash, its quotes and a comma. */
const CHUNK_BYTES = 67;
/** A path has more bytes in JSON where it has anything else; none has more than six a character. */
const PLAIN = /^[ !#-[\]-~]*$/;
const MOST_CHARACTER_BYTES = 6;

/** Bytes of an item's manifest as it is sent; known before anything of it is hashed. */
export function manifestBytes(id: string, version: string, files: readonly Sized[]): number {
  return lengthOf(
    id,
    version,
    files,
    (path) => PLAIN.test(path) ? path.length + 2 : Buffer.byteLength(JSON.stringify(path)),
  );
}

/** Whether peers would refuse an item's manifest. */
export function isManifestTooLong(id: string, version: string, files: readonly Sized[]): boolean {
  const most = lengthOf(id, version, files, (path) => 2 + path.length * MOST_CHARACTER_BYTES);
  return most > MAX_ANSWER_BYTES && manifestBytes(id, version, files) > MAX_ANSWER_BYTES;
}

function lengthOf(
  id: string,
  version: string,
  files: readonly Sized[],
  pathBytes: (path: string) => number,
): number {
  const head = { Game: { id, version, files: [] } };
  let bytes = Buffer.byteLength(JSON.stringify(head)) - Math.min(1, files.length);
  for (const { path, size } of files) {
    const chunks = chunkCount(size) * CHUNK_BYTES;
    bytes += ENTRY_BYTES + pathBytes(path) + `${size}`.length + Math.max(0, chunks - 1);
  }
  return bytes;
}
