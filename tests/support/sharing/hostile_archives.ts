/** Archives that no program would make: they claim what they do not hold. */
import { Buffer } from "node:buffer";
import { crc32, gzipSync } from "node:zlib";

const text = (value: string) => new TextEncoder().encode(value);

/** One header of a tar archive, with whatever size it claims; octal, so below 8 GiB. */
export function tarHeader(name: string, { type = "0", size = 0 } = {}): Uint8Array {
  const block = new Uint8Array(512);
  block.set(text(name));
  block.set(text("0000644\0"), 100);
  block.set(text(`${size.toString(8).padStart(11, "0")}\0`), 124);
  block.set(text(type), 156);
  block.set(text("ustar\u000000"), 257);
  return summed(block);
}

/** A tar.gz of a few bytes whose only file has 10 GiB, as its header says. */
export function hugeTarGz(): Uint8Array {
  const block = tarHeader("zero");
  block.fill(0, 124, 136);
  new DataView(block.buffer).setUint8(124, 0x80); // a binary size follows
  new DataView(block.buffer).setBigUint64(128, BigInt(10 * 1_024 ** 3));
  return gzipSync(summed(block));
}

function summed(block: Uint8Array): Uint8Array {
  block.fill(32, 148, 156);
  const sum = block.reduce((all, byte) => all + byte, 0);
  block.set(text(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
  return block;
}

/** A zip with one stored entry whose central directory says what the caller wants, in 64 bits. */
export function zipSaying(size: bigint, entries: bigint): Uint8Array {
  const name = text("zero");
  const local = new Uint8Array(34);
  local.set([0x50, 0x4b, 3, 4, 45, 0, 0, 0, 8, 0]);
  local.set([4, 0], 26);
  local.set(name, 30);
  const central = new DataView(new ArrayBuffer(46 + 4 + 20));
  central.setUint32(0, 0x02014b50, true);
  central.setUint16(6, 45, true);
  central.setUint16(10, 8, true);
  central.setUint32(20, 2, true);
  central.setUint32(24, 0xffffffff, true);
  central.setUint16(28, 4, true);
  central.setUint16(30, 12, true);
  new Uint8Array(central.buffer).set(name, 46);
  central.setUint16(50, 1, true);
  central.setUint16(52, 8, true);
  central.setBigUint64(54, size, true);
  const end = new DataView(new ArrayBuffer(56 + 20 + 22));
  const at = BigInt(local.byteLength + 2);
  end.setUint32(0, 0x06064b50, true);
  end.setBigUint64(4, 44n, true);
  end.setBigUint64(24, entries, true);
  end.setBigUint64(32, entries, true);
  end.setBigUint64(40, BigInt(central.byteLength), true);
  end.setBigUint64(48, at, true);
  end.setUint32(56, 0x07064b50, true);
  end.setBigUint64(64, at + BigInt(central.byteLength), true);
  end.setUint32(72, 1, true);
  end.setUint32(76, 0x06054b50, true);
  end.setUint16(84, 0xffff, true);
  end.setUint16(86, 0xffff, true);
  end.setUint32(88, 0xffffffff, true);
  end.setUint32(92, 0xffffffff, true);
  const parts = [local, Uint8Array.of(3, 0), central, end];
  return Buffer.concat(parts.map((part) => new Uint8Array(part.buffer)));
}

/** A RAR 2.9 archive of one file that is stored: marker, main header, file header, content, end. */
export function rarOf(name: string, content: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(20 + 32 + name.length + content.byteLength + 7);
  bytes.set([0x52, 0x61, 0x72, 0x21, 0x1a, 0x07, 0x00]);
  bytes.writeUInt8(0x73, 9);
  bytes.writeUInt16LE(13, 12);
  bytes.writeUInt16LE(crc32(bytes.subarray(9, 20)) & 0xffff, 7);
  const at = 20;
  const end = at + 32 + name.length;
  bytes.writeUInt8(0x74, at + 2);
  bytes.writeUInt16LE(0x8000, at + 3);
  bytes.writeUInt16LE(end - at, at + 5);
  bytes.writeUInt32LE(content.byteLength, at + 7);
  bytes.writeUInt32LE(content.byteLength, at + 11);
  bytes.writeUInt8(3, at + 15);
  bytes.writeUInt32LE(crc32(content), at + 16);
  bytes.writeUInt32LE(0x58210000, at + 20);
  bytes.writeUInt8(29, at + 24);
  bytes.writeUInt8(0x30, at + 25);
  bytes.writeUInt16LE(name.length, at + 26);
  bytes.writeUInt32LE(0o100644, at + 28);
  bytes.write(name, at + 32);
  bytes.writeUInt16LE(crc32(bytes.subarray(at + 2, end)) & 0xffff, at);
  bytes.set(content, end);
  bytes.set([0xc4, 0x3d, 0x7b, 0x00, 0x40, 0x07, 0x00], end + content.byteLength);
  return bytes;
}
