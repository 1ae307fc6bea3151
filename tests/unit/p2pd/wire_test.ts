import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import {
  controlAddressText,
  decodeControlAddress,
  encodeControlAddress,
  parseControlAddress,
} from "../../../src/p2pd/wire/control_address.ts";
import { FrameReader, MAX_MESSAGE_BYTES } from "../../../src/p2pd/wire/frames.ts";
import {
  DhtResponse,
  PersistentRequest,
  Request,
  Response,
} from "../../../src/p2pd/wire/messages.ts";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

Deno.test("Response.encode() gives the bytes of contract 3.2", () => {
  assert.equal(hex(Response.encode({ type: 0 })), "020800");
  assert.equal(hex(Response.encode({ type: 0, dht: { type: 0 } })), "0608002a020800");
  assert.equal(hex(DhtResponse.encode({ type: 2 })), "020802");
  assert.equal(hex(Response.encode({ type: 0, pubsub: { topics: [] } })), "0408003a00");
  assert.equal(hex(Response.encode({ type: 0, pubsub: { topics: ["t"] } })), "0708003a030a0174");
  const off = hex(Response.encode({ type: 1, error: { msg: "DHT not enabled" } }));
  assert.equal(off, `150801` + `12110a0f${hex(Buffer.from("DHT not enabled"))}`);
});

Deno.test("FrameReader.next() cuts whatever pieces arrive", () => {
  fc.assert(fc.property(
    fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 }),
    fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 20 }),
    (messages, cuts) => {
      const whole = Buffer.concat(messages.flatMap((message) => {
        const { length } = message;
        const prefix = length < 128 ? [length] : [length & 127 | 128, length >> 7];
        return [Uint8Array.from(prefix), message];
      }));
      const reader = new FrameReader();
      const found: Uint8Array[] = [];
      let turn = 0;
      for (let at = 0; at < whole.length; turn++) {
        const size = cuts[turn % cuts.length] ?? 1;
        reader.push(whole.subarray(at, at + size));
        at += size;
        for (let frame = reader.next(); frame; frame = reader.next()) found.push(frame);
      }
      assert.deepEqual(found.map(hex), messages.map(hex));
    },
  ));
});

Deno.test("FrameReader.next() refuses over-long messages and endless lengths", () => {
  const limit = new FrameReader();
  limit.push(Uint8Array.from([0x80, 0x80, 0x80, 0x02]));
  assert.equal(MAX_MESSAGE_BYTES, 4_194_304);
  assert.equal(limit.next(), undefined);
  const over = new FrameReader();
  over.push(Uint8Array.from([0x81, 0x80, 0x80, 0x02]));
  assert.throws(() => over.next(), { code: "out_of_range" });
  const endless = new FrameReader();
  endless.push(new Uint8Array(11).fill(0x80));
  assert.throws(() => endless.next(), { code: "out_of_range" });
});

Deno.test("decode() of any bytes gives a message or its own error", () => {
  for (const codec of [Request, Response, DhtResponse, PersistentRequest]) {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        codec.decode(bytes);
      } catch (error) {
        assert.equal((error as { code?: string }).code, "invalid_argument");
      }
    }));
  }
});

Deno.test("parseControlAddress() takes every spelling of contract 3.3", () => {
  for (const text of ["/unix/tmp/x.sock", "/unix//tmp/x.sock", "/unix/%2Ftmp%2Fx.sock"]) {
    assert.deepEqual(parseControlAddress(text), { path: "/tmp/x.sock" });
  }
  assert.deepEqual(parseControlAddress("/ip6/::1/tcp/5"), { host: "::1", port: 5, family: 6 });
  for (const text of ["", "/", "/unix/", "/ip4/1.2.3/tcp/1", "/ip4/1.2.3.4/udp/1", "/tmp/x"]) {
    assert.throws(() => parseControlAddress(text), { code: "invalid_argument" });
  }
  for (const text of ["/unix/tmp/x.sock", "/ip4/127.0.0.1/tcp/5005"]) {
    const bytes = encodeControlAddress(parseControlAddress(text));
    assert.equal(controlAddressText(decodeControlAddress(bytes)), text);
  }
  const bare = Uint8Array.from([0x90, 0x03, 5, ...Buffer.from("tmp/x")]);
  assert.deepEqual(decodeControlAddress(bare), { path: "/tmp/x" });
});
