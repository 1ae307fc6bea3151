/** Small files that somebody else may have put there: whatever they are, reading them never waits. */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

// A link is not followed, and a pipe without a writer is not waited for; Windows has neither.
const FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/**
 * The text of a regular file.
 *
 * @returns Undefined for anything else, and for one that is longer.
 * @throws The operating system's error if it cannot be read.
 */
export function readSmallText(path: string, maxBytes: number): string | undefined {
  const file = openSync(path, FLAGS);
  try {
    const stat = fstatSync(file);
    if (!stat.isFile() || stat.size > maxBytes) return undefined;
    const bytes = new Uint8Array(stat.size);
    const count = readSync(file, bytes, 0, bytes.byteLength, 0);
    return new TextDecoder().decode(bytes.subarray(0, count));
  } finally {
    closeSync(file);
  }
}
