/**
 * A daemon killed at steps of its writes of trust, networks and policies: old or new, never lost.
 * The small size has some of the steps; state_crash_test.ts has them all, without a daemon.
 */
import assert from "node:assert/strict";
import { generateKeyPair } from "@libp2p/crypto/keys";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { act, ask } from "../support/control_calls.ts";
import { type DaemonProcess, startDaemon } from "../support/daemon.ts";
import { sized } from "../support/hostile/seeded.ts";
import { killAt, WRITE_STEPS } from "../support/kill_at.ts";
import { withDeadline } from "../../src/core/mod.ts";
import { linuxRoot, program, testNeeding } from "../support/needs.ts";
import { folderOf, SUBJECTS } from "../support/state_writer.ts";
import { tempFolder } from "../support/temp_folder.ts";

const NAMES = Object.keys(SUBJECTS);

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
      // The small size has one step for each file.
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
