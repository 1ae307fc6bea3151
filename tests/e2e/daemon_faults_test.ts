/** What machines do to a daemon: damaged files, full disks, no rights, no IPv6, few open files. */
import assert from "node:assert/strict";
import { chmod, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { runAlmenad, startDaemon } from "../support/daemon.ts";
import { GrpcClient } from "../support/grpc_client.ts";
import { Lan, testInNetns } from "../support/netns.ts";
import { linuxRoot, program, testNeeding } from "../support/needs.ts";
import { tempFolder } from "../support/temp_folder.ts";

const FREE_PORTS = ["--grpc-addr", "127.0.0.1:0", "--rest-addr", "127.0.0.1:0"];
/** Root may read everything; without these two rights it is held to the modes of files. */
const WITHOUT_OVERRIDE = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"];

interface Refusal {
  readonly code: number;
  readonly says: RegExp;
}

async function refused(dataDir: string, { code, says }: Refusal, wrapper: string[] = []) {
  const ending = await runAlmenad(["--data-dir", dataDir, ...FREE_PORTS], { wrapper });
  assert.equal(ending.code, code, ending.stderr);
  assert.equal(ending.stdout, "");
  assert.match(ending.stderr, /^almenad: .+\n$/); // one line, no stack
  assert.match(ending.stderr, says);
}

const DAMAGES: Readonly<Record<string, (identity: Uint8Array) => Uint8Array>> = {
  "empty": () => new Uint8Array(0),
  "truncated": (identity) => identity.subarray(0, 40),
  "zeroed": (identity) => new Uint8Array(identity.length),
  "flipped in one bit": (identity) => identity.map((byte, index) => index === 20 ? byte ^ 1 : byte),
  "far too large": () => new Uint8Array(1_000_000),
};

Deno.test("almenad does not start with a damaged identity, and leaves it as it is", async () => {
  await using folder = await tempFolder();
  const path = join(folder.path, "data", "identity.key");
  const daemon = await startDaemon({ dataDir: folder.path });
  await daemon.stop();
  const identity = await readFile(path);
  for (const [damage, change] of Object.entries(DAMAGES)) {
    const damaged = change(identity);
    await writeFile(path, damaged);
    const says = /Cannot use identity .*identity\.key: .*restore it from a backup/;
    await refused(folder.path, { code: 6, says });
    assert.deepEqual(new Uint8Array(await readFile(path)), new Uint8Array(damaged), damage);
    const left = await readdir(dirname(path));
    assert.deepEqual(left.filter((name) => name.startsWith("identity")), ["identity.key"]);
  }
  await writeFile(path, identity);
  await chmod(path, 0o644);
  await refused(folder.path, { code: 6, says: /readable by other users \(mode 644\); run: chmod/ });
  await chmod(path, 0o600);
  const restored = await startDaemon({ dataDir: folder.path });
  await restored.stop();
  assert.equal(restored.ready.peer_id, daemon.ready.peer_id);
});

Deno.test("almenad does not start with a config.toml that makes no sense, and names the line", async () => {
  await using folder = await tempFolder();
  await mkdir(join(folder.path, "config"));
  const path = join(folder.path, "config", "config.toml");
  const texts: [text: string, says: RegExp][] = [
    ['log = "info"\nlgo = 1\n', /config\.toml:2: unknown key at "lgo"/],
    ['log = "info\n', /Cannot read .*config\.toml:1:/],
    ['p2p_listen = ","\n', /config\.toml:1: expected TCP multiaddrs.*"p2p_listen"/],
  ];
  for (const [text, says] of texts) {
    await writeFile(path, text);
    await refused(folder.path, { code: 6, says });
  }
});

Deno.test("almenad names the file that stands where a folder should be", async () => {
  for (const name of ["", "data", "logs", "config", "daemon"]) {
    await using folder = await tempFolder();
    const dataDir = join(folder.path, "base");
    const path = join(dataDir, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, "");
    await refused(dataDir, { code: 5, says: new RegExp(`${path}.*; make it `) });
  }
});

testNeeding(
  [linuxRoot(), program("setpriv")],
  "almenad without the right to its folders says so, with exit code 5",
  async () => {
    const tries: [folder: string, mode: number][] = [
      ["", 0],
      ["", 0o500],
      ["data", 0],
      ["data", 0o500],
      ["config", 0],
    ];
    for (const [name, mode] of tries) {
      await using folder = await tempFolder();
      const path = join(folder.path, name);
      await mkdir(path, { recursive: true });
      await chmod(path, mode);
      const says =
        /^almenad: Cannot (use data folder|read|write identity) .*permission denied.*make/i;
      await refused(folder.path, { code: 5, says }, WITHOUT_OVERRIDE);
      await chmod(path, 0o700);
      assert.ok(!(await readdir(join(folder.path, "daemon")).catch(() => [])).length);
    }
  },
);

testNeeding(
  [linuxRoot(), program("setpriv")],
  "almenad runs without a log file, and says that it does",
  async () => {
    await using folder = await tempFolder();
    const logs = join(folder.path, "logs");
    await mkdir(logs, { mode: 0o500 });
    const daemon = await startDaemon({ dataDir: folder.path, wrapper: WITHOUT_OVERRIDE });
    await daemon.logged(/WARN .*Log file cannot be written.*permission denied/);
    const { code } = await daemon.stop();
    assert.equal(code, 0);
    assert.deepEqual(await readdir(logs), []);
  },
);

/** Runs a command with a disk of its own at `folder`, and so much of it free. */
function onDisk(folder: string, freeBlocks: number): string[] {
  const blocks = 256; // of 4 KiB
  const script = [
    `mount -t tmpfs -o size=${blocks * 4}k tmpfs "${folder}"`,
    `head -c ${(blocks - freeBlocks) * 4096} /dev/zero > "${folder}/fill"`,
    'exec "$@"',
  ].join(" && ");
  return ["unshare", "--mount", "sh", "-c", script, "sh"];
}

testNeeding(
  [linuxRoot(), program("unshare")],
  "almenad on a full disk says so, with an exit code that a supervisor may try again",
  async () => {
    await using folder = await tempFolder();
    const full = /No space left on device.*free/i;
    await refused(folder.path, { code: 1, says: full }, onDisk(folder.path, 0));
    // Room for the pid alone: the identity is what does not fit.
    const says = /Cannot write identity .*No space left/i;
    await refused(folder.path, { code: 1, says }, onDisk(folder.path, 1));
    assert.deepEqual(await readdir(folder.path), []);
  },
);

testNeeding(
  [linuxRoot(), program("unshare")],
  "almenad serves on while its disk is full",
  async () => {
    await using folder = await tempFolder();
    const daemon = await startDaemon({
      dataDir: folder.path,
      env: { RUST_LOG: "trace" },
      wrapper: onDisk(folder.path, 2), // pid and identity
    });
    using client = new GrpcClient(daemon.grpcAddress);
    assert.deepEqual(await client.call("Ping"), { message: "pong" });
    const { code, stderr } = await daemon.stop();
    assert.equal(code, 0, stderr);
  },
);

testInNetns("almenad without IPv6 serves IPv4 alone, with one warning a door", async () => {
  await using lan = await Lan.create(["alice"], { hasIpv6: false });
  const { namespace: netns } = lan.host("alice");
  await using daemon = await startDaemon({ netns, hasDefaultPorts: true });
  assert.deepEqual(daemon.ready.grpc_addrs, ["127.0.0.1:50051"]);
  assert.ok(daemon.ready.p2p_addrs.every((address) => address.startsWith("/ip4/")));
  const warnings = daemon.stderr.split("\n").filter((line) => / WARN /.test(line));
  assert.equal(warnings.length, 2, warnings.join("\n"));
  assert.match(warnings.join("\n"), /no IPv6; listening on IPv4 alone/);
  assert.match(warnings.join("\n"), /gRPC address is not available on this machine host='::1'/);
  const url = daemon.url("/healthz");
  assert.equal((await lan.run("alice", ["curl", "-s", "--max-time", "3", url])).stdout, "ok\n");
  const explicit = await runAlmenad(["--grpc-addr", "[::1]:0", "--data-dir", "/tmp/x"], { netns });
  assert.equal(explicit.code, 1, "an address that was asked for is not passed over");
});

for (const limit of [64, 256]) {
  testNeeding(
    [linuxRoot()],
    `almenad serves with ${limit} open files, and says that it takes fewer connections`,
    async () => {
      const wrapper = ["sh", "-c", `ulimit -n ${limit} && exec "$@"`, "sh"];
      await using daemon = await startDaemon({ wrapper });
      await daemon.logged(/WARN .*Few open files are allowed.*ulimit -n/);
      // More callers at once than there are files: some are turned away, none harms the daemon.
      const callers = Array.from({ length: limit * 2 }, async () => {
        const response = await fetch(daemon.url("/healthz"), {
          signal: AbortSignal.timeout(3_000),
        });
        await response.body?.cancel();
      });
      await Promise.allSettled(callers);
      using client = new GrpcClient(daemon.grpcAddress);
      assert.deepEqual(await client.call("Ping"), { message: "pong" });
      assert.equal(await (await fetch(daemon.url("/healthz"))).text(), "ok\n");
      const { code, ms } = await daemon.stop();
      assert.equal(code, 0);
      assert.ok(ms < 2_000, `the stop took ${ms} ms`);
    },
  );
}
