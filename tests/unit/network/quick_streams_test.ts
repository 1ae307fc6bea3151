import type { Connection, Libp2p, Stream } from "@libp2p/interface";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { QuickStreams } from "../../../src/network/quick_streams.ts";
import { readAll, writeAll } from "../../../src/network/streams.ts";
import { createPair, testWithLibp2p } from "../../support/libp2p_pair.ts";

const PROTOCOL = "/test/quick/1.0";
const LIMITS = { maxBytes: 1 << 20, timeoutMs: 10_000 };
const OPTIONS = { maxOutboundStreams: 16 };

interface Fixture {
  readonly listener: Libp2p;
  readonly connection: Connection;
  open(): Promise<Stream>;
}

async function withPair(run: (fixture: Fixture) => Promise<void>): Promise<void> {
  await using pair = await createPair();
  await pair.listener.handle(PROTOCOL, (stream) => void echo(stream));
  const connection = await pair.connect();
  const streams = new QuickStreams({ node: () => pair.dialer });
  const open = () => streams.open(connection, [PROTOCOL], OPTIONS);
  await run({ listener: pair.listener, connection, open });
}

async function echo(stream: Stream): Promise<void> {
  await writeAll(stream, await readAll(stream, LIMITS));
  await stream.close();
}

async function ask(stream: Stream, text: string): Promise<string> {
  const answer = readAll(stream, LIMITS);
  await writeAll(stream, Buffer.from(text));
  await stream.close();
  return Buffer.from(await answer).toString();
}

testWithLibp2p(
  "QuickStreams.open() does not wait for the answer to a protocol agreed before",
  () =>
    withPair(async ({ connection, open }) => {
      let negotiated = 0;
      const { newStream } = connection;
      connection.newStream = (protocols, options) => {
        negotiated++;
        return newStream(protocols, options);
      };
      for (const text of ["first", "second", "third"]) {
        assert.equal(await ask(await open(), text), text);
      }
      assert.equal(negotiated, 1);
      const both = await Promise.all([open(), open()]);
      const texts = ["fourth", "x".repeat(300_000)];
      assert.deepEqual(
        await Promise.all(both.map((one, at) => ask(one, texts[at] ?? ""))),
        texts,
      );
      assert.equal(both[0]?.protocol, PROTOCOL);
    }),
);

testWithLibp2p(
  "QuickStreams.open() breaks a stream whose protocol the peer gave up, then says so",
  () =>
    withPair(async ({ listener, open }) => {
      assert.equal(await ask(await open(), "first"), "first");
      await listener.unhandle(PROTOCOL);
      await assert.rejects(open().then((stream) => ask(stream, "gone")));
      await assert.rejects(open(), { name: "UnsupportedProtocolError" });
    }),
);

testWithLibp2p(
  "QuickStreams.open() keeps the limit of streams",
  () =>
    withPair(async ({ listener, open }) => {
      await listener.handle(PROTOCOL, () => undefined, { force: true, maxInboundStreams: 64 });
      const opened: Stream[] = [];
      for (let count = 0; count < OPTIONS.maxOutboundStreams; count++) opened.push(await open());
      await assert.rejects(open(), { name: "TooManyOutboundProtocolStreamsError" });
      for (const stream of opened) stream.abort(new TypeError("done"));
    }),
);
