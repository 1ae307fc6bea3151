import assert from "node:assert/strict";
import { positionalPayload, shortName } from "../../../src/cli/commands/call.ts";

const COPY = {
  method: "action:files.copy.input.v1",
  positional: ["sources", "destination"],
  input: { properties: { sources: { type: "array" }, destination: { type: "string" } } },
};

Deno.test("positionalPayload() gives a list what the other fields leave", () => {
  assert.deepEqual(positionalPayload(COPY, ["a", "b", "c"]), {
    sources: ["a", "b"],
    destination: "c",
  });
  assert.deepEqual(positionalPayload(COPY, ["a", "c"]), { sources: ["a"], destination: "c" });
});

Deno.test("positionalPayload() reads numbers and booleans, and leaves text as it is", () => {
  const operation = {
    method: "query:a.b.v1",
    positional: ["count", "name"],
    input: { properties: { count: { type: "number" }, name: { type: "string" } } },
  };
  assert.deepEqual(positionalPayload(operation, ["3", "4"]), { count: 3, name: "4" });
  assert.deepEqual(positionalPayload(operation, ["3"]), { count: 3 });
});

Deno.test("positionalPayload() refuses more words than there are fields", () => {
  const operation = { method: "query:a.b.v1", positional: ["name"], input: {} };
  assert.throws(() => positionalPayload(operation, ["a", "b"]), { code: "invalid_argument" });
});

Deno.test("shortName() drops what the wire adds", () => {
  assert.equal(shortName("query:network.peers.v1"), "network.peers");
  assert.equal(shortName("action:files.copy.input.v1"), "files.copy");
});
