/**
 * The bill of materials of a macOS package: the list of what it installs, in a "BOMStore" of
 * numbered blocks and named trees. Apple documents only the tools, lsbom(8) and mkbom(8); the
 * layout is as other implementations of them agree on it. All numbers are big-endian.
 */
import { Buffer } from "node:buffer";
import { fullMode, type PackageEntry } from "./tree.ts";

const HEADER_BYTES = 512;
const STORE_VERSION = 1;
const TREE_VERSION = 1;
const TREE_PAGE_BYTES = 4_096;
const V_TREE_PAGE_BYTES = 128;
const PAGE_HEADER_BYTES = 12;
/** Kinds of path. */
const FILE = 1;
const FOLDER = 2;
/** What mkbom(8) says of the processor of every path. */
const ANY_ARCHITECTURE = 3;

/** Lists entries, which must come level by level with their names in order, owned by root and wheel. */
export function packBom(entries: readonly PackageEntry[]): Uint8Array {
  const store = new Store();
  store.name("BomInfo", store.add(bomInfo(entries.length)));
  store.name("Paths", addTree(store, pathPage(store, entries), entries.length, TREE_PAGE_BYTES));
  store.name("HLIndex", addEmptyTree(store, TREE_PAGE_BYTES));
  store.name("VIndex", store.add(words([1, addEmptyTree(store, V_TREE_PAGE_BYTES), 0], [0])));
  store.name("Size64", addEmptyTree(store, TREE_PAGE_BYTES));
  return store.pack();
}

/** Blocks, numbered from 1, and the names of some. */
class Store {
  readonly #blocks: Uint8Array[] = [];
  readonly #names: { name: string; block: number }[] = [];

  /** @returns The number of the block. */
  add(bytes: Uint8Array): number {
    return this.#blocks.push(bytes);
  }

  name(name: string, block: number): void {
    this.#names.push({ name, block });
  }

  pack(): Uint8Array {
    const names = this.#names.map(({ name, block }) =>
      Buffer.concat([words([block], [name.length]), Buffer.from(name)])
    );
    const vars = Buffer.concat([words([names.length]), ...names]);
    let offset = HEADER_BYTES + vars.byteLength;
    const table = [0, 0]; // block 0 is no block
    for (const { byteLength } of this.#blocks) {
      table.push(offset, byteLength);
      offset += byteLength;
    }
    const freeList = [0, 0, 0, 0, 0]; // empty, with the room for two that is always there
    const index = words([table.length / 2, ...table, ...freeList]);
    const header = Buffer.alloc(HEADER_BYTES);
    header.write("BOMStore", 0, "latin1");
    const sizes = [offset, index.byteLength, HEADER_BYTES, vars.byteLength];
    header.set(words([STORE_VERSION, this.#blocks.length, ...sizes]), 8);
    return Buffer.concat([header, vars, ...this.#blocks, index]);
  }
}

function bomInfo(paths: number): Uint8Array {
  return words([1, paths + 1, 1, 0, 0, 0, 0]);
}

function addTree(store: Store, page: Uint8Array, count: number, pageBytes: number): number {
  const child = store.add(page);
  const tree = words([TREE_VERSION, child, pageBytes, count], [0]);
  return store.add(Buffer.concat([Buffer.from("tree"), tree]));
}

function addEmptyTree(store: Store, pageBytes: number): number {
  return addTree(store, leafPage([], pageBytes), 0, pageBytes);
}

/** One page is enough: it holds 510 paths. */
function pathPage(store: Store, entries: readonly PackageEntry[]): Uint8Array {
  const ids = new Map(entries.map(({ path }, index) => [path, index + 1]));
  const pairs = entries.map((entry) => {
    const cut = entry.path.lastIndexOf("/");
    const parent = ids.get(entry.path.slice(0, Math.max(cut, 0))) ?? 0;
    const name = Buffer.from(`${entry.path.slice(cut + 1)}\0`);
    const key = store.add(Buffer.concat([words([parent]), name]));
    const details = store.add(pathDetails(entry));
    const value = store.add(words([ids.get(entry.path) ?? 0, details]));
    return [value, key] as const;
  });
  return leafPage(pairs, TREE_PAGE_BYTES);
}

function leafPage(pairs: readonly (readonly [number, number])[], pageBytes: number): Uint8Array {
  const page = Buffer.alloc(Math.max(pageBytes, PAGE_HEADER_BYTES + pairs.length * 8));
  page.writeUInt16BE(1, 0); // a leaf
  page.writeUInt16BE(pairs.length, 2);
  page.set(words(pairs.flat()), PAGE_HEADER_BYTES);
  return page;
}

function pathDetails(entry: PackageEntry): Uint8Array {
  const bytes = Buffer.alloc(31);
  bytes.writeUInt8(entry.content === undefined ? FOLDER : FILE, 0);
  bytes.writeUInt8(1, 1);
  bytes.writeUInt16BE(ANY_ARCHITECTURE, 2);
  bytes.writeUInt16BE(fullMode(entry), 4);
  bytes.writeUInt32BE(0, 6); // user root
  bytes.writeUInt32BE(0, 10); // group wheel
  bytes.writeUInt32BE(entry.mtime, 14);
  bytes.writeUInt32BE(entry.content?.byteLength ?? 0, 18);
  bytes.writeUInt8(1, 22);
  bytes.writeUInt32BE(entry.content === undefined ? 0 : cksum(entry.content), 23);
  bytes.writeUInt32BE(0, 27); // length of a link's target
  return bytes;
}

/** 32-bit words, then single bytes. */
function words(values: readonly number[], bytes: readonly number[] = []): Uint8Array {
  const buffer = Buffer.alloc(values.length * 4 + bytes.length);
  values.forEach((value, index) => buffer.writeUInt32BE(value, index * 4));
  buffer.set(bytes, values.length * 4);
  return buffer;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 24;
  for (let bit = 0; bit < 8; bit += 1) crc = crc < 0 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  return crc >>> 0;
});

/**
 * The checksum of POSIX cksum(1): CRC-32, most significant bit first, over content and length.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(cksum(new TextEncoder().encode("almenad\n")), 3_271_260_416);
 * ```
 */
export function cksum(content: Uint8Array): number {
  let crc = 0;
  for (const byte of content) crc = step(crc, byte);
  for (let length = content.byteLength; length > 0; length = Math.floor(length / 256)) {
    crc = step(crc, length & 0xff);
  }
  return ~crc >>> 0;
}

function step(crc: number, byte: number): number {
  return (crc << 8) ^ (CRC_TABLE[(crc >>> 24) ^ byte] ?? 0);
}
