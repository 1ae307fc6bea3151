/** Item folders for tests: made, changed, and described so that two of them can be compared. */
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import tar from "tar-stream";
import { gzipSync } from "node:zlib";

/** Files by path; text or bytes. */
export type Tree = Readonly<Record<string, string | Uint8Array>>;

/** Writes files below a folder. */
export async function writeTree(folder: string, tree: Tree): Promise<void> {
  for (const [path, content] of Object.entries(tree)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
}

/** Reads everything below a folder; folders end with a slash. */
export async function readTree(folder: string, at = ""): Promise<Record<string, string>> {
  const tree: Record<string, string> = {};
  for (const entry of await readdir(join(folder, at), { withFileTypes: true })) {
    const path = at ? `${at}/${entry.name}` : entry.name;
    if (entry.isDirectory()) {
      Object.assign(tree, { [`${path}/`]: "" }, await readTree(folder, path));
    } else tree[path] = entry.isFile() ? await readFile(join(folder, path), "latin1") : "(special)";
  }
  return tree;
}

/** One entry of an archive. */
export interface ArchiveEntry {
  readonly name: string;
  readonly content?: string | Uint8Array;
  readonly type?: string;
  readonly linkname?: string;
  readonly mode?: number;
}

/** A tar archive. */
export async function tarOf(entries: readonly ArchiveEntry[]): Promise<Uint8Array> {
  const pack = tar.pack();
  for (const { name, content = "", type = "file", linkname, mode = 0o644 } of entries) {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    const mtime = new Date(0); // the same archive each time
    const header = { name, type, linkname, mode, mtime, size: bytes.byteLength } as Parameters<
      typeof pack.entry
    >[0];
    if (type === "file") (pack.entry as (h: unknown, b: unknown) => void)(header, bytes);
    else pack.entry(header);
  }
  pack.finalize();
  const parts: Uint8Array[] = [];
  for await (const part of pack) parts.push(part as Uint8Array);
  const all = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  parts.reduce((at, part) => (all.set(part, at), at + part.byteLength), 0);
  return all;
}

/** A tar archive of files, compressed. */
export async function tarGzOf(tree: Tree): Promise<Uint8Array> {
  const entries = Object.entries(tree).map(([name, content]) => ({ name, content }));
  return gzipSync(await tarOf(entries));
}
