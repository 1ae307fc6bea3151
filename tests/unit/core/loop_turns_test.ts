import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { LoopTurns } from "../../../src/core/mod.ts";
import { program, testNeeding } from "../../support/needs.ts";

const MIB = 1_048_576;
const MODULE = import.meta.resolve("../../../src/core/loop_turns.ts");

/** Two ends of a TCP connection on this machine. */
async function socketPair(): Promise<AsyncDisposable & { near: Socket; far: Socket }> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const near = connect(port, "127.0.0.1");
  const [[far]] = await Promise.all([once(server, "connection"), once(near, "connect")]);
  return {
    ...{ near, far },
    async [Symbol.asyncDispose]() {
      const closed = [near, far].map((socket) => once(socket, "close"));
      near.destroy();
      far.destroy();
      await Promise.all(closed);
      server.close();
      await once(server, "close");
    },
  };
}

Deno.test("LoopTurns.handled() says when much was moved in a short time, and not before", async () => {
  const turns = new LoopTurns();
  turns.handled(2 * MIB); // the first measure begins here
  assert.equal(turns.handled(MIB), false);
  assert.equal(turns.handled(MIB), true);
  const turn = turns.turn();
  assert.equal(turns.handled(1), true, "while a turn is under way everybody waits for it");
  await turn;
  assert.equal(turns.handled(MIB), false, "then it begins anew");
  await turns.close();
});

Deno.test("LoopTurns.turn() resolves after what waited on other sockets was told", async () => {
  await using pair = await socketPair();
  const turns = new LoopTurns();
  await turns.turn(); // its own socket is there now
  let isTold = false;
  pair.far.on("data", () => isTold = true);
  pair.near.write("x");
  const turn = turns.turn();
  assert.equal(turns.turn(), turn, "one turn serves everybody");
  await turn;
  assert.equal(isTold, true);
  await turns.close();
});

Deno.test("LoopTurns.close() ends a turn that is under way, and there are no more", async () => {
  const turns = new LoopTurns();
  const turn = turns.turn();
  await turns.close();
  await turn;
  await turns.turn();
  await turns.close();
});

testNeeding(
  [program("sh")],
  "LoopTurns.turn() resolves where there is no descriptor for a socket",
  async () => {
    const script = `
    const { LoopTurns } = await import(${JSON.stringify(MODULE)});
    await new LoopTurns().turn(); // everything is loaded
    const files = [];
    try { for (;;) files.push(Deno.openSync("/dev/null")); } catch { /* there are no more */ }
    const turns = new LoopTurns();
    await turns.turn();
    await turns.turn();
    await turns.close();
    console.log("went on");
    Deno.exit(0);
  `;
    const command = `ulimit -n 64 && exec "$0" eval '${script.replaceAll("'", "'\\''")}'`;
    const { stdout, stderr } = await new Deno.Command("sh", {
      args: ["-c", command, Deno.execPath()],
    }).output();
    const text = new TextDecoder();
    assert.equal(text.decode(stdout).trim(), "went on", text.decode(stderr));
  },
);
