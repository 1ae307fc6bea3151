/** Two daemons on a LAN of their own: tickets, trust, policies, plugins of files. */
import assert from "node:assert/strict";
import { chmod, copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { act, ask } from "../support/control_calls.ts";
import { type DaemonProcess, runAlmenad, startDaemon } from "../support/daemon.ts";
import { LineProcess } from "../support/line_process.ts";
import { Lan, requireNetns, testInNetns } from "../support/netns.ts";
import { tempFolder } from "../support/temp_folder.ts";
import { waitFor } from "../support/wait.ts";

const EXAMPLES = fileURLToPath(new URL("../../examples/plugins/", import.meta.url));
const PROBE = fileURLToPath(new URL("../support/plugins/probe.js", import.meta.url));
const SERVICE_PORT = 2_080;

/** A data folder with plugins and their settings. */
async function folderWith(
  dataDir: string,
  plugins: Record<string, unknown>,
  config = "",
): Promise<void> {
  const folder = join(dataDir, "config", "plugins");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  const names = Object.keys(plugins);
  await writeFile(
    join(dataDir, "config", "config.toml"),
    `[geolocation]\nurl = "http://127.0.0.1:9/"\n${config}` +
      (names.length > 0 ? "[plugins]\nenabled = true\n" : ""),
  );
  for (const name of names) {
    await copyFile(join(EXAMPLES, `${name}.js`), join(folder, `${name}.js`));
    await chmod(join(folder, `${name}.js`), 0o600);
    await writeFile(join(folder, `${name}.json`), JSON.stringify(plugins[name]));
  }
}

/** Puts the probe of tests/support/plugins beside the other plugins. */
async function addProbe(dataDir: string, settings: Record<string, unknown>): Promise<void> {
  const folder = join(dataDir, "config", "plugins");
  await copyFile(PROBE, join(folder, "probe.js"));
  await chmod(join(folder, "probe.js"), 0o600);
  await writeFile(join(folder, "probe.json"), JSON.stringify(settings));
  const config = await readFile(join(dataDir, "config", "config.toml"), "utf8");
  if (config.includes("[plugins]")) return;
  await writeFile(
    join(dataDir, "config", "config.toml"),
    `${config}[plugins]\nenabled = true\n`,
  );
}

/** Connected peers, itself included. */
async function linksOf(dataDir: string): Promise<number> {
  const { peers } = await ask(dataDir, "network.peers", { connected: true });
  return (peers as unknown[]).length;
}

async function trusted(daemon: DaemonProcess): Promise<Record<string, unknown>[]> {
  return (await ask(daemon.dataDir, "trust.list"))["peers"] as Record<string, unknown>[];
}

testInNetns(
  "Plugins: ticket, accept, approve, mutual trust, a service for trusted peers, policy, revoke",
  async () => {
    await using stack = new AsyncDisposableStack();
    const lan = stack.use(await Lan.create(["ada", "bob"]));
    const [adaDir, bobDir] = [
      stack.use(await tempFolder()).path,
      stack.use(await tempFolder()).path,
    ];
    const joins = join(adaDir, "joins.log");
    await folderWith(adaDir, {
      log_joins: { file: joins },
      expose_http: { expose: { port: SERVICE_PORT, to: "127.0.0.1:8123" } },
    });
    const netns = (name: string) => lan.host(name).namespace;
    const run = (name: string, script: string) =>
      stack.use(
        new LineProcess({ command: ["python3", "-u", "-c", script], netns: netns(name) }),
      );
    await run("ada", HTTP_SERVICE).waitFor("server", (line) => line === "up" || undefined);
    const ada = stack.use(await startDaemon({ dataDir: adaDir, netns: netns("ada") }));
    await folderWith(bobDir, {
      expose_http: {
        reach: { peer: ada.ready.peer_id, port: SERVICE_PORT, listen: "127.0.0.1:8124" },
      },
    });
    const bob = stack.use(await startDaemon({ dataDir: bobDir, netns: netns("bob") }));
    const get = async () => {
      const curl = ["curl", "-s", "-m", "5", "http://127.0.0.1:8124/"];
      return (await lan.run("bob", curl).catch(() => ({ stdout: "" }))).stdout;
    };
    assert.equal(await get(), ""); // Bob is not trusted
    const { ticket, qr } = await ask(adaDir, "trust.invite");
    assert.match(String(qr), /[▀▄█]/);
    const accepted = await act(bobDir, "trust.accept", { ticket, justification: "it's me, Bob" });
    assert.deepEqual(accepted, { peer_id: ada.ready.peer_id, state: "outgoing" });
    const { requests } = await ask(adaDir, "trust.pending");
    const [request] = requests as { peer_id: string; justification: string }[];
    assert.equal(request!.justification, "it's me, Bob");
    await act(adaDir, "trust.approve", { peer: request!.peer_id });
    const waited = await ask(bobDir, "trust.wait", { peer: ada.ready.peer_id });
    assert.equal(waited["trusted"], true);
    await waitFor("mutual trust", async () => (await trusted(ada))[0]?.["mutual"] === true);
    assert.equal(await get(), "hello from ada");
    await checkPolicy(adaDir, bob.ready.peer_id, get);
    const tunnel = run("bob", HELD_CONNECTION);
    await tunnel.waitFor("tunnel", (line) => line === "open" || undefined);
    const begun = performance.now();
    await act(adaDir, "trust.revoke", { peer: bob.ready.peer_id });
    await tunnel.waitFor("the cut", (line) => line === "cut" || undefined);
    assert.ok(performance.now() - begun < 2_000, "the tunnel was cut late");
    await waitFor("bob to know", async () => (await trusted(bob)).length === 0);
    assert.equal(await get(), "");
    await checkPlugins(adaDir, joins, bob.ready.peer_id);
  },
);

/** Denies Bob the service for a while. */
async function checkPolicy(
  adaDir: string,
  peer: string,
  get: () => Promise<string>,
): Promise<void> {
  const policy = {
    version: 1,
    rules: [{
      name: "no web",
      on: "connect",
      match: `port == ${SERVICE_PORT}`,
      actions: [{ type: "deny" }],
    }],
  };
  await act(adaDir, "policy.start", { policy });
  assert.equal(await get(), "");
  const why = await ask(adaDir, "policy.explain", {
    peer: peer,
    port: SERVICE_PORT,
  });
  assert.equal(why["allowed"], false);
  assert.equal((why["policies"] as { rule: string }[])[0]!.rule, "no web");
  await act(adaDir, "policy.stop", {});
  assert.equal(await get(), "hello from ada");
}

/** Both examples did their work, and status shows them. */
async function checkPlugins(adaDir: string, joins: string, peer: string): Promise<void> {
  const lines = await readFile(joins, "utf8");
  assert.match(lines, new RegExp(`peer.connected ${peer}`));
  assert.match(lines, new RegExp(`trust.changed ${peer}`));
  const { plugins } = await ask(adaDir, "plugins.list");
  const states = (plugins as { name: string; origin: string }[]).map(({ name, origin }) =>
    `${name} ${origin}`
  );
  assert.deepEqual(states, [
    "expose-http file",
    "handshake builtin",
    "log-joins file",
    "policy builtin",
    "trustedagents builtin",
    "webhook builtin",
  ]);
}

const HTTP_SERVICE = `
import http.server as h
class H(h.BaseHTTPRequestHandler):
    def do_GET(s):
        s.send_response(200)
        s.end_headers()
        s.wfile.write(b"hello from ada")
server = h.ThreadingHTTPServer(("127.0.0.1", 8123), H)
print("up", flush=True)
server.serve_forever()
`;

const HELD_CONNECTION = `
import socket
s = socket.create_connection(("127.0.0.1", 8124))
s.sendall(b"GET / HTTP/1.1\\r\\nHost: a\\r\\nX-Slow: ")
print("open", flush=True)
try:
    while s.recv(4096): pass
except OSError: pass
print("cut", flush=True)
`;

testInNetns(
  "Private mode serves an untrusted peer the handshake only, and everything once it is trusted",
  async () => {
    await using stack = new AsyncDisposableStack();
    const lan = stack.use(await Lan.create(["ada", "bob"]));
    const bobDir = stack.use(await tempFolder()).path;
    await folderWith(bobDir, {});
    const start = async (name: string, dataDir: string, args: string[] = []) =>
      stack.use(await startDaemon({ dataDir, netns: lan.host(name).namespace, args }));
    const stranger = await start("bob", bobDir);
    const adaDir = stack.use(await tempFolder()).path;
    const allow = `[trust]\nallow = ["bob=${stranger.ready.peer_id}"]\n`;
    await folderWith(adaDir, {}, allow);
    await addProbe(adaDir, { serve: true }); // whoever gets through is served
    const ada = await start("ada", adaDir, ["--private"]);
    const peer = ada.ready.peer_id;
    await waitFor("the link", async () => await linksOf(adaDir) === 2);
    await stranger.stop();
    await waitFor("its end", async () => await linksOf(adaDir) === 1);
    const results = join(bobDir, "results.json");
    await addProbe(bobDir, { peer, results });
    const bob = await start("bob", bobDir);
    await waitFor("the refusal", async () => {
      const { plugins } = await ask(bobDir, "plugins.list");
      return (plugins as { name: string; problem: string }[]).some(({ name, problem }) =>
        name === "probe" && /Cannot (read|write|send|open|dial)/.test(problem)
      );
    });
    await act(bobDir, "trust.request", { peer });
    const { trusted: isTrusted } = await ask(bobDir, "trust.wait", { peer });
    assert.equal(isTrusted, true);
    await bob.stop();
    await waitFor("bob to be gone", async () => await linksOf(adaDir) === 1);
    await start("bob", bobDir);
    const text = async () => {
      const { plugins } = await ask(bobDir, "plugins.list");
      const probe = (plugins as { name: string; problem: string }[]).find((one) =>
        one.name === "probe"
      );
      assert.equal(probe!.problem, "");
      return await readFile(results, "utf8").catch(() => "") || undefined;
    };
    const { link } = JSON.parse(await waitFor("the results", text, 60_000));
    assert.equal(link.echoed, 10 * 1_048_576);
  },
);

Deno.test({
  name: "Plugins: one that fails to start ends the daemon with exit code 1 and its name",
  ignore: !requireNetns("plugin failure"),
  fn: async () => {
    await using folder = await tempFolder();
    await folderWith(folder.path, {}, "[plugins]\nenabled = true\n");
    const path = join(folder.path, "config", "plugins", "broken.js");
    await writeFile(
      path,
      `export const register = ({ registerPlugin }) => registerPlugin("broken", () => ({
         name: "broken", init() { throw new TypeError("no luck"); }, shutdown() {} }));`,
      { mode: 0o600 },
    );
    const args = [
      "--data-dir",
      folder.path,
      "--grpc-addr",
      "127.0.0.1:0",
      "--rest-addr",
      "127.0.0.1:0",
    ];
    const { code, stderr } = await runAlmenad(args);
    assert.equal(code, 1, stderr);
    assert.match(stderr, /Cannot load plugin "broken": no luck/);
    await chmod(path, 0o644);
    await using daemon = await startDaemon({ dataDir: folder.path });
    const { plugins } = await ask(folder.path, "plugins.list");
    const refused = (plugins as { name: string; state: string; problem: string }[])
      .find(({ name }) => name === "broken");
    assert.equal(refused?.state, "refused");
    assert.match(refused?.problem ?? "", /chmod 600/);
    assert.equal((await daemon.stop()).code, 0);
  },
});
