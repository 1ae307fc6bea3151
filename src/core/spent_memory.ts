/** Memory that is given back by hand: the collector lets 64 MiB of spent buffers gather first (measured). */

/** Below this size memory is not worth a word. */
const LEAST_BYTES = 4_096;

/** Frees bytes that nobody reads any more, where they have their buffer to themselves. */
export function spend({ buffer, byteLength }: Uint8Array): void {
  if (byteLength >= LEAST_BYTES && byteLength === buffer.byteLength) free(buffer);
}

/** Frees a buffer that is used up piece by piece, in order, with its last piece. */
export function spendLast({ buffer, byteOffset, byteLength }: Uint8Array): void {
  if (byteLength >= LEAST_BYTES && byteOffset + byteLength === buffer.byteLength) free(buffer);
}

function free(buffer: ArrayBufferLike): void {
  if (buffer instanceof ArrayBuffer) buffer.transfer(0);
}
