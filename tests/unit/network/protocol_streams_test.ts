import assert from "node:assert/strict";
import type { Libp2p } from "@libp2p/interface";
import { Buffer } from "node:buffer";
import { LoopTurns } from "../../../src/core/mod.ts";
import { guardedTcp } from "../../../src/network/tcp_transport.ts";
import type { ByteStream } from "../../../src/network/byte_stream.ts";
import { ProtocolStreams } from "../../../src/network/protocol_streams.ts";
import { secureChannel } from "../../../src/network/secure_channel.ts";
import { createNode, testWithLibp2p } from "../../support/libp2p_pair.ts";

const PROTOCOL = "/test/buffers/1";
const PIECE_BYTES = 300_000;
const PIECES = 60;
const STREAMS = 3;

/** Stops for every piece, as on the busiest machine. */
class EveryTurn extends LoopTurns {
  override handled(): boolean {
    return true;
  }
}

function daemonNode(turns = new LoopTurns()) {
  return createNode({
    connectionEncrypters: [secureChannel()],
    transports: [guardedTcp({ acceptSocket: () => true, turns })],
  });
}

/** Every piece is filled with its own number, in the same buffer wherever the stream has taken it. */
async function sendPieces(stream: ByteStream): Promise<number> {
  let buffer = Buffer.alloc(PIECE_BYTES);
  let reused = 0;
  for (let piece = 1; piece <= PIECES; piece++) {
    buffer.fill(piece);
    await stream.write(buffer);
    if (await stream.taken()) reused++;
    else buffer = Buffer.alloc(PIECE_BYTES);
  }
  await stream.closeWrite();
  return reused;
}

async function readPieces(stream: ByteStream): Promise<number> {
  let at = 0;
  for (let bytes = await stream.read(); bytes; bytes = await stream.read()) {
    for (const byte of bytes) {
      const expected = Math.floor(at++ / PIECE_BYTES) + 1;
      if (byte !== expected) assert.fail(`byte ${at} is ${byte}, not ${expected}`);
    }
  }
  return at;
}

/** @returns How many buffers each stream used again. */
async function sendOverAFullLink(turns: LoopTurns[]): Promise<number[]> {
  const [sender, receiver] = await Promise.all(turns.map(daemonNode)) as [Libp2p, Libp2p];
  try {
    const received: Promise<number>[] = [];
    const theirs = new ProtocolStreams({ node: () => receiver });
    await theirs.handle(PROTOCOL, { maxStreams: 8, maxUnreadBytes: 2 ** 30 }, async (stream) => {
      const reading = readPieces(stream);
      received.push(reading);
      await reading;
    });
    await sender.dial(receiver.getMultiaddrs());
    const ours = new ProtocolStreams({ node: () => sender });
    const init = { signal: AbortSignal.timeout(30_000), maxUnreadBytes: 65_536 };
    const peerId = receiver.peerId.toString();
    const reused = await Promise.all(Array.from({ length: STREAMS }, async () => {
      return await sendPieces(await ours.open(peerId, PROTOCOL, init));
    }));
    while (received.length < STREAMS) await new Promise((resolve) => setTimeout(resolve, 10));
    assert.deepEqual(await Promise.all(received), Array(STREAMS).fill(PIECE_BYTES * PIECES));
    return reused;
  } finally {
    await Promise.all([sender.stop(), receiver.stop(), ...turns.map((one) => one.close())]);
  }
}

testWithLibp2p(
  "ByteStream.taken() lets buffers be used again while several streams share a full link",
  async () => {
    const reused = await sendOverAFullLink([new LoopTurns(), new LoopTurns()]);
    assert.equal(reused.every((count) => count > 0), true, `${reused} buffers used again`);
  },
);

testWithLibp2p(
  "guardedTcp() loses nothing where each piece read or written is followed by a pause",
  async () => void await sendOverAFullLink([new EveryTurn(), new EveryTurn()]),
);

/** Some pieces of it have their buffers to themselves, which are freed once they are read. */
const LONG_BYTES = 2 ** 20;

/** What each kind of answer does with a stream, by its first byte. */
const ANSWERS: readonly ((stream: ByteStream) => Promise<void>)[] = [
  async (stream) => {
    await stream.write(Buffer.alloc(100_000, 1));
    await stream.write(Buffer.alloc(100_000, 2));
    await stream.closeWrite();
  },
  (stream) => Promise.resolve(stream.abort(new Error("no"))),
  () => new Promise(() => undefined),
  async (stream) => {
    await stream.write(Buffer.alloc(LONG_BYTES, 3));
    await stream.closeWrite();
  },
];

