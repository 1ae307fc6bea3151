/** SHA-256 off the event loop: the runtime digests on threads of its own. */
import { Buffer } from "node:buffer";
import { hash } from "node:crypto";
import { join } from "node:path";
import type { Files } from "./files.ts";
import { CHUNK_BYTES, chunkCount } from "./names.ts";

/** Below this size a digest on the spot is cheaper than one on another thread. */
const SMALL_BYTES = 65_536;

/** SHA-256 of a chunk. */
export async function digest(bytes: Uint8Array): Promise<Uint8Array> {
  if (bytes.byteLength <= SMALL_BYTES) return hash("sha256", bytes, "buffer");
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
}

/** The hash of a file, made from the hashes of its chunks in order; hex, contract 5.2. */
export function fileHash(chunks: Uint8Array): string {
  return hash("sha256", chunks, "hex");
}

/** Bytes of a hash in hex. */
export function fromHex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "hex"));
}

/** The hashes of a file's chunks as hex, in order. */
export function chunkHashes(chunks: Uint8Array): string[] {
  const hex = Buffer.from(chunks.buffer, chunks.byteOffset, chunks.byteLength).toString("hex");
  return hex.match(/.{64}/g) ?? [];
}

/** Whether two hashes are the same. */
export function sameHash(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/**
 * Hashes a file chunk by chunk.
 *
 * @returns 32 bytes a chunk; undefined if the file is not as long as it was said to be.
 */
export async function hashFile(
  files: Files,
  path: string,
  size: number,
  { signal, onProgress }: { signal?: AbortSignal; onProgress?: (hashed: number) => void } = {},
): Promise<Uint8Array | undefined> {
  const chunks = new Uint8Array(chunkCount(size) * 32);
  const file = await files.open(path, "read");
  try {
    for (let index = 0; index * CHUNK_BYTES < size; index++) {
      signal?.throwIfAborted();
      const buffer = new Uint8Array(Math.min(CHUNK_BYTES, size - index * CHUNK_BYTES));
      if (await file.read(buffer, index * CHUNK_BYTES) < buffer.byteLength) return undefined;
      chunks.set(await digest(buffer), index * 32);
      onProgress?.(index * CHUNK_BYTES + buffer.byteLength);
    }
    return (await file.facts()).size === size ? chunks : undefined;
  } finally {
    await file.close();
  }
}

/** Hashes some files of a folder side by side, as {@link hashFile} does each. */
export function hashFiles(
  files: Files,
  root: string,
  group: readonly { readonly path: string; readonly size: number }[],
  signal: AbortSignal,
): Promise<(Uint8Array | undefined)[]> {
  return Promise.all(
    group.map(({ path, size }) =>
      hashFile(files, join(root, ...path.split("/")), size, { signal })
    ),
  );
}
