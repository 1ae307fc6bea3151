/**
 * kill -9 at each step of each write of trust, networks and policies: old or new, never lost. The
 * small size kills a program that writes them at every step, and the daemon at some; the full size
 * the daemon at every step as well.
 */
import assert from "node:assert/strict";
import { generateKeyPair } from "@libp2p/crypto/keys";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { act, ask } from "../support/control_calls.ts";
import { type DaemonProcess, startDaemon } from "../support/daemon.ts";
import { sized } from "../support/hostile/seeded.ts";
import { killAt, WRITE_STEPS, type WriteStep } from "../support/kill_at.ts";
import { LineProcess } from "../support/line_process.ts";
import { withDeadline } from "../../src/core/mod.ts";
import { linuxRoot, program, testNeeding } from "../support/needs.ts";
import { SUBJECTS } from "../support/state_writer.ts";
import { tempFolder } from "../support/temp_folder.ts";

const WRITER = fileURLToPath(new URL("../support/state_writer.ts", import.meta.url));
const NAMES = Object.keys(SUBJECTS);

function writerCommand(...words: string[]): string[] {
  return [Deno.execPath(), "run", "-A", "--no-check", WRITER, ...words];
}

/** Where the file of a subject lies. */
function folderOf(what: string, root: string): string {
  return what === "policies" ? join(root, "policies") : root;
}

/** Kills a writer at one step of its second change. @returns What the files say then. */
async function killWriter(what: string, step: WriteStep): Promise<number> {
  await using folder = await tempFolder();
  const command = writerCommand(folder.path, what, "1", "2", "wait");
  await using writer = new LineProcess({ command });
  await writer.waitFor("the first change", (line) => line === "done 1" || undefined, 30_000);
  await using _watch = await killAt(writer.pid, step, folderOf(what, folder.path));
  await writer.write("go");
  const { signal } = await writer.ended();
  assert.equal(signal, "SIGKILL", `${what}: nobody came to "${step.name}"`);
  assert.deepEqual(writer.lines, ["done 1"]);
  return await SUBJECTS[what]!(folder.path).read();
}

for (const what of NAMES) {
  testNeeding(
    [program("strace"), linuxRoot()],
    `kill -9 at each step of a write of ${what} leaves the old state or the new`,
    async () => {
      for (const step of WRITE_STEPS) {
        assert.equal(await killWriter(what, step), step.leaves === "old" ? 1 : 2, step.name);
      }
    },
  );
}

/** Runs the writer on a disk that answers a system call with an error, and gives what it said. */
async function failWith(folder: string, syscall: string, error: string): Promise<string[]> {
  const args = [
    ...["-f", "-qq", "-o", "/dev/null", "-e", `trace=${syscall}`],
    ...["-e", `inject=${syscall}:error=${error}`, ...writerCommand(folder, "all", "2", "2")],
  ];
  const { stdout } = await new Deno.Command("strace", { args, stderr: "null" }).output();
  return new TextDecoder().decode(stdout).trim().split("\n");
}

testNeeding(
  [program("strace")],
  "a full or failing disk acknowledges nothing, names the file and leaves the old state",
  async () => {
    for (const [syscall, error] of [["fsync", "ENOSPC"], ["rename", "ENOSPC"], ["fsync", "EIO"]]) {
      await using folder = await tempFolder();
      for (const what of NAMES) await SUBJECTS[what]!(folder.path).change(1);
      const said = await failWith(folder.path, syscall!, error!);
      assert.equal(said.length, NAMES.length);
      for (const [index, what] of NAMES.entries()) {
        assert.match(said[index]!, new RegExp(`^failed ${what} 2: .*Cannot write .*\\.json: `));
        assert.equal(await SUBJECTS[what]!(folder.path).read(), 1, `${what} ${syscall} ${error}`);
      }
      const left = (await readdir(folder.path, { recursive: true }))
        .filter((name) => name.endsWith(".tmp"));
      assert.deepEqual(left, []);
    }
  },
);

Deno.test("kill -9 at any moment leaves the old state or the new", async () => {
  const rounds = sized(1, 40);
  for (const what of NAMES) {
    await using folder = await tempFolder();
    let last = 0;
    for (let round = 0; round < rounds; round++) {
      const command = writerCommand(folder.path, what, String(last + 1), "1000000");
      await using writer = new LineProcess({ command });
      const enough = `done ${last + 20 + 7 * round}`;
      await writer.waitFor(enough, (line) => line === enough || undefined, 60_000);
      await writer.stop("SIGKILL");
      last = Number(writer.lines.at(-1)!.slice("done ".length));
      const found = await SUBJECTS[what]!(folder.path).read();
      assert.ok(found === last || found === last + 1, `${what}: ${last} was told, found ${found}`);
      last = found;
    }
    const left = (await readdir(folder.path)).filter((name) => name.endsWith(".tmp"));
    assert.ok(left.length <= rounds, "temporary files pile up");
  }
});

