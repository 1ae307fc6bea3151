import assert from "node:assert/strict";
import { Client, ControlError, NotRunningError } from "../../../src/client/mod.ts";
import { ScriptedDaemon } from "../../support/scripted_daemon.ts";

const ACTION = "action:libraries.create.input.v1";

Deno.test("Client asks a query again whose connection broke, contract 2.6", async () => {
  await using daemon = await ScriptedDaemon.start((_line, socket, connection) => {
    if (connection > 2) return '{"JsonOk":{"operations":[]}}';
    socket.destroy();
    return undefined;
  });
  await using client = new Client({ socket: daemon.path });
  assert.deepEqual(await client.query("core.operations"), { operations: [] });
  assert.equal(daemon.lines.length, 3);
});

Deno.test("Client gives a query up after three more tries", async () => {
  await using daemon = await ScriptedDaemon.start((_line, socket) => void socket.destroy());
  await using client = new Client({ socket: daemon.path });
  await assert.rejects(client.query("core.version"), { errorClass: "ReadError" });
  assert.equal(daemon.lines.length, 4);
});

Deno.test("Client never sends an action twice", async () => {
  await using daemon = await ScriptedDaemon.start((_line, socket) => void socket.destroy());
  await using client = new Client({ socket: daemon.path });
  await assert.rejects(client.callByName(ACTION, { name: "a" }), (failure: unknown) => {
    assert.ok(failure instanceof ControlError);
    assert.match(failure.message, /may have happened or not/);
    return true;
  });
  const batch = client.batch([{ method: ACTION, payload: { name: "a" } }]);
  await assert.rejects(batch, { errorClass: "ReadError" });
  await assert.rejects(client.shutDown(), { errorClass: "ReadError" });
  assert.equal(daemon.lines.length, 3);
});

Deno.test("Client waits for a daemon that refuses at first, an action as well", async () => {
  await using daemon = await ScriptedDaemon.start(() => '{"JsonOk":{}}', { listens: false });
  await leaveStaleSocket(daemon.path);
  await using client = new Client({ socket: daemon.path });
  const answer = client.callByName(ACTION, { name: "a" });
  setTimeout(async () => {
    await Deno.remove(daemon.path);
    await daemon.listen();
  }, 100);
  assert.deepEqual(await answer, {});
  assert.equal(daemon.lines.length, 1);
});

Deno.test("Client tells a socket without a daemon within a second", async () => {
  await using daemon = await ScriptedDaemon.start(() => undefined, { listens: false });
  await leaveStaleSocket(daemon.path);
  await using client = new Client({ socket: daemon.path });
  const begun = performance.now();
  await assert.rejects(client.ping(), (failure: unknown) => {
    assert.ok(failure instanceof NotRunningError);
    assert.match(failure.message, /not accepting connections/);
    return true;
  });
  assert.ok(performance.now() - begun < 1_000);
});

Deno.test("Client refuses an answer that is no JSON", async () => {
  await using daemon = await ScriptedDaemon.start(() => "<html>");
  await using client = new Client({ socket: daemon.path });
  await assert.rejects(client.callByName(ACTION, {}), { errorClass: "ReadError" });
});

Deno.test("Client keeps answers in their order behind one that nobody wants", async () => {
  const held: (() => void)[] = [];
  await using daemon = await ScriptedDaemon.start((line, socket) => {
    const { number } = JSON.parse(line).Query.payload;
    const answer = `{"JsonOk":{"number":${number}}}`;
    if (number > 0) return answer;
    held.push(() => socket.write(`${answer}\n`));
    return undefined;
  });
  await using client = new Client({ socket: daemon.path, maxConnections: 1 });
  const first = client.callByName("query:a.b.v1", { number: 0 }, { timeoutMs: 60 });
  await assert.rejects(first, { code: "deadline_exceeded" });
  held[0]?.(); // too late: it must not be taken for the next answer
  assert.deepEqual(await client.callByName("query:a.b.v1", { number: 1 }), { number: 1 });
});

// A socket nobody listens on, as a daemon leaves that was killed. A second name keeps it there.
async function leaveStaleSocket(path: string): Promise<void> {
  const listener = Deno.listen({ transport: "unix", path: `${path}.first` });
  await Deno.link(`${path}.first`, path);
  listener.close();
}
