/** The daemon as its user meets it: first start, one owner a folder, logs, signals, modes. */
import assert from "node:assert/strict";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { almenadCommand, type DaemonProcess, runAlmenad, startDaemon } from "../support/daemon.ts";
import { GrpcClient } from "../support/grpc_client.ts";
import { jsonLine, LineProcess } from "../support/line_process.ts";
import { tempFolder } from "../support/temp_folder.ts";
import { waitFor } from "../support/wait.ts";

const FREE_PORTS = ["--grpc-addr", "127.0.0.1:0", "--rest-addr", "127.0.0.1:0"];
/** Promised: an orderly stop takes less, when nothing hangs. */
const STOP_MS = 2_000;

/** Every file below a folder, with what would show that somebody touched it. */
async function traces(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true });
  const lines = entries.sort().map(async (name) => {
    const { mode, size, mtimeMs, ino } = await stat(join(folder, name));
    return `${name} ${mode.toString(8)} ${size} ${mtimeMs} ${ino}`;
  });
  return await Promise.all(lines);
}

async function isOpen(address: string): Promise<boolean> {
  const { hostname, port } = new URL(`http://${address}`);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(Number(port), hostname.replace(/^\[|\]$/g, ""));
  socket.on("connect", () => resolve(true)).on("error", () => resolve(false));
  return await promise.finally(() => socket.destroy());
}

