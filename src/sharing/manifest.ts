/** What an item consists of, contract 5.2. */

/** One file of an item. */
export interface FileEntry {
  /** Relative to the item's root, with forward slashes. */
  readonly path: string;
  readonly size: number;
  /** SHA-256 over the chunk hashes in order, hex. */
  readonly sha256: string;
  /** SHA-256 of each chunk, hex. */
  readonly chunks: readonly string[];
}

/** One version of an item. */
export interface Manifest {
  readonly id: string;
  readonly version: string;
  readonly files: readonly FileEntry[];
}

/** Bytes of an item. */
export function sizeOf({ files }: Pick<Manifest, "files">): number {
  return files.reduce((sum, { size }) => sum + size, 0);
}
