/** Programs that start a p2pd themselves, and what becomes of their calls. */
import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import {
  type P2PClient,
  P2PDaemon,
  ProcessError,
  TimeoutError,
} from "../../src/p2pd/client/mod.ts";
import { almenadCommand } from "../support/daemon.ts";
import { LineProcess } from "../support/line_process.ts";
import { P2pd } from "../support/p2pd_process.ts";
import { tempFolder } from "../support/temp_folder.ts";
import { waitFor } from "../support/wait.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const bytes = (text: string) => new TextEncoder().encode(text);

function builder(folder: string) {
  return P2PDaemon.builder().command(...almenadCommand(), "p2pd")
    .listen(`/unix${folder}/p2pd.sock`).hostAddrs(["/ip4/127.0.0.1/tcp/0"]);
}

// Five seconds are promised on a machine that does nothing else.
async function clientOf(daemon: P2PDaemon): Promise<P2PClient> {
  return await waitFor("an answer of the daemon", async () => {
    try {
      return await daemon.client();
    } catch (failure) {
      if (failure instanceof TimeoutError) return undefined;
      throw failure;
    }
  }, 30_000);
}

Deno.test("P2PDaemon.spawn() starts a process, client() waits for it, wait() tells how it was killed", async () => {
  const folder = await Deno.makeTempDir({ prefix: "p2pd-" });
  await using daemon = await builder(folder).dht().spawn();
  const client = await clientOf(daemon);
  assert.match(await client.identify(), /^12D3Koo/);
  assert.equal(daemon.isRunning, true);
  Deno.kill(daemon.pid, "SIGKILL");
  const { code, signal } = await daemon.wait();
  assert.ok(signal === "SIGKILL" || code === 137, `${code} ${signal}`);
  assert.equal(daemon.isRunning, false);
  await client.close();
  await Deno.remove(folder, { recursive: true });
});

Deno.test("P2PDaemon.shutdown() ends it in order, wait() gives its exit code", async () => {
  const folder = await Deno.makeTempDir({ prefix: "p2pd-" });
  const daemon = await builder(folder).spawn();
  await clientOf(daemon);
  const waiting = daemon.wait();
  assert.equal((await daemon.shutdown()).code, 0);
  assert.equal((await waiting).code, 0);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("P2PDaemon.client() passes on what a daemon said that could not start", async () => {
  const folder = await Deno.makeTempDir({ prefix: "p2pd-" });
  await using daemon = await builder(folder).command(...almenadCommand(), "p2pd", "-nonsense")
    .spawn();
  await assert.rejects(clientOf(daemon), (failure) => {
    assert.ok(failure instanceof ProcessError);
    assert.match(failure.message, /exit code 2.*-nonsense/s);
    return true;
  });
  await Deno.remove(folder, { recursive: true });
});

Deno.test("p2pd DHT PUT to a peer that answers nothing ends with its timeout", async () => {
  await using ours = await P2pd.start("almenad", { flags: ["-dhtServer"] });
  await using silent = await P2pd.start("almenad", { flags: ["-dhtServer"] });
  await ours.join(silent);
  await waitFor(
    "the routing table",
    async () => (await ours.client.dhtClosestPeers(bytes("/a/b"))).length > 0,
  );
  Deno.kill(silent.process.pid, "SIGSTOP");
  const begun = performance.now();
  await ours.client.dhtPutValue(bytes("/a/b"), bytes("c"), 2).catch(() => undefined);
  const ms = performance.now() - begun;
  Deno.kill(silent.process.pid, "SIGCONT");
  assert.ok(ms < 3_000, `${ms} ms`);
});

Deno.test("p2pd runs with nothing of Go's around it, and under the name p2pd", async () => {
  await using folder = await tempFolder();
  const executable = process.env["ALMENAD_EXECUTABLE"];
  const listen = `-listen=/unix${join(folder.path, "x.sock")}`;
  const args = [listen, "-hostAddrs=/ip4/127.0.0.1/tcp/0"];
  if (executable) await Deno.symlink(resolve(executable), join(folder.path, "p2pd"));
  const command = executable
    ? ["env", "-i", join(folder.path, "p2pd"), ...args]
    : ["env", "PATH=/nonexistent", ...almenadCommand(), "p2pd", ...args];
  const child = new LineProcess({ command });
  await child.waitFor("peer id", (line) => /^Peer ID: 12D3Koo/.test(line) || undefined, 20_000);
  assert.equal((await child.stop("SIGTERM")).code, 0);
});

for (
  const [task, said] of [
    ["example:daemon", /Our peer ID: 12D3Koo[\s\S]*Daemon ended with code 0/],
    ["example:dht", /Retrieved value: Hello from the DHT/],
  ] as const
) {
  Deno.test(`deno task ${task} runs to its end`, async () => {
    const { stdout, stderr, code } = await new Deno.Command(Deno.execPath(), {
      args: ["task", task],
      cwd: ROOT,
      stdin: "null",
      signal: AbortSignal.timeout(60_000),
    }).output();
    const text = new TextDecoder().decode(stdout);
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    assert.match(text, said);
  });
}
