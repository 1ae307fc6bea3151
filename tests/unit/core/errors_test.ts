import assert from "node:assert/strict";
import { DaemonError, messageOf, systemCode, toDaemonError } from "../../../src/core/mod.ts";

Deno.test("DaemonError carries code, message and cause", () => {
  const cause = new TypeError("low");
  const error = new DaemonError("unavailable", "Cannot dial", { cause });
  assert.deepEqual([error.name, error.code, error.message], [
    "DaemonError",
    "unavailable",
    "Cannot dial",
  ]);
  assert.equal(error.cause, cause);
  assert.ok(error instanceof Error);
});

Deno.test("toDaemonError() lets ours through, knows aborts and calls the rest internal", () => {
  const ours = new DaemonError("not_found", "none");
  assert.equal(toDaemonError(ours), ours);
  assert.equal(toDaemonError(new DOMException("stop", "AbortError")).code, "cancelled");
  assert.equal(toDaemonError(AbortSignal.abort().reason).code, "cancelled");
  assert.equal(toDaemonError(new TypeError("slip")).code, "internal");
  assert.equal(toDaemonError("text").message, "text");
  assert.equal(toDaemonError(undefined).message, "undefined");
});

Deno.test("systemCode() finds the system's error name, also underneath", () => {
  const low = Object.assign(new TypeError("denied"), { code: "EACCES" });
  assert.equal(systemCode(low), "EACCES");
  assert.equal(systemCode(new TypeError("outer", { cause: low })), "EACCES");
  for (const failure of [undefined, null, "text", 1, {}, new TypeError("none")]) {
    assert.equal(systemCode(failure), undefined);
  }
});

Deno.test("messageOf() is the message of an error and the text of anything else", () => {
  assert.equal(messageOf(new TypeError("told")), "told");
  assert.equal(messageOf("text"), "text");
  assert.equal(messageOf(null), "null");
});
