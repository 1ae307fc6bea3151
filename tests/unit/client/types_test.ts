/** What the compiler knows of calls; `deno task check` is the test. */
import assert from "node:assert/strict";
import type { Client } from "../../../src/client/mod.ts";

// Never called: only its types are looked at.
async function calls(client: Client): Promise<void> {
  const { peers } = await client.query("network.peers", { connected: true });
  const id: string | undefined = peers[0]?.peer_id;
  const { libraries, offline } = await client.query("libraries.list");
  const open: boolean | undefined = libraries[0]?.is_open;
  const isOffline: true | undefined = offline;
  const version = await client.call("query:core.version.v1");
  const text: string = version.version;
  const [status, made] = await client.batch([
    { method: "query:core.status.v1" },
    { method: "action:libraries.create.input.v1", payload: { name: "a" } },
  ]);
  if (status.ok) text.concat(status.value.peer_id);
  if (made.ok) text.concat(made.value.dir);
  for await (const job of client.stream("jobs.watch", { job_id: "a" })) text.concat(job.status);
  // @ts-expect-error: there is no such query
  await client.query("network.nonsense");
  // @ts-expect-error: an action is no query
  await client.query("libraries.create", { name: "a" });
  // @ts-expect-error: it needs a name
  await client.action("libraries.create");
  // @ts-expect-error: not a number
  await client.action("network.ping", { peer_id: 1 });
  // @ts-expect-error: not an operation
  await client.batch([{ method: "query:core.nonsense.v1" }]);
  // @ts-expect-error: no kind of event
  client.subscribe({ types: ["Nonsense"] });
  void [id, open, isOffline];
}

Deno.test("Client calls are typed by the operations", () => {
  assert.equal(typeof calls, "function");
});
