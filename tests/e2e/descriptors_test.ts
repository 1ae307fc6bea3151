/**
 * A descriptor that is closed twice takes with it whatever another thread has opened in between: a
 * database, a file being fetched. Two processes that talk over every kind of local socket close each
 * of theirs once.
 */
import assert from "node:assert/strict";
import { text } from "node:stream/consumers";
import { ask } from "../support/control_calls.ts";
import { runAlmenad, startDaemon } from "../support/daemon.ts";
import { FailedCloses } from "../support/failed_closes.ts";
import { linuxRoot, program, testNeeding } from "../support/needs.ts";
import { P2pd } from "../support/p2pd_process.ts";

const ROUNDS = 40;
const NEEDS = [program("strace"), linuxRoot()];

testNeeding(NEEDS, "the daemon closes no descriptor of its control socket twice", async () => {
  await using daemon = await startDaemon({ args: ["--p2p-listen", "/ip4/127.0.0.1/tcp/0"] });
  const watch = await FailedCloses.watch(daemon.pid);
  for (let round = 0; round < ROUNDS; round++) await ask(daemon.dataDir, "core.status");
  const { code } = await runAlmenad(["status", "--data-dir", daemon.dataDir]);
  assert.equal(code, 0);
  const { closes, failed } = await watch.stop();
  assert.equal(closes > ROUNDS / 2, true, `only ${closes} seen`);
  assert.deepEqual(failed, []);
});

testNeeding(NEEDS, "p2pd closes no descriptor of its clients and programs twice", async () => {
  await using a = await P2pd.start("almenad");
  await using b = await P2pd.start("almenad");
  await a.join(b);
  await b.client.registerStreamHandler(["/reply"], ({ socket }) => {
    const words: string[] = [];
    socket.setEncoding("utf8").on("data", (word) => words.push(word));
    socket.on("end", () => socket.end(`reply to ${words.join("")}`));
  });
  const watches = [
    await FailedCloses.watch(a.process.pid),
    await FailedCloses.watch(b.process.pid),
  ];
  for (let round = 0; round < ROUNDS; round++) {
    const { socket } = await a.client.streamOpen(b.peerId, ["/reply"]);
    socket.end("it");
    assert.equal(await text(socket), "reply to it");
  }
  for (const watch of watches) {
    const { closes, failed } = await watch.stop();
    assert.equal(closes > ROUNDS / 2, true, `only ${closes} seen`);
    assert.deepEqual(failed, []);
  }
});
