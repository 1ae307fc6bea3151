/**
 * The xar archive, the container of macOS packages: a header, a zlib-compressed XML table of
 * contents, and a heap of file contents (https://github.com/apple-oss-distributions/xar).
 */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { deflateSync } from "node:zlib";

/** A file of the archive. */
export interface XarFile {
  /** Folders are made as needed. */
  path: string;
  content: Uint8Array;
}

const HEADER_BYTES = 28;
const FORMAT_VERSION = 1;
/** Number of SHA-1 in the header; the only checksum that every version of xar knows. */
const CHECKSUM_SHA1 = 1;
const SHA1_BYTES = 20;

/** Packs files, uncompressed. @param epoch Seconds since 1970 that everything is dated. */
export function packXar(files: readonly XarFile[], epoch: number): Uint8Array {
  const time = new Date(epoch * 1_000).toISOString().replace(/\.\d+Z$/, "Z");
  const root: Folder = { name: "", folders: [], files: [] };
  let offset = SHA1_BYTES; // the heap begins with the checksum of the table
  for (const { path, content } of files) {
    const words = path.split("/");
    const name = words.pop() ?? "";
    folderOf(root, words).files.push({ name, content, offset });
    offset += content.byteLength;
  }
  const numbers = { last: 0 };
  const table = Buffer.from(
    `<?xml version="1.0" encoding="UTF-8"?>\n<xar>\n<toc>\n` +
      `<creation-time>${time.slice(0, -1)}</creation-time>\n` +
      `<checksum style="sha1"><offset>0</offset><size>${SHA1_BYTES}</size></checksum>\n` +
      `${listing(root, time, numbers)}</toc>\n</xar>\n`,
  );
  const compressed = deflateSync(table, { level: 9 });
  return Buffer.concat([
    header(compressed.byteLength, table.byteLength),
    compressed,
    createHash("sha1").update(compressed).digest(),
    ...files.map(({ content }) => content),
  ]);
}

interface Folder {
  name: string;
  folders: Folder[];
  files: { name: string; content: Uint8Array; offset: number }[];
}

function folderOf(root: Folder, words: readonly string[]): Folder {
  let folder = root;
  for (const name of words) {
    let child = folder.folders.find((each) => each.name === name);
    if (child === undefined) folder.folders.push(child = { name, folders: [], files: [] });
    folder = child;
  }
  return folder;
}

function header(compressedBytes: number, tableBytes: number): Uint8Array {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.write("xar!", 0, "latin1");
  bytes.writeUInt16BE(HEADER_BYTES, 4);
  bytes.writeUInt16BE(FORMAT_VERSION, 6);
  bytes.writeBigUInt64BE(BigInt(compressedBytes), 8);
  bytes.writeBigUInt64BE(BigInt(tableBytes), 16);
  bytes.writeUInt32BE(CHECKSUM_SHA1, 24);
  return bytes;
}

function listing(folder: Folder, time: string, numbers: { last: number }): string {
  const files = folder.files.map(({ name, content, offset }) => {
    const sha1 = createHash("sha1").update(content).digest("hex");
    const size = content.byteLength;
    return entry(
      name,
      "file",
      time,
      numbers,
      () =>
        `<data><length>${size}</length><offset>${offset}</offset><size>${size}</size>` +
        `<encoding style="application/octet-stream"/>` +
        `<extracted-checksum style="sha1">${sha1}</extracted-checksum>` +
        `<archived-checksum style="sha1">${sha1}</archived-checksum></data>\n`,
    );
  });
  const folders = folder.folders.map((child) =>
    entry(child.name, "directory", time, numbers, () => listing(child, time, numbers))
  );
  return [...files, ...folders].join("");
}

function entry(
  name: string,
  type: "file" | "directory",
  time: string,
  numbers: { last: number },
  inside: () => string,
): string {
  numbers.last += 1;
  const mode = type === "file" ? "0644" : "0755";
  return `<file id="${numbers.last}"><name>${name}</name><type>${type}</type><mode>${mode}</mode>` +
    `<uid>0</uid><user>root</user><gid>0</gid><group>wheel</group><mtime>${time}</mtime>\n` +
    `${inside()}</file>\n`;
}
