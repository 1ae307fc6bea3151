import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { guardedTcp } from "../../../src/network/tcp_transport.ts";
import { type ByteStream, ProtocolStreams } from "../../../src/network/protocol_streams.ts";
import { secureChannel } from "../../../src/network/secure_channel.ts";
import { createNode, testWithLibp2p } from "../../support/libp2p_pair.ts";

const PROTOCOL = "/test/buffers/1";
const PIECE_BYTES = 300_000;
const PIECES = 60;
const STREAMS = 3;

function daemonNode() {
  return createNode({
    connectionEncrypters: [secureChannel()],
    transports: [guardedTcp({ acceptSocket: () => true })],
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

testWithLibp2p(
  "ByteStream.taken() lets buffers be used again while several streams share a full link",
  async () => {
    const [sender, receiver] = await Promise.all([daemonNode(), daemonNode()]);
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
      assert.equal(reused.every((count) => count > 0), true, `${reused} buffers used again`);
    } finally {
      await Promise.all([sender.stop(), receiver.stop()]);
    }
  },
);
