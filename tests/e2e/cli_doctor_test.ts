/** What doctor finds on machines that have something wrong. */
import assert from "node:assert/strict";
import { chmod, mkdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { Cli } from "../support/cli.ts";
import { almenadCommand } from "../support/daemon.ts";
import { LineProcess } from "../support/line_process.ts";
import { linuxRoot, program, testNeeding } from "../support/needs.ts";
import { Lan, testInNetns } from "../support/netns.ts";

interface Finding {
  readonly check: string;
  readonly severity: string;
  readonly message: string;
  readonly remedy: string;
}

/** The exit code, and the findings of one check that are not well. */
async function ill(cli: Cli, check: string): Promise<{ code: number; found: Finding[] }> {
  const { code, value } = await cli.json("doctor");
  const findings = value["findings"] as Finding[];
  const found = findings.filter((one) => one.check === check && one.severity !== "ok");
  for (const one of found) assert.notEqual(one.remedy, "", one.message);
  return { code, found };
}

const NAMESPACE_NEEDS = [linuxRoot(), program("ip"), program("nft")];

testInNetns("doctor finds nothing wrong with a daemon that is well", async () => {
  await using lan = await Lan.create(["a"]);
  await using cli = await Cli.create({ netns: lan.host("a").namespace });
  assert.equal((await cli.run("start")).code, 0);
  const { code, value } = await cli.json("doctor");
  assert.deepEqual([code, value["errors"], value["warnings"]], [0, 0, 0], JSON.stringify(value));
  const checks = new Set((value["findings"] as Finding[]).map(({ check }) => check));
  for (
    const check
      of "daemon socket config port multicast firewall folder disk clock log subscriptions"
        .split(" ")
  ) assert.ok(checks.has(check), check);
  assert.match((await cli.run("doctor")).stdout, /Nothing wrong was found\n$/);
});

testInNetns("doctor finds a daemon that is down, and one that died", async () => {
  await using lan = await Lan.create(["a"]);
  await using cli = await Cli.create({ netns: lan.host("a").namespace });
  const down = await ill(cli, "daemon");
  assert.equal(down.code, 4);
  assert.match(down.found[0]?.message ?? "", /^not running, no socket/);
  assert.match(down.found[0]?.remedy ?? "", /^almenad .*start$/);
  await cli.run("start");
  await cli.kill();
  const died = await ill(cli, "daemon");
  assert.equal(died.code, 4);
  assert.match(died.found[0]?.message ?? "", /stale socket/);
});

testInNetns("doctor names who holds a port", async () => {
  await using lan = await Lan.create(["a"]);
  const netns = lan.host("a").namespace;
  await using cli = await Cli.create({ netns });
  const code = "import socket,time; s=socket.socket(); s.bind(('127.0.0.1',8080)); s.listen(); " +
    "print('up',flush=True); time.sleep(60)";
  await using holder = new LineProcess({ command: ["python3", "-c", code], netns });
  await holder.waitFor("listener", (line) => line === "up" || undefined);
  const { found } = await ill(cli, "port");
  assert.equal(found[0]?.severity, "warning");
  assert.match(found[0]?.message ?? "", new RegExp(`taken by python3\\S* \\(pid ${holder.pid}\\)`));
  await mkdir(join(cli.dataDir, "config"), { recursive: true });
  await writeFile(join(cli.dataDir, "config", "config.toml"), 'rest_addr = "127.0.0.1:8080"\n');
  assert.equal((await ill(cli, "port")).found[0]?.severity, "error");
  await holder.stop("SIGKILL");
});

testInNetns("doctor finds a machine without multicast", async () => {
  await using lan = await Lan.create(["a"]);
  await using cli = await Cli.create({ netns: lan.host("a").namespace });
  await cli.run("start");
  await lan.run("a", ["ip", "link", "set", "eth0", "multicast", "off"]);
  const off = await ill(cli, "multicast");
  assert.deepEqual([off.code, off.found.length], [1, 1]);
  await lan.run("a", ["ip", "link", "set", "eth0", "multicast", "on"]);
  await lan.unplug("a");
  assert.equal((await ill(cli, "multicast")).found.length, 1);
});

testNeeding(NAMESPACE_NEEDS, "doctor finds a firewall that drops mDNS", async () => {
  await using lan = await Lan.create(["a"]);
  await using cli = await Cli.create({ netns: lan.host("a").namespace });
  await cli.run("start");
  for (const hook of ["input", "output"]) {
    await lan.run("a", [
      "nft",
      `table inet f { chain c { type filter hook ${hook} priority 0; udp dport 5353 drop; }; }`,
    ]);
    const { code, found } = await ill(cli, "firewall");
    assert.equal(code, 1, hook);
    assert.match(found[0]?.message ?? "", /drops UDP port 5353/, hook);
    await lan.run("a", ["nft", "delete", "table", "inet", "f"]);
  }
  assert.deepEqual((await ill(cli, "firewall")).found, []);
});

// From source the runtime may lie where only root can look.
const EXECUTABLE = { name: "executable", isMet: Boolean(process.env["ALMENAD_EXECUTABLE"]) };

testNeeding(
  [linuxRoot(), program("setpriv"), EXECUTABLE],
  "another uid is refused at the socket",
  async () => {
    await using cli = await Cli.create();
    assert.equal((await cli.run("start")).code, 0);
    await chmod(cli.dataDir, 0o755); // the temporary folder; what is below is the daemon's
    const as = async (...words: string[]) => {
      const user = ["--reuid", "54321", "--regid", "54321", "--clear-groups"];
      const output = await new Deno.Command("setpriv", {
        args: [...user, ...almenadCommand(), "--data-dir", cli.dataDir, ...words],
        env: { HOME: "/tmp", DENO_DIR: "/tmp/almenad-stranger", DENO_NO_UPDATE_CHECK: "1" },
      }).output();
      const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
      return { code: output.code, stdout: text(output.stdout), stderr: text(output.stderr) };
    };
    const status = await as("status");
    assert.equal(status.code, 5, status.stderr);
    assert.match(status.stderr, /^almenad: Cannot reach almenad: permission denied at [^\n]+\n$/);
    const doctor = await as("doctor", "--format", "json");
    assert.equal(doctor.code, 5);
    const findings = JSON.parse(doctor.stdout)["findings"] as Finding[];
    assert.match(findings.find(({ check }) => check === "socket")?.message ?? "", /permission/);
    assert.ok(findings.some(({ check, severity }) => check === "folder" && severity === "error"));
  },
);

testNeeding([linuxRoot()], "doctor finds a full disk, and start says so", async () => {
  await using cli = await Cli.create();
  await mount(cli.dataDir);
  try {
    await writeFile(join(cli.dataDir, "filler"), new Uint8Array(16_000_000)).catch(() => undefined);
    const { code, found } = await ill(cli, "disk");
    assert.equal(found[0]?.severity, "error");
    assert.notEqual(code, 0);
    const start = await cli.run("start");
    assert.notEqual(start.code, 0);
    assert.match(start.stderr, /^almenad: [^\n]*(space|ENOSPC)[^\n]*\n$/);
  } finally {
    await new Deno.Command("umount", { args: [cli.dataDir] }).output();
  }
});

async function mount(path: string): Promise<void> {
  const args = ["-t", "tmpfs", "-o", "size=8m", "tmpfs", path];
  const { success, stderr } = await new Deno.Command("mount", { args }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
}

Deno.test("doctor shows the last errors of the log, and damaged configuration", async () => {
  await using cli = await Cli.create();
  await mkdir(join(cli.dataDir, "logs"), { recursive: true });
  const line = { timestamp: new Date().toISOString(), level: "error", target: "api" };
  const text = JSON.stringify({ ...line, message: "It failed", error: "for a reason" });
  await writeFile(join(cli.dataDir, "logs", "daemon.log"), `${text}\n`);
  const { found } = await ill(cli, "log");
  assert.match(found[0]?.message ?? "", /api: It failed: for a reason$/);
  await mkdir(join(cli.dataDir, "config"), { recursive: true });
  await writeFile(join(cli.dataDir, "config", "config.toml"), "nonsense = 1\n");
  assert.match((await ill(cli, "config")).found[0]?.message ?? "", /nonsense/);
});

Deno.test("doctor tells of an identity that keeps the daemon from starting", async () => {
  await using cli = await Cli.create();
  const path = join(cli.dataDir, "data", "identity.key");
  await mkdir(join(cli.dataDir, "data"), { recursive: true });
  await writeFile(path, "", { mode: 0o600 });
  const { stdout } = await cli.run("doctor");
  assert.match(
    stdout,
    /error +identity +Cannot use identity \S+: it is not a private key.*\n +→ restore/,
  );
  assert.equal((await stat(path)).size, 0);
});

Deno.test("doctor finds a subscription that can match nothing", async () => {
  await using cli = await Cli.create();
  await cli.run("start");
  await using events = cli.follow("events", "-t", "JobUpdate", "--job", "nope");
  for (let found: Finding[] = []; found.length === 0;) {
    found = (await ill(cli, "subscriptions")).found;
    if (found[0]) assert.match(found[0].message, /JobUpdate\) can match nothing.*"nope"/);
  }
  await events.stop("SIGINT");
});
