/** A file or folder of a package, with the rights it gets on the Mac. */
export interface PackageEntry {
  /** Below the root, such as `./usr/local/bin/almenad`; the root is `.`. */
  readonly path: string;
  readonly mode: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  /** Absent for a folder. */
  readonly content?: Uint8Array;
}

/** A file to be packed. */
export interface PackageFile {
  /** Below the root, such as `usr/local/bin/almenad`. */
  path: string;
  mode: number;
  content: Uint8Array;
}

/** S_IFDIR and S_IFREG of stat(2). */
const FOLDER = 0o040000;
const FILE = 0o100000;

/** The mode of an entry with its type, as archives store it. */
export function fullMode(entry: PackageEntry): number {
  return (entry.content === undefined ? FOLDER : FILE) | entry.mode;
}

/** All files and the folders they lie in, parents before children, names in order. */
export function packageTree(files: readonly PackageFile[], mtime: number): PackageEntry[] {
  const entries = new Map<string, PackageEntry>([[".", { path: ".", mode: 0o755, mtime }]]);
  for (const { path, mode, content } of files) {
    const words = path.split("/");
    for (let depth = 1; depth < words.length; depth += 1) {
      const folder = ["."].concat(words.slice(0, depth)).join("/");
      entries.set(folder, { path: folder, mode: 0o755, mtime });
    }
    entries.set(`./${path}`, { path: `./${path}`, mode, mtime, content });
  }
  return [...entries.values()].sort(byDepthThenName);
}

// Level by level: parents come first, and a bill of materials wants its entries in this order.
function byDepthThenName(a: PackageEntry, b: PackageEntry): number {
  const depth = a.path.split("/").length - b.path.split("/").length;
  if (depth !== 0) return depth;
  return a.path < b.path ? -1 : 1;
}
