/** The portable ASCII archive ("odc") of cpio(5), which macOS packages hold their files in. */
import { Buffer } from "node:buffer";
import { fullMode, type PackageEntry } from "./tree.ts";

const TRAILER = "TRAILER!!!";

/** Packs entries, owned by root and the group wheel. */
export function packCpio(entries: readonly PackageEntry[]): Uint8Array {
  const parts = entries.flatMap((entry, index) => {
    const content = entry.content ?? new Uint8Array();
    const size = content.byteLength;
    return [
      header(entry.path, { inode: index + 1, mode: fullMode(entry), mtime: entry.mtime, size }),
      content,
    ];
  });
  return Buffer.concat([...parts, header(TRAILER, { inode: 0, mode: 0, mtime: 0, size: 0 })]);
}

interface Fields {
  inode: number;
  mode: number;
  mtime: number;
  size: number;
}

function header(name: string, { inode, mode, mtime, size }: Fields): Uint8Array {
  const bytes = Buffer.from(`${name}\0`);
  const fields = [
    "070707",
    octal(0, 6), // device
    octal(inode, 6),
    octal(mode, 6),
    octal(0, 6), // user root
    octal(0, 6), // group wheel
    octal(1, 6), // links
    octal(0, 6), // device number
    octal(mtime, 11),
    octal(bytes.byteLength, 6),
    octal(size, 11),
  ];
  return Buffer.concat([Buffer.from(fields.join("")), bytes]);
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, "0");
}
