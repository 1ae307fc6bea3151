/** The daemon's surface as a plugin of a file sees it, in two real daemons; also in the executable. */
import assert from "node:assert/strict";
import { chmod, copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { act, ask } from "../support/control_calls.ts";
import { runAlmenad, startDaemon } from "../support/daemon.ts";
import { sized } from "../support/hostile/seeded.ts";
import { requireNetns } from "../support/netns.ts";
import { tempFolder } from "../support/temp_folder.ts";
import { waitFor } from "../support/wait.ts";

const PROBE = fileURLToPath(new URL("../support/plugins/probe.js", import.meta.url));
const IS_LONG = sized(0, 1) === 1;

/** A data folder with the probe in it. */
async function withProbe(dataDir: string, settings: Record<string, unknown>): Promise<void> {
  const folder = join(dataDir, "config", "plugins");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  const config = '[geolocation]\nurl = "http://127.0.0.1:9/"\n[plugins]\nenabled = true\n';
  await writeFile(join(dataDir, "config", "config.toml"), config);
  await copyFile(PROBE, join(folder, "probe.js"));
  await chmod(join(folder, "probe.js"), 0o600);
  await writeFile(join(folder, "probe.json"), JSON.stringify(settings));
}

/** Takes every event that a webhook sends. */
async function receiver() {
  const events: { event: string; data?: unknown }[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text) => body += text);
    request.on("end", () => {
      events.push(JSON.parse(body));
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    events,
    url: `http://127.0.0.1:${port}/`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

// deno-lint-ignore no-explicit-any -- JSON of the probe, looked at field by field
type Results = any;

function checkSelf(self: Results, peerId: string, dataDir: string): void {
  assert.equal(self.peerId, peerId);
  assert.ok(Number.isInteger(self.nodeId) && self.nodeId > 0 && self.nodeId < 2 ** 32);
  const hex = self.nodeId.toString(16).toUpperCase().padStart(8, "0");
  assert.equal(self.addr, `0:0000.${hex.slice(0, 4)}.${hex.slice(4)}`);
  assert.match(self.version.version, /^\d{4}\.\d+\.\d+/);
  assert.deepEqual(Object.keys(self.version), ["version", "commit", "buildTime"]);
  assert.equal(self.identityPath, join(dataDir, "data", "identity.key"));
  assert.ok(self.adminTokenLength >= 43, "32 random bytes as text");
  assert.deepEqual(
    [self.hasIdentity, self.isSigned, self.isOthers, self.autoApprove, self.registryClient],
    [true, true, false, false, null],
  );
}

function checkLinks({ ports, link, stalled, abortMs, datagrams }: Results, serverId: string): void {
  assert.deepEqual(ports, { twice: "PortInUseError already_exists", accepted: null, port: 2_200 });
  assert.equal(link.isFrozen, true);
  assert.deepEqual([link.info.remotePeer, link.info.remotePort], [serverId, 2_100]);
  assert.ok(link.info.localPort >= 49_152);
  assert.deepEqual([link.echoed, link.isRight], [10 * 1_048_576, true]);
  assert.equal(link.afterwards, "DaemonError failed_precondition");
  assert.ok(stalled.sent < 100, `${stalled.sent} times 64 KiB were taken from nobody's hands`);
  assert.ok(stalled.grown < 32 * 1_048_576, `${stalled.grown} bytes of memory were taken`);
  if (IS_LONG) {
    assert.equal(stalled.failure, "DaemonError deadline_exceeded");
    assert.ok(stalled.ms > 25_000 && stalled.ms < 32_000, `${stalled.ms} ms`);
  }
  assert.ok(abortMs < 100, `${abortMs} ms`);
  assert.deepEqual(datagrams, {
    answer: "hello",
    toNobody: "fine",
    tooLarge: "DaemonError invalid_argument",
  });
}

function checkBus(bus: Results, peerId: string): void {
  assert.deepEqual([bus.dropped, bus.left, bus.exact], [976, 0, "probe"]);
  assert.ok(bus.publishMs < 1_000, `${bus.publishMs} ms`);
  assert.deepEqual([bus.below.topic, bus.below.payload, bus.below.nodeId, bus.isFrozen], [
    "probe.many",
    { n: 0 },
    peerId,
    true,
  ]);
}

Deno.test({
  name: "A plugin of a file uses the whole surface, fails alone, and speaks until the end",
  ignore: !requireNetns("the surface of plugins"),
  fn: async () => {
    await using stack = new AsyncDisposableStack();
    const [folder, other] = [stack.use(await tempFolder()), stack.use(await tempFolder())];
    const hook = stack.use(await receiver());
    await withProbe(other.path, { serve: true });
    const server = stack.use(await startDaemon({ dataDir: other.path }));
    const peer = server.ready.peer_id;
    const [results, bye] = [join(folder.path, "results.json"), join(folder.path, "bye.json")];
    await withProbe(folder.path, { peer, results, bye, isLong: IS_LONG });
    const daemon = stack.use(await startDaemon({ dataDir: folder.path }));
    const found: Results = JSON.parse(
      await waitFor(
        "the results",
        () => readFile(results, "utf8").then((text) => text || undefined, () => undefined),
        60_000,
      ),
    );
    checkSelf(found.self, daemon.ready.peer_id, folder.path);
    checkLinks(found, peer);
    checkBus(found.bus, daemon.ready.peer_id);
    assert.deepEqual(found.services, {
      checker: { name: "", ok: false },
      ...{ pending: 0, trusted: 0, waits: true, policies: 0 },
      stats: found.services.stats,
      removeNobody: "fine",
      revokeNobody: "DaemonError failed_precondition",
      wrongToken: "PermissionError permission_denied",
      rightToken: { network: 1, nodes: [] },
      noNetwork: "DaemonError not_found",
    });
    await act(folder.path, "webhook.set", { url: hook.url });
    await checkFailures(other.path, server.url("/metrics"));
    assert.equal((await daemon.stop()).code, 0);
    const { dial } = JSON.parse(await readFile(bye, "utf8"));
    assert.equal(dial, "DaemonError unavailable");
    const last = hook.events.find(({ event }) => event === "probe.bye");
    assert.deepEqual(last?.data, { still: "here" });
    await checkRestart(folder.path, found.self);
  },
});

/** What the handler threw is its plugin's alone. */
async function checkFailures(dataDir: string, metrics: string): Promise<void> {
  const states = async () => {
    const { plugins } = await ask(dataDir, "plugins.list");
    return plugins as { name: string; failures: number; is_healthy: boolean; problem: string }[];
  };
  const probe = await waitFor(
    "four failures",
    async () => (await states()).find(({ name, failures }) => name === "probe" && failures === 4),
  );
  assert.equal(probe.is_healthy, false);
  assert.match(probe.problem, /as asked/);
  const others = (await states()).filter(({ name }) => name !== "probe");
  assert.ok(others.every(({ failures, is_healthy }) => failures === 0 && is_healthy));
  const text = await (await fetch(metrics)).text();
  assert.match(text, /almenad_plugin_failures_total\{plugin="probe"\} 4/);
}

/** The number is the same after a restart; a key that others may read is refused. */
async function checkRestart(dataDir: string, before: Results): Promise<void> {
  const results = join(dataDir, "results.json");
  await writeFile(results, "");
  {
    await using daemon = await startDaemon({ dataDir });
    assert.equal(daemon.ready.peer_id, before.peerId);
    const { id } = await act(dataDir, "network.create", { name: "home" });
    const { networks } = await ask(dataDir, "network.members", { id });
    const [network] = networks as { members: { peer_id: string }[] }[];
    assert.equal(network!.members[0]!.peer_id, before.peerId);
    // Numbers stand for peers: its own is known, and is the one from before.
    const waited = await ask(dataDir, "trust.wait", { peer: String(before.nodeId), timeout_ms: 0 });
    assert.deepEqual(waited, { peer_id: before.peerId, trusted: true });
  }
  if (process.platform === "win32") return;
  const key = join(dataDir, "data", "identity.key");
  await chmod(key, 0o644);
  const args = ["--grpc-addr", "127.0.0.1:0", "--rest-addr", "127.0.0.1:0"];
  const { code, stderr } = await runAlmenad(["--data-dir", dataDir, ...args]);
  assert.notEqual(code, 0);
  assert.match(stderr, /chmod 600/);
}
