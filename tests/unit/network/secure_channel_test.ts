import type { Connection, Libp2p, Stream } from "@libp2p/interface";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { secureChannel } from "../../../src/network/secure_channel.ts";
import { readAll, writeAll } from "../../../src/network/streams.ts";
import { createNode, testWithLibp2p } from "../../support/libp2p_pair.ts";

const PROTOCOL = "/test/channel/1.0";
const LIMITS = { maxBytes: 8 * 1024 * 1024, timeoutMs: 20_000 };
/** Around the longest message, with and without the header of a Yamux frame. */
const SIZES = [1, 65_506, 65_507, 65_508, 65_518, 65_519, 65_520, 65_536, 131_038, 700_000];

async function withNodes(
  run: (ours: Libp2p, other: Libp2p, connection: Connection) => Promise<void>,
  dialler: "ours" | "other" = "ours",
): Promise<void> {
  const ours = await createNode({ connectionEncrypters: [secureChannel()] });
  const other = await createNode();
  try {
    const [from, to] = dialler === "ours" ? [ours, other] : [other, ours];
    await run(ours, other, await from.dial(to.getMultiaddrs()));
  } finally {
    await Promise.all([ours.stop(), other.stop()]);
  }
}

async function echo(stream: Stream): Promise<void> {
  await writeAll(stream, await readAll(stream, LIMITS));
  await stream.close();
}

for (const dialler of ["ours", "other"] as const) {
  testWithLibp2p(
    `secureChannel() carries bytes unchanged, ${dialler} dialling`,
    () =>
      withNodes(async (ours, other, connection) => {
        const listener = dialler === "ours" ? other : ours;
        await listener.handle(PROTOCOL, (stream) => void echo(stream));
        for (const size of SIZES) {
          const bytes = Buffer.alloc(size, String(size));
          const stream = await connection.newStream(PROTOCOL);
          const answer = readAll(stream, LIMITS);
          await writeAll(stream, bytes);
          await stream.close();
          assert.ok(bytes.equals(await answer), `${size} bytes`);
        }
      }, dialler),
  );
}

testWithLibp2p(
  "secureChannel() writes a turn's small frames as one message",
  () =>
    withNodes(async (_ours, other, connection) => {
      const sizes: number[] = [];
      const { maConn } = connection as unknown as {
        maConn: { sendData(data: { byteLength: number }): unknown };
      };
      await other.handle(PROTOCOL, (stream) => void readAll(stream, LIMITS).catch(() => undefined));
      const stream = await connection.newStream(PROTOCOL);
      const sendData = maConn.sendData.bind(maConn);
      maConn.sendData = (data) => {
        sizes.push(data.byteLength);
        return sendData(data);
      };
      for (let count = 0; count < 10; count++) stream.send(Uint8Array.of(count));
      await stream.close();
      assert.ok(sizes.length <= 2, `${sizes.length} messages`);
    }),
);
