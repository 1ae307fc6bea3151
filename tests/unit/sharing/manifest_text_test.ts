/** Long answers that come in pieces of any size. */
import assert from "node:assert/strict";
import process from "node:process";
import { readListMessage } from "../../../src/sharing/manifest_text.ts";
import { FrameReader, varint } from "../../../src/sharing/messages.ts";

/** A stream of pieces; undefined once there are no more. */
function streamOf(next: () => Uint8Array | undefined) {
  const read = () => Promise.resolve(next());
  const fill = (buffer: Uint8Array) => {
    let filled = 0;
    for (let bytes; filled < buffer.byteLength && (bytes = next()); filled += bytes.byteLength) {
      assert.equal(bytes.byteLength <= buffer.byteLength - filled, true);
      buffer.set(bytes, filled);
    }
    return Promise.resolve(filled);
  };
  return { read, fill };
}

const signal = new AbortController().signal;

async function read(text: string, cuts: readonly number[]) {
  const bytes = new TextEncoder().encode(text);
  const parts = [varint(bytes.byteLength)];
  for (const [index, cut] of cuts.entries()) parts.push(bytes.slice(cuts[index - 1] ?? 0, cut));
  parts.push(bytes.slice(cuts.at(-1) ?? 0));
  const queue = parts.filter(({ byteLength }) => byteLength > 0);
  const entries: unknown[] = [];
  const reader = new FrameReader(streamOf(() => queue.shift()));
  const rest = await readListMessage(reader, signal, (entry) => entries.push(entry));
  return { entries, rest };
}

Deno.test("readListMessage() takes the first list alone, wherever its bytes are cut", async () => {
  const text = '{"Games":[{"a":[1,"]"]},{"b":{}}],"more":[{"c":{"d":[{}]}}],"n":1}';
  const rest = { Games: [], more: [{ c: { d: [{}] } }], n: 1 };
  for (let cut = 1; cut < text.length; cut++) {
    assert.deepEqual(await read(text, [cut]), { entries: [{ a: [1, "]"] }, { b: {} }], rest });
  }
  const each = Array.from({ length: text.length - 1 }, (_, index) => index + 1);
  assert.deepEqual((await read(text, each)).rest, rest);
});

Deno.test("readListMessage() keeps an entry that comes byte by byte in little memory", async () => {
  const length = 300_000;
  let sent = 0;
  let most = 0;
  const before = process.memoryUsage().heapUsed;
  const head = [varint(length + 100), new TextEncoder().encode('{"Games":[{"a":"')];
  const reader = new FrameReader(streamOf(() => {
    if (sent++ % 50_000 === 0) most = Math.max(most, process.memoryUsage().heapUsed - before);
    if (sent > length) return undefined;
    return head.shift() ?? Uint8Array.of(120);
  }));
  await assert.rejects(readListMessage(reader, signal, () => undefined), { code: "data_loss" });
  assert.equal(most < 100e6, true, `${Math.round(most / 1e6)} MB for ${length} bytes`);
});
