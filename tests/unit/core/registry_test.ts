import assert from "node:assert/strict";
import * as z from "zod";
import { DaemonError, OperationRegistry, query, wireName } from "../../../src/core/mod.ts";

interface Parts {
  greeting: string;
}

const greet = query({
  name: "test.greet",
  summary: "Greets",
  input: z.strictObject({ name: z.string().max(5) }),
  output: z.object({ text: z.string() }),
  run: ({ name }, { greeting }: Parts) => ({ text: `${greeting} ${name}` }),
});
const hang = query({
  name: "test.hang",
  summary: "Never answers",
  input: z.strictObject({}),
  output: z.object({}),
  run: (_input, _parts: Parts, { signal }) =>
    new Promise<Record<string, never>>((_, reject) =>
      signal.addEventListener("abort", () => reject(signal.reason))
    ),
});
const long = { ...hang, name: "test.long", callTimeoutMs: 40 };
const fail = query({
  name: "test.fail",
  summary: "Throws what it is told",
  input: z.strictObject({ isOurs: z.boolean() }),
  output: z.object({}),
  run: ({ isOurs }, _parts: Parts): Record<string, never> => {
    throw isOurs ? new DaemonError("not_found", "no such thing") : new RangeError("a slip");
  },
});

interface Call {
  operation: string;
  outcome: string;
  durationMs: number;
}

function registry(init: { callTimeoutMs?: number } = {}) {
  const calls: Call[] = [];
  const made = new OperationRegistry({ greeting: "hello" }, [greet, hang, long, fail], {
    ...init,
    onCall: (call) => calls.push(call),
  });
  const call = (name: string, input: unknown, signal = new AbortController().signal) =>
    made.call(name, input, { signal });
  return { registry: made, calls, call };
}

Deno.test("wireName() is kind, name and version", () => {
  assert.equal(wireName(greet), "query:test.greet.v1");
});

Deno.test("OperationRegistry.call() runs the operation with its components", async () => {
  const { call, calls } = registry();
  assert.deepEqual(await call("query:test.greet.v1", { name: "Ada" }), { text: "hello Ada" });
  assert.equal(calls.length, 1);
  assert.equal(calls[0]!.operation, "query:test.greet.v1");
  assert.equal(calls[0]!.outcome, "ok");
  assert.ok(calls[0]!.durationMs >= 0);
});

Deno.test("OperationRegistry.call() refuses an unknown name", async () => {
  const { call } = registry();
  for (const name of ["query:test.greet.v2", "test.greet", "", "__proto__", "query:nothing.v1"]) {
    await assert.rejects(call(name, {}), { code: "unimplemented", message: /no such operation/ });
  }
});

Deno.test("OperationRegistry.call() checks the input and says which field is wrong", async () => {
  const { call, calls } = registry();
  const bad = [undefined, null, [], "Ada", {}, { name: 1 }, { name: "Abigail" }, {
    name: "Ada",
    other: 1,
  }];
  for (const input of bad) {
    await assert.rejects(call("query:test.greet.v1", input), { code: "invalid_argument" });
  }
  await assert.rejects(call("query:test.greet.v1", { name: 1 }), { message: /name/ });
  assert.ok(calls.every(({ outcome }) => outcome === "invalid_argument"));
});

Deno.test("OperationRegistry.call() lets a DaemonError through and wraps everything else", async () => {
  const { call, calls } = registry();
  await assert.rejects(call("query:test.fail.v1", { isOurs: true }), { code: "not_found" });
  await assert.rejects(
    call("query:test.fail.v1", { isOurs: false }),
    (failure: DaemonError) => {
      assert.ok(failure instanceof DaemonError);
      assert.equal(failure.code, "internal");
      assert.equal(failure.message, "a slip");
      assert.ok(failure.cause instanceof RangeError);
      return true;
    },
  );
  assert.deepEqual(calls.map(({ outcome }) => outcome), ["not_found", "internal"]);
});

Deno.test("OperationRegistry.call() ends a call that takes too long", async () => {
  const { call } = registry({ callTimeoutMs: 20 });
  await assert.rejects(call("query:test.hang.v1", {}), {
    code: "deadline_exceeded",
    message: /within 20 ms/,
  });
});

Deno.test("OperationRegistry.call() lets an operation name its own limit", async () => {
  for (const callTimeoutMs of [20, 30_000]) {
    const { call } = registry({ callTimeoutMs });
    await assert.rejects(call("query:test.long.v1", {}), { message: /within 40 ms/ });
  }
});

Deno.test("OperationRegistry.call() reports a caller that went away as cancelled", async () => {
  const { call } = registry();
  const controller = new AbortController();
  const answer = call("query:test.hang.v1", {}, controller.signal);
  controller.abort();
  await assert.rejects(answer, { code: "cancelled" });
});

Deno.test("OperationRegistry refuses two operations of one name", () => {
  assert.throws(() => new OperationRegistry({ greeting: "" }, [greet, greet]), {
    code: "already_exists",
    message: /"query:test.greet.v1"/,
  });
});

Deno.test("OperationRegistry.list() gives all in the order of declaration", () => {
  const names = registry().registry.list().map(({ name }) => name);
  assert.deepEqual(names, ["test.greet", "test.hang", "test.long", "test.fail"]);
});