/** A file of a running daemon: how its n-th change is made, and whether it is there afterwards. */
interface Change {
  make(dataDir: string, n: number): Promise<unknown>;
  isThere(dataDir: string, n: number): Promise<boolean>;
}

const NETWORK = 7;
/** Trusted all the time. */
const BYSTANDER = "12D3KooWGRYZDHBembyGJQqMbYDbLAEbkSBFGkLkZpJxSfE5oyjL";
const PEERS = await Promise.all(WRITE_STEPS.map(async () => {
  return peerIdFromPrivateKey(await generateKeyPair("Ed25519")).toString();
}));

function policyNamed(name: string) {
  const rule = { name, on: "connect", match: "true", actions: [{ type: "deny" }] };
  return { network: NETWORK, policy: { version: 1, rules: [rule] } };
}

const CHANGES: Readonly<Record<string, Change>> = {
  trust: {
    make: (dir, n) => act(dir, "trust.revoke", { peer: PEERS[n] }),
    isThere: async (dir, n) => {
      const { peers } = await ask(dir, "trust.list");
      const ids = (peers as { peer_id: string }[]).map(({ peer_id }) => peer_id);
      assert.deepEqual(ids.slice(-1), [BYSTANDER], "others were lost");
      return !ids.includes(PEERS[n]!);
    },
  },
  networks: {
    make: (dir, n) => act(dir, "network.tag", { id: NETWORK, tags: [`n${n}`] }),
    isThere: async (dir, n) => {
      const { networks } = await ask(dir, "network.members", { id: NETWORK });
      const [network] = networks as { members: { tags: string[] }[] }[];
      return network!.members[0]!.tags[0] === `n${n}`;
    },
  },
  policies: {
    make: (dir, n) => act(dir, "policy.start", policyNamed(`n${n}`)),
    isThere: async (dir, n) => {
      const { policy } = await ask(dir, "policy.show", { network: NETWORK });
      return JSON.parse(String(policy)).rules[0].name === `n${n}`;
    },
  },
};

/** A daemon with some trusted peers, a network and a policy. */
async function begin(dataDir: string): Promise<DaemonProcess> {
  await mkdir(join(dataDir, "config"));
  const config = '[geolocation]\nurl = "http://127.0.0.1:9/"\n';
  await writeFile(join(dataDir, "config", "config.toml"), config);
  const approvedAt = "2026-01-01T00:00:00.000Z";
  const trusted = [...PEERS, BYSTANDER].map((peerId) => ({ peerId, approvedAt }));
  await mkdir(join(dataDir, "data"), { mode: 0o700 });
  await writeFile(join(dataDir, "data", "trust.json"), JSON.stringify({ trusted }));
  const daemon = await startDaemon({ dataDir });
  const token = "a token of some length";
  await act(dataDir, "network.join", { id: NETWORK, token, name: "home" });
  await act(dataDir, "network.tag", { id: NETWORK, tags: ["first"] });
  await act(dataDir, "policy.start", policyNamed("first"));
  return daemon;
}

testNeeding(
  [program("strace"), linuxRoot()],
  "almenad killed at a step of a write comes back with the old state or the new",
  async () => {
    await using folder = await tempFolder();
    const dataDir = folder.path;
    await using stack = new AsyncDisposableStack();
    let daemon = stack.use(await begin(dataDir));
    for (const [index, what] of NAMES.entries()) {
      // The small size has one step for each file; the writer above has them all.
      const wanted = ["rename", "open the folder", "sync the file"][index];
      const steps = WRITE_STEPS.filter(({ name }) => sized(0, 1) === 1 || name === wanted);
      const { make, isThere } = CHANGES[what]!;
      for (const [n, step] of steps.entries()) {
        const when = `${what}: ${step.name}`;
        {
          const place = folderOf(what, join(dataDir, "data"));
          await using _watch = await killAt(daemon.pid, step, place);
          await assert.rejects(make(dataDir, n), `${when}: nobody came to it`);
          assert.equal(await withDeadline(daemon.ended(), 10_000, when), 128 + 9, when);
        }
        daemon = stack.use(await startDaemon({ dataDir }));
        assert.equal(await isThere(dataDir, n), step.leaves === "new", when);
      }
      const last = steps.length - 1;
      // It can be changed as before; what is revoked cannot be revoked again.
      if (!await isThere(dataDir, last)) await make(dataDir, last);
      assert.equal(await isThere(dataDir, last), true);
    }
    assert.equal((await daemon.stop()).code, 0);
  },
);