async function daemonLog(daemon: DaemonProcess): Promise<Record<string, unknown>[]> {
  const text = await readFile(join(daemon.dataDir, "logs", "daemon.log"), "utf8");
  return text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

/** A daemon that is not told its data folder. */
function startAnywhere(
  args: readonly string[],
  init: { cwd: string; env: Record<string, string> },
): LineProcess {
  const command = [...almenadCommand(), "--format", "json", ...FREE_PORTS, ...args];
  const unset = { ALMENAD_DATA_DIR: "", RUST_LOG: "", BOOTSTRAP_PEERS: "" };
  return new LineProcess({ command, cwd: init.cwd, env: { ...unset, ...init.env } });
}

async function dataDirOf(daemon: LineProcess): Promise<string> {
  const ready = await daemon.waitFor("ready line", jsonLine, 20_000);
  return String(ready["data_dir"]);
}

Deno.test("almenad makes folders and identity at its first start, and keeps them", async () => {
  await using folder = await tempFolder();
  const dataDir = join(folder.path, "not", "there");
  const first = await startDaemon({ dataDir });
  const { peer_id: peerId, data_dir: named } = first.ready;
  try {
    assert.equal(named, dataDir);
    const folders = ["config", "daemon", "data", "libraries", "library", "logs"];
    assert.deepEqual((await readdir(dataDir)).sort(), folders);
    for (const name of ["", "config", "daemon", "data", "logs"]) {
      assert.equal((await stat(join(dataDir, name))).mode & 0o777, 0o700, name);
    }
    assert.equal((await stat(join(dataDir, "data", "identity.key"))).mode & 0o777, 0o600);
    const pid = await readFile(join(dataDir, "daemon", "daemon.pid"), "utf8");
    assert.equal(Number(pid), first.pid);
  } finally {
    await first.stop();
  }
  const identity = await readFile(join(dataDir, "data", "identity.key"));
  const second = await startDaemon({ dataDir });
  await second.stop();
  assert.equal(second.ready.peer_id, peerId);
  assert.deepEqual(await readFile(join(dataDir, "data", "identity.key")), identity);
});

Deno.test("almenad prints a banner for people, and one JSON line for programs", async () => {
  await using folder = await tempFolder();
  const command = [...almenadCommand(), "--data-dir", folder.path, ...FREE_PORTS];
  const forPeople = new LineProcess({ command, env: { RUST_LOG: "" } });
  await forPeople.waitFor("end of the banner", (line) => / pid +\d+ /.exec(line)?.[0], 20_000);
  const { code } = await forPeople.stop();
  const banner = forPeople.lines.join("\n");
  assert.equal(code, 0);
  assert.match(banner, /^almenad 2026\.1\.1-develop is ready$/m);
  assert.match(banner, /^ {2}peer id {2}12D3KooW\w+$/m);
  assert.match(banner, /^ {2}gRPC {5}127\.0\.0\.1:\d+$/m);
  assert.match(
    banner,
    /^ {2}REST {5}http:\/\/127\.0\.0\.1:\d+\/status {2}http:\S+\/swagger-ui\/$/m,
  );
  assert.match(
    banner,
    /^ {2}page {5}http:\/\/127\.0\.0\.1:\d+\/ {2}\(almenad dashboard opens it\)$/m,
  );
  assert.match(banner, /^ {2}peers {4}\/ip[46]\/\S+\/tcp\/\d+$/m);
  assert.ok(banner.includes(folder.path));

  await using daemon = await startDaemon({ dataDir: folder.path });
  assert.equal(daemon.stdout.length, 1);
  assert.ok(banner.includes(daemon.ready.peer_id));
});

Deno.test("almenad tells itself by gRPC: version, system, and its own peer entry", async () => {
  await using daemon = await startDaemon();
  using client = new GrpcClient(daemon.grpcAddress);
  const { stdout } = await runAlmenad(["--version"]);
  const { version } = await client.call("GetVersion");
  assert.equal(stdout, `almenad ${version}\n`);
  if (process.platform === "linux") {
    const release = await readFile("/etc/os-release", "utf8");
    const field = (name: string) => new RegExp(`^${name}="?([^"\n]*)`, "m").exec(release)?.[1];
    const system = { os_name: field("NAME"), os_version: field("VERSION_ID") ?? "" };
    assert.deepEqual(await client.call("GetSystemInfo"), system);
  }
  const { peers } = await client.call("ListPeers") as { peers: Record<string, unknown>[] };
  const [self] = peers;
  assert.equal(peers.length, 1);
  assert.deepEqual(self, {
    peer_id: daemon.ready.peer_id,
    addresses: daemon.ready.p2p_addrs,
    is_internal: true,
    is_connected: true,
    is_self: true,
    geo: null,
  });
  for (const family of ["ip4", "ip6"]) {
    const pattern = new RegExp(`^/${family}/[^/]+/tcp/\\d+$`);
    assert.ok(daemon.ready.p2p_addrs.some((address) => pattern.test(address)), family);
  }
});

Deno.test("almenad shows its metrics and libp2p's, though their library is loaded late", async () => {
  await using daemon = await startDaemon();
  const text = await (await fetch(daemon.url("/metrics"))).text();
  for (const name of ["almenad_uptime_seconds", "libp2p_tcp_listener_status_info"]) {
    assert.match(text, new RegExp(`^${name}`, "m"));
  }
});

Deno.test("almenad refuses a folder that another daemon owns, names it, touches nothing", async () => {
  await using daemon = await startDaemon();
  await waitFor("quiet", async () => (await daemonLog(daemon)).length > 0);
  const before = await traces(daemon.dataDir);
  const { code, stderr, stdout } = await runAlmenad(["--data-dir", daemon.dataDir, ...FREE_PORTS]);
  assert.equal(code, 3);
  assert.match(stderr, new RegExp(`^almenad: .*already running as pid ${daemon.pid};.*\n$`));
  assert.equal(stdout, "");
  assert.deepEqual(await traces(daemon.dataDir), before);
  using client = new GrpcClient(daemon.grpcAddress);
  assert.deepEqual(await client.call("Ping"), { message: "pong" });
});

Deno.test("almenad starts with no hand after it was killed", async () => {
  await using folder = await tempFolder();
  const killed = await startDaemon({ dataDir: folder.path });
  await killed.kill();
  assert.ok(await readFile(join(folder.path, "daemon", "daemon.pid")));
  await using daemon = await startDaemon({ dataDir: folder.path });
  assert.equal(daemon.ready.peer_id, killed.ready.peer_id);
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`almenad stops at ${signal} within 2 s and leaves nothing`, async () => {
    await using daemon = await startDaemon();
    const { grpc_addrs: grpc, rest_addr: rest } = daemon.ready;
    const { code, ms, stderr } = await daemon.stop(signal);
    assert.equal(code, 0, stderr);
    assert.ok(ms < STOP_MS, `it took ${ms} ms`);
    assert.deepEqual(await readdir(join(daemon.dataDir, "daemon")), ["admin_token"]);
    for (const address of [...grpc, rest]) assert.equal(await isOpen(address), false, address);
  });
}

Deno.test("almenad reads its log filter again at SIGHUP, and keeps it when the file is bad", async () => {
  await using daemon = await startDaemon({ config: 'log = "error"\n' });
  const path = join(daemon.dataDir, "config", "config.toml");
  assert.doesNotMatch(daemon.stderr, /INFO/);
  await writeFile(path, 'log = "info"\n');
  daemon.signal("SIGHUP");
  await daemon.logged(/INFO .*Configuration was read again/);
  await writeFile(path, 'log = "loud"\n');
  daemon.signal("SIGHUP");
  await daemon.logged(/ERROR .*Configuration stays as it was.*"loud" is not one of/);
  await writeFile(path, 'log = "warn"\n');
  daemon.signal("SIGHUP");
  using client = new GrpcClient(daemon.grpcAddress);
  assert.deepEqual(await client.call("Ping"), { message: "pong" });
  const { code } = await daemon.stop();
  assert.equal(code, 0);
});

Deno.test("almenad logs what RUST_LOG lets through, to the terminal and the file alike", async () => {
  await using quiet = await startDaemon({ env: { RUST_LOG: "error" } });
  await quiet.stop();
  assert.doesNotMatch(quiet.stderr, /INFO|WARN|DEBUG|TRACE/);
  assert.deepEqual(await daemonLog(quiet), []);

  await using network = await startDaemon({ env: { RUST_LOG: "network=trace" } });
  await network.logged(/ network: /);
  await network.stop();
  const targets = network.stderr.split("\n").filter(Boolean).map((line) =>
    /^\S+ [A-Z]+ +(\S+): /.exec(line)?.[1] ?? line
  );
  assert.deepEqual([...new Set(targets)], ["network"]);
  const logged = (await daemonLog(network)).map((line) => line["target"]);
  assert.deepEqual([...new Set(logged)], ["network"]);

  await using usual = await startDaemon();
  await usual.stop();
  const levels = (await daemonLog(usual)).map((line) => line["level"]);
  assert.ok(levels.includes("info"));
  assert.ok(!levels.includes("debug"));
});

Deno.test("almenad --dev works in ./workspace, or in ALMENAD_DATA_DIR, at level debug", async () => {
  await using folder = await tempFolder();
  const init = { cwd: folder.path, env: {} };
  await using inWorkspace = startAnywhere(["--dev"], init);
  assert.equal(await dataDirOf(inWorkspace), join(folder.path, "workspace"));
  await inWorkspace.stop();
  assert.match(inWorkspace.stderr.join("\n"), /DEBUG/);
  const named = join(folder.path, "named");
  await using elsewhere = startAnywhere(["--dev"], { ...init, env: { ALMENAD_DATA_DIR: named } });
  assert.equal(await dataDirOf(elsewhere), named);
  await elsewhere.stop();
  assert.doesNotMatch(elsewhere.stderr.join("\n"), /is ignored/);
});

Deno.test({
  name: "almenad ignores ALMENAD_DATA_DIR without --dev, with one warning",
  ignore: process.platform !== "linux",
  fn: async () => {
    await using folder = await tempFolder();
    const named = join(folder.path, "named");
    await mkdir(named);
    const env = { ALMENAD_DATA_DIR: named, XDG_DATA_HOME: folder.path };
    await using daemon = startAnywhere([], { cwd: folder.path, env });
    assert.equal(await dataDirOf(daemon), join(folder.path, "network.almena.daemon"));
    await daemon.stop();
    const warnings = daemon.stderr.filter((line) => line.includes("ALMENAD_DATA_DIR is ignored"));
    assert.equal(warnings.length, 1);
    assert.deepEqual(await readdir(named), []);
  },
});

Deno.test("almenad --version and --help touch no file", async () => {
  await using folder = await tempFolder();
  const env = { XDG_DATA_HOME: folder.path };
  for (const args of [["--version"], ["-V"], ["--help"], ["-h"]]) {
    const { code, stdout, stderr } = await runAlmenad(args, { env, cwd: folder.path });
    assert.deepEqual([code, stderr], [0, ""], args.join());
    assert.ok(stdout.length > 0);
  }
  const json = JSON.parse((await runAlmenad(["--version", "--format", "json"], { env })).stdout);
  assert.deepEqual(Object.keys(json), ["name", "version", "commit", "build_time", "runtime"]);
  assert.deepEqual(await readdir(folder.path), []);
});
