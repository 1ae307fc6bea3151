import assert from "node:assert/strict";
import * as z from "zod";
import { GrpcServer } from "../../../src/api/mod.ts";
import { Health, OperationRegistry, query } from "../../../src/core/mod.ts";
import { GrpcClient } from "../../support/grpc_client.ts";
import { waitFor } from "../../support/wait.ts";

interface Witness {
  signals: AbortSignal[];
  answer: Promise<{ message: string }>;
}

/** A server whose Ping answers when it is told to, and remembers the signal of each call. */
async function serve(witness: Witness) {
  const operation = query({
    name: "core.ping",
    rpc: "Ping",
    summary: "Answers",
    input: z.strictObject({}),
    output: z.object({ message: z.string() }),
    run: (_input, seen: Witness, { signal }) => {
      seen.signals.push(signal);
      return seen.answer;
    },
  });
  const server = new GrpcServer({
    registry: new OperationRegistry(witness, [operation]),
    health: new Health([]),
  }, { hosts: ["127.0.0.1"], port: 0, isDefault: false, allowRemote: false, maxConnections: 8 });
  await server.start();
  return server;
}

Deno.test("GrpcServer aborts no signal of a call that was answered", async () => {
  const witness: Witness = { signals: [], answer: Promise.resolve({ message: "pong" }) };
  const server = await serve(witness);
  const client = new GrpcClient(server.addresses()[0] ?? "");
  for (let call = 0; call < 20; call++) {
    assert.deepEqual(await client.call("Ping"), { message: "pong" });
  }
  client[Symbol.dispose]();
  await waitFor("end of the connection", () => server.connections().open === 0);
  await server.stop();
  assert.deepEqual(witness.signals.map(({ aborted }) => aborted), Array(20).fill(false));
});

Deno.test("GrpcServer aborts the signal of a call whose caller goes away", async () => {
  const answer = Promise.withResolvers<{ message: string }>();
  const witness: Witness = { signals: [], answer: answer.promise };
  const server = await serve(witness);
  const client = new GrpcClient(server.addresses()[0] ?? "");
  const failed = client.call("Ping", {}, undefined, 300).catch(({ code }) => code);
  const signal = await waitFor("call", () => witness.signals[0]);
  await waitFor("abort", () => signal.aborted);
  answer.resolve({ message: "too late" });
  assert.equal(await failed, 4); // DEADLINE_EXCEEDED
  client[Symbol.dispose]();
  await server.stop();
});
