import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { LineReader } from "../../../src/core/mod.ts";

function read(chunks: readonly Uint8Array[], maxBytes = 1_000): string[] {
  const reader = new LineReader(maxBytes);
  const lines: string[] = [];
  const drain = () => {
    for (let line = reader.next(); line !== undefined; line = reader.next()) {
      lines.push(line === "too large" ? "!" : line.toString());
    }
  };
  for (const chunk of chunks) {
    reader.push(Buffer.from(chunk));
    drain();
  }
  reader.end();
  drain();
  return lines;
}

Deno.test("LineReader gives the same lines however the bytes are cut", () => {
  const lines = fc.array(fc.string({ maxLength: 20 }).filter((text) => !text.includes("\n")));
  const cuts = fc.array(fc.nat(200), { maxLength: 20 });
  fc.assert(fc.property(lines, cuts, (texts, places) => {
    const bytes = Buffer.from(texts.map((text) => `${text}\n`).join(""));
    const ends = [...places.filter((place) => place < bytes.length), bytes.length].sort((a, b) =>
      a - b
    );
    const chunks = ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
    assert.deepEqual(read(chunks), texts);
  }));
});

Deno.test("LineReader takes a last line without newline, and gives none for no bytes", () => {
  assert.deepEqual(read([Buffer.from("a\nb")]), ["a", "b"]);
  assert.deepEqual(read([Buffer.from("a\n")]), ["a"]);
  assert.deepEqual(read([]), []);
});

Deno.test("LineReader gives a line of exactly its limit, and nothing after a longer one", () => {
  assert.deepEqual(read([Buffer.from("12345\n6\n")], 5), ["12345", "6"]);
  assert.deepEqual(read([Buffer.from("123456\n6\n")], 5), ["!"]);
  assert.deepEqual(read([Buffer.from("123"), Buffer.from("456"), Buffer.from("\na\n")], 5), ["!"]);
});
