/**
 * The byte-moving test protocols, as the Rust peer speaks them (tests/bench/rust/peer/src/transfers.rs):
 * a length of 8 bytes, big-endian, stands first because the Go p2pd loses what comes back after a half-close.
 */
import { Buffer } from "node:buffer";
import { createHash, type Hash } from "node:crypto";
import { type ByteStream, ExactReader } from "./byte_stream.ts";

/** Opener writes a length and that many bytes; the other side answers `{"bytes","sha256"}`; whoever is first closes. */
export const SINK_PROTOCOL = "/almena-test/sink/1.0";
/** Opener writes a length; the other side writes that many bytes and closes. */
export const SOURCE_PROTOCOL = "/almena-test/source/1.0";

/** Opener writes and half-closes; the other side answers with the count (8 bytes, big-endian) and closes. */
export const DISCARD_PROTOCOL = "/almena-test/discard/1.0";

/** Bytes that moved and their digest. */
export interface Moved {
  readonly bytes: number;
  readonly sha256: string;
}

const BLOCK_BYTES = 64 * 1024;

/** Sends `bytes` to a sink; gives what was sent and what the sink says it got. */
export async function sendTo(
  stream: ByteStream,
  bytes: number,
): Promise<{ sent: Moved; answer: Moved }> {
  await stream.write(lengthBytes(bytes));
  const sent = await writePattern(stream, bytes);
  let answer = "";
  while (!answer.endsWith("}")) {
    const part = await stream.read();
    if (!part) break;
    answer += Buffer.from(part).toString();
  }
  stream.close();
  return { sent, answer: JSON.parse(answer) as Moved };
}

/** Reads `bytes` from a source. */
export async function receiveFrom(stream: ByteStream, bytes: number): Promise<Moved> {
  await stream.write(lengthBytes(bytes));
  const received = await readDigest(new ExactReader(stream), bytes);
  stream.close();
  return received;
}

/** The listening side of the sink. */
export async function serveSink(stream: ByteStream): Promise<Moved> {
  const reader = new ExactReader(stream);
  const moved = await readDigest(reader, await takeLength(reader));
  await stream.write(new TextEncoder().encode(JSON.stringify(moved)));
  await stream.closeWrite();
  return moved;
}

/** The listening side of the source. */
export async function serveSource(stream: ByteStream): Promise<Moved> {
  const moved = await writePattern(stream, await takeLength(new ExactReader(stream)));
  await stream.closeWrite();
  return moved;
}

/** Writes the same block over and over, without digests; resolves when the other side has read it all. */
export async function blastTo(stream: ByteStream, bytes: number): Promise<number> {
  const block = new Uint8Array(BLOCK_BYTES).fill(0x5a);
  for (let left = bytes; left > 0; left -= BLOCK_BYTES) {
    await stream.write(left < BLOCK_BYTES ? block.subarray(0, left) : block);
  }
  await stream.closeWrite();
  const count = await takeLength(new ExactReader(stream));
  stream.close();
  return count;
}

/** The listening side of discard. */
export async function serveDiscard(stream: ByteStream): Promise<number> {
  let bytes = 0;
  for (let part = await stream.read(); part; part = await stream.read()) bytes += part.length;
  await stream.write(lengthBytes(bytes));
  await stream.closeWrite();
  return bytes;
}

// Every 64 KiB block differs, so a lost or doubled block changes the digest.
async function writePattern(stream: ByteStream, length: number): Promise<Moved> {
  const pattern = Uint8Array.from({ length: BLOCK_BYTES }, (_, index) => index % 251);
  const hash = createHash("sha256");
  for (let left = length; left > 0; left -= BLOCK_BYTES) {
    // A stream may keep what it was given until it has gone out, so each block is a copy.
    const block = pattern.slice(0, Math.min(left, BLOCK_BYTES));
    if (block.length >= 8) new DataView(block.buffer).setBigUint64(0, BigInt(left));
    hash.update(block);
    await stream.write(block);
  }
  return { bytes: length, sha256: hash.digest("hex") };
}

async function readDigest(reader: ExactReader, limit: number): Promise<Moved> {
  const hash: Hash = createHash("sha256");
  let bytes = 0;
  while (bytes < limit) {
    const part = await reader.read();
    if (!part) break;
    const used = part.subarray(0, Math.min(part.length, limit - bytes));
    hash.update(used);
    bytes += used.length;
  }
  return { bytes, sha256: hash.digest("hex") };
}

async function takeLength(reader: ExactReader): Promise<number> {
  const bytes = await reader.take(8);
  return Number(new DataView(bytes.buffer).getBigUint64(0));
}

function lengthBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length));
  return bytes;
}
