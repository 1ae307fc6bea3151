/** Trust among real daemons: by way of a third one, against strangers, and in private mode. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { act, ask } from "../support/control_calls.ts";
import { type DaemonProcess, startDaemon } from "../support/daemon.ts";
import { sized } from "../support/hostile/seeded.ts";
import { jsonLine, LineProcess } from "../support/line_process.ts";
import { Lan, testInNetns } from "../support/netns.ts";
import { tempFolder } from "../support/temp_folder.ts";
import { waitFor } from "../support/wait.ts";

const FOE = fileURLToPath(new URL("../support/hostile/trust_foe.ts", import.meta.url));
const CONFIG = fileURLToPath(new URL("../../deno.json", import.meta.url));

interface Trusted {
  readonly peer_id: string;
  readonly mutual: boolean;
}

async function trustedBy({ dataDir }: { dataDir: string }): Promise<Trusted[]> {
  return (await ask(dataDir, "trust.list"))["peers"] as Trusted[];
}

async function pendingAt({ dataDir }: { dataDir: string }) {
  const { requests } = await ask(dataDir, "trust.pending");
  return requests as { peer_id: string; justification: string }[];
}

/** Makes two daemons that are both there trust each other. */
async function befriend(one: DaemonProcess, other: DaemonProcess): Promise<void> {
  const { ticket } = await ask(other.dataDir, "trust.invite");
  await act(one.dataDir, "trust.accept", { ticket });
  await act(other.dataDir, "trust.approve", { peer: one.ready.peer_id });
  await waitFor("mutual trust", async () => {
    const sides = await Promise.all([trustedBy(one), trustedBy(other)]);
    return sides[0]!.some(({ peer_id, mutual }) => mutual && peer_id === other.ready.peer_id) &&
      sides[1]!.some(({ peer_id, mutual }) => mutual && peer_id === one.ready.peer_id);
  });
}

testInNetns("A and C, never there together, come to trust each other by way of B", async () => {
  await using stack = new AsyncDisposableStack();
  const lan = stack.use(await Lan.create(["a", "b", "c"]));
  const folders = new Map<string, string>();
  for (const name of ["a", "b", "c"]) folders.set(name, stack.use(await tempFolder()).path);
  const start = async (name: string) =>
    stack.use(
      await startDaemon({ dataDir: folders.get(name)!, netns: lan.host(name).namespace }),
    );
  const b = await start("b");
  const c = await start("c");
  await befriend(c, b);
  await c.stop();
  const a = await start("a");
  await befriend(a, b);
  await act(a.dataDir, "trust.request", { peer: c.ready.peer_id, justification: "A, by way of B" });
  await a.stop();
  const later = await start("c");
  const [request] = await waitFor("the relayed request", async () => {
    const requests = await pendingAt(later);
    return requests.length === 1 && requests;
  });
  assert.deepEqual([request!.peer_id, request!.justification], [
    a.ready.peer_id,
    "A, by way of B",
  ]);
  await act(later.dataDir, "trust.approve", { peer: a.ready.peer_id });
  const known = async () => {
    const path = `${folders.get("b")!}/data/relay_inbox.json`;
    return (await Deno.readTextFile(path)).includes(`"to": "${a.ready.peer_id}"`);
  };
  await waitFor("the answer to lie at B", known);
  await later.stop();
  const again = await start("a");
  const waited = await ask(again.dataDir, "trust.wait", { peer: c.ready.peer_id });
  assert.equal(waited["trusted"], true);
  const record = (await trustedBy(again)).find(({ peer_id }) => peer_id === c.ready.peer_id);
  assert.equal(record?.mutual, true);
});

interface Foe {
  readonly eve: string;
  readonly answers: Readonly<Record<string, string>>;
  readonly words: Readonly<Record<string, number>>;
}

/** Lets a stranger do its worst from a host of its own. */
async function attack(lan: Lan, daemon: DaemonProcess): Promise<Foe> {
  const port = daemon.ready.p2p_addrs.find((one) => one.startsWith("/ip4/"))?.split("/")[4];
  const host = lan.host("ada").ipv4;
  const address = `/ip4/${host}/tcp/${port}/p2p/${daemon.ready.peer_id}`;
  const size = [sized(10, 100), sized(20, 100)].map(String);
  const deno = [Deno.execPath(), "run", "-A", "--unstable-net", "--no-check", "--config", CONFIG];
  await using foe = new LineProcess({
    command: [...deno, FOE, address, ...size],
    netns: lan.host("foe").namespace,
  });
  return await foe.waitFor("the foe's end", (line) => {
    const json = jsonLine(line);
    return json?.["event"] === "done" ? json as unknown as Foe : undefined;
  }, sized(60_000, 600_000));
}

testInNetns("Strangers that forge, replay and flood are refused; others are heard", async () => {
  await using stack = new AsyncDisposableStack();
  const lan = stack.use(await Lan.create(["ada", "bob", "foe"]));
  const dataDir = stack.use(await tempFolder()).path;
  const start = async (name: string, path: string) =>
    stack.use(await startDaemon({ dataDir: path, netns: lan.host(name).namespace }));
  const ada = await start("ada", dataDir);
  const bob = await start("bob", stack.use(await tempFolder()).path);
  await befriend(bob, ada);
  const attacking = attack(lan, ada);
  let isOver = false;
  const ended = attacking.finally(() => isOver = true);
  ended.catch(() => undefined);
  let slowest = 0;
  let unheard = 0;
  let n = 0;
  // Meanwhile Bob asks again and again, and Ada answers everybody at her doors.
  for (; !isOver; n++) {
    const begun = performance.now();
    const request = { peer: ada.ready.peer_id, justification: `${n}` };
    const isHeard = act(bob.dataDir, "trust.request", request).then(() => true, () => false);
    if (!await isHeard) unheard++;
    slowest = Math.max(slowest, performance.now() - begun);
    await new Promise((resolve) => setTimeout(resolve, sized(300, 5_000)));
  }
  const { answers, words, eve } = await ended;
  // The foe's host and Ada's share the processors here, so a ping may come too late for a link.
  assert.ok(unheard <= n / 10, `${unheard} of Bob's ${n} requests were not heard`);
  assert.ok(slowest < 10_000, `Bob waited ${slowest} ms`);
  const { honest, "1 MiB": large, ...refused } = answers;
  assert.equal(honest, "ok");
  assert.equal(large, ""); // the link was cut
  for (const [what, word] of Object.entries(refused)) {
    assert.match(word, /^(invalid_argument|unauthenticated|already_exists)$/, what);
  }
  const pending = await pendingAt(ada);
  assert.ok(pending.length > 0 && pending.length <= 16, `${pending.length} wait`);
  const mine = pending.find(({ peer_id }) => peer_id === eve);
  assert.equal(mine?.justification, "let me in [31m"); // nothing that steers a terminal
  assert.deepEqual(
    Object.keys(words).filter((word) => !/^(ok|resource_exhausted|)$/.test(word)),
    [],
  );
  assert.ok((await trustedBy(ada)).some(({ peer_id }) => peer_id === bob.ready.peer_id));
  assert.equal((await trustedBy(ada)).length, 1);
  assert.doesNotMatch(ada.stderr, /uncaught|unhandled/i);
  assert.equal((await ada.stop()).code, 0);
});