testWithLibp2p(
  "ByteStream.fill() takes what was asked for, tells of an end, of a broken stream and of a signal",
  async () => {
    const turns = new LoopTurns();
    const [sender, receiver] = await Promise.all([daemonNode(turns), daemonNode(turns)]);
    try {
      const theirs = new ProtocolStreams({ node: () => receiver });
      await theirs.handle(PROTOCOL, { maxStreams: 8, maxUnreadBytes: 65_536 }, async (stream) => {
        const kind = (await stream.read())?.[0] ?? 0;
        await ANSWERS[kind]?.(stream);
      });
      await sender.dial(receiver.getMultiaddrs());
      const ours = new ProtocolStreams({ node: () => sender });
      const signal = AbortSignal.timeout(30_000);
      const ask = async (kind: number) => {
        const init = { signal, maxUnreadBytes: 1_000_000 };
        const stream = await ours.open(receiver.peerId.toString(), PROTOCOL, init);
        await stream.write(Uint8Array.of(kind));
        return stream;
      };
      const stream = await ask(0);
      const buffer = new Uint8Array(150_000);
      let told = 0;
      assert.equal(await stream.fill(buffer, signal, (bytes) => told += bytes), buffer.byteLength);
      assert.equal(told, buffer.byteLength);
      assert.deepEqual([buffer[99_999], buffer[100_000], buffer.at(-1)], [1, 2, 2]);
      const rest = new Uint8Array(60_000);
      assert.equal(await stream.fill(rest, signal), 50_000, "what did not fit was kept");
      assert.deepEqual([rest[0], rest[49_999], rest[50_000]], [2, 2, 0]);
      assert.equal(await stream.read(), undefined);

      const long = await ask(3);
      told = 0;
      await long.fill(new Uint8Array(LONG_BYTES), signal, (bytes) => told += bytes);
      assert.equal(told, LONG_BYTES, "each part is told of");

      await assert.rejects((await ask(1)).fill(rest, signal), { code: "aborted" });
      const silent = await ask(2);
      const failure = new Error("enough");
      await assert.rejects(
        silent.fill(rest, AbortSignal.any([aborting(failure), signal])),
        failure,
      );
      silent.abort(failure);

      const thrower = await ask(0);
      const throwing = thrower.fill(buffer, signal, () => {
        throw failure;
      });
      await assert.rejects(throwing, /enough/);
      thrower.abort(failure);
    } finally {
      await Promise.all([sender.stop(), receiver.stop(), turns.close()]);
    }
  },
);

function aborting(reason: Error): AbortSignal {
  const abort = new AbortController();
  setTimeout(() => abort.abort(reason), 20);
  return abort.signal;
}

testWithLibp2p(
  "ProtocolStreams.open() has a peer wait that sends faster than is read, and loses nothing",
  async () => {
    const turns = new LoopTurns();
    const [sender, receiver] = await Promise.all([daemonNode(turns), daemonNode(turns)]);
    try {
      const total = 30 * 1_048_576;
      let sent = 0;
      const theirs = new ProtocolStreams({ node: () => sender });
      await theirs.handle(PROTOCOL, { maxStreams: 8, maxUnreadBytes: 65_536 }, async (stream) => {
        for (; sent < total; sent += 65_536) await stream.write(Buffer.alloc(65_536, sent >> 20));
        await stream.closeWrite();
      });
      await receiver.dial(sender.getMultiaddrs());
      const ours = new ProtocolStreams({ node: () => receiver });
      const signal = AbortSignal.timeout(30_000);
      const init = { signal, maxUnreadBytes: 4_194_304, paceBytes: 524_288 };
      const stream = await ours.open(sender.peerId.toString(), PROTOCOL, init);
      for (let before = -1; before !== sent;) {
        before = sent;
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
      assert.equal(sent >= 524_288 && sent <= 4_194_304, true, `${sent} bytes ahead of the reader`);
      let at = 0;
      for (let bytes = await stream.read(signal); bytes; bytes = await stream.read(signal)) {
        if (bytes[0] !== at >> 20) assert.fail(`byte ${at} is ${bytes[0]}`);
        at += bytes.byteLength;
      }
      assert.equal(at, total);
    } finally {
      await Promise.all([sender.stop(), receiver.stop(), turns.close()]);
    }
  },
);
