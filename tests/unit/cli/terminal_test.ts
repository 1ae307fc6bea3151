import assert from "node:assert/strict";
import { bar, duration, facts, oneLine, paintFor, table } from "../../../src/cli/terminal.ts";

const PLAIN = paintFor({ hasColour: false });

Deno.test("table() makes columns as wide as their widest cell", () => {
  const text = table(["A", "LONGER"], [["wide cell", "x"], ["y", ""]], PLAIN);
  assert.equal(text, "A          LONGER\nwide cell  x\ny");
});

Deno.test("table() lets no cell move the cursor or add a line", () => {
  assert.equal(table(["A"], [["x\n\x1b[31my"]], PLAIN), "A\nx [31my");
});

Deno.test("facts() aligns values", () => {
  assert.equal(facts([["a", "1"], ["long", "2"], ["", "3"]]), "  a     1\n  long  2\n        3");
});

Deno.test("paintFor() colours only where that can be shown", () => {
  assert.equal(PLAIN.red("x"), "x");
  assert.equal(paintFor({ hasColour: true }).red("x"), "\x1b[31mx\x1b[39m");
});

Deno.test("oneLine() takes control characters out", () => {
  assert.equal(oneLine("a\r\nb\tc\u2028d\x07e"), "a b c d e");
});

Deno.test("duration() gives the two largest units", () => {
  const texts = [0, 59.4, 61, 3_700, 90_000].map(duration);
  assert.deepEqual(texts, ["0 s", "59 s", "1 min 1 s", "1 h 1 min", "1 d 1 h"]);
});

Deno.test("bar() stays within its width", () => {
  assert.deepEqual([bar(-1, 2), bar(0.5, 2), bar(9, 2)], ["░░", "█░", "██"]);
});
