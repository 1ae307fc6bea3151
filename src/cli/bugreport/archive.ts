import { Buffer } from "node:buffer";
import { promisify } from "node:util";
import { gzip } from "node:zlib";

/** One file of an archive. */
export interface ArchiveFile {
  /** With `/` between folders. */
  readonly name: string;
  readonly text: string;
}

/** POSIX.1-1988 (ustar), section 10.1.1: everything comes in blocks of so many bytes. */
const BLOCK = 512;

/** The files as one .tar.gz, readable for its owner alone once it is unpacked. */
export async function tarGz(files: readonly ArchiveFile[], nowMs: number): Promise<Uint8Array> {
  const blocks = files.flatMap(({ name, text }) => {
    const bytes = Buffer.from(text);
    const padding = Buffer.alloc((BLOCK - bytes.byteLength % BLOCK) % BLOCK);
    return [header(name, bytes.byteLength, nowMs), bytes, padding];
  });
  return await promisify(gzip)(Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]));
}

function header(name: string, size: number, nowMs: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, width: number) => value.toString(8).padStart(width - 1, "0");
  block.write(name, 0, 100);
  block.write(octal(0o600, 8), 100);
  block.write(octal(0, 8), 108);
  block.write(octal(0, 8), 116);
  block.write(octal(size, 12), 124);
  block.write(octal(Math.floor(nowMs / 1_000), 12), 136);
  block.write(" ".repeat(8), 148); // counts as blanks in its own sum
  block.write("0", 156);
  block.write("ustar\0" + "00", 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${octal(sum, 7)}\0 `, 148);
  return block;
}
