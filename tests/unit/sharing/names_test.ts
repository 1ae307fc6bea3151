import assert from "node:assert/strict";
import {
  compareVersions,
  isItemId,
  isReserved,
  itemPathProblem,
  parseVersion,
  twinKey,
} from "../../../src/sharing/names.ts";

Deno.test("isItemId() takes what contract 5.1 allows, and nothing that is special somewhere", () => {
  for (const id of ["a", "Game-1.2_x", "0".repeat(128)]) assert.equal(isItemId(id), true, id);
  for (const id of ["", ".a", "a/b", "a b", "ä", "con", "nul.txt", "a.", "0".repeat(129), ".."]) {
    assert.equal(isItemId(id), false, id);
  }
});

Deno.test("itemPathProblem() refuses hostile names, 300 of them", () => {
  const bad = [
    "..",
    ".",
    "",
    "CON",
    "prn",
    "Aux.x",
    "nul",
    "com1",
    "LPT9.txt",
    "a:",
    "a\\b",
    "x\0",
    "x.",
  ];
  const more = ["x ", "\u2025", "\uff0f", "a\u0007", "COM\u00b9", "\ud800", "conin$"];
  let count = 0;
  for (const name of [...bad, ...more]) {
    for (
      const shape of [
        "*",
        "a/*",
        "*/a",
        "a/*/b",
        "./*",
        "*/..",
        "/*",
        "a//*",
        "*/*",
        "d/d/d/*",
        "*/x.y",
        "b/c/*",
        "*/b/c",
        "A/*",
        "z z/*",
      ]
    ) {
      assert.notEqual(
        itemPathProblem(shape.replaceAll("*", name), "linux"),
        undefined,
        `${shape} ${name}`,
      );
      count++;
    }
  }
  assert.equal(count >= 300, true);
  for (const good of ["a", "data/x.pak", "ümläut/日本.txt", "a.b.c", "console.txt", "x/local"]) {
    assert.equal(itemPathProblem(good, "linux"), undefined, good);
  }
});

Deno.test("isReserved() knows its names in any case", () => {
  for (const name of ["local", "LOCAL", ".lanspread.json", ".Local.Backup"]) {
    assert.equal(isReserved(name), true);
  }
  // Folded by Unicode's rules, or with characters that show nothing.
  for (
    const name of [".lan\u017fpread.json", "lo\u200dcal", "local\u00ad", ".LAN\u017fPREAD_OWNED"]
  ) {
    assert.equal(isReserved(name), true, JSON.stringify(name));
  }
  assert.equal(isReserved("version.ini"), false);
});

Deno.test("parseVersion() reads version=, else the first line with something in it", () => {
  assert.equal(parseVersion("[x]\nversion= 1.2 \n"), "1.2");
  assert.equal(parseVersion("\n\n 20240101 \nmore"), "20240101");
  assert.equal(parseVersion(""), "");
});

Deno.test("compareVersions() orders by runs of digits, then as text", () => {
  const sorted = ["1.10", "1.9b", "1.9a", "2", "1.9", "", "20240102"].sort(compareVersions);
  assert.deepEqual(sorted, ["", "1.9", "1.9a", "1.9b", "1.10", "2", "20240102"]);
});

Deno.test("twinKey() is the same for names that some file system takes for one", () => {
  const twins = [
    ...[["Read.me", "READ.ME"], ["stra\u00dfe", "STRASSE"], ["\u03a3\u03c2", "\u03c3\u03c3"]],
    ...[["\u212aelvin", "kelvin"], ["caf\u00e9", "cafe\u0301"], ["a\u200bb", "ab"], [
      "\ufb01t",
      "FIT",
    ]],
  ] as const;
  for (const [a, b] of twins) assert.equal(twinKey(a), twinKey(b), `${a} ${b}`);
  for (const [a, b] of [["a", "b"], ["e", "\u00e9"], ["o", "\u00f8"]] as const) {
    assert.notEqual(twinKey(a), twinKey(b), `${a} ${b}`);
  }
});

Deno.test("itemPathProblem() refuses on Windows what may be the short name of another file", () => {
  for (const name of ["LANSPR~1.JSO", "version~1.ini", "LOCAL~2", "a/PROGRA~1/x"]) {
    const refused = itemPathProblem(name, "win32") !== undefined;
    assert.equal(refused, name !== "version~1.ini", name); // nine characters are no short name
    assert.equal(itemPathProblem(name, "linux"), undefined, name);
  }
  assert.equal(itemPathProblem("notes~.txt", "win32"), undefined);
});
