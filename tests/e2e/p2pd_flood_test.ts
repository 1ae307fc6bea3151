/** Peers that flood pubsub or fill the DHT: what they cost is bounded, and others are served. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { pause } from "../../src/core/mod.ts";
import { PUBSUB, REQUEST, Request } from "../../src/p2pd/wire/messages.ts";
import { type Abuse, Abuser } from "../support/hostile/abuser.ts";
import { sized } from "../support/hostile/seeded.ts";
import { P2pd } from "../support/p2pd_process.ts";
import { waitFor } from "../support/wait.ts";
import { cpuMs } from "../bench/process_stats.ts";

const ABUSE_MS = sized(2_000, 60_000);
/** More than is done in that time. */
const WITHOUT_END = 10_000_000;
/** Longest wait of others; the machine's processors are the abusers' as well. */
const IDENTIFY_MS = 2_000;
const STREAM_S = 5;
const MESSAGE_MS = 5_000;
/** What a flood may cost in memory, with what is not collected yet. */
const GROWTH_MIB = sized(160, 260);
const FLAGS = ["-dhtServer", "-pubsub"];
const ABUSED = "abused";
const HONEST = "honest";

async function echoed(from: P2pd, to: P2pd): Promise<void> {
  const { socket } = await from.client.streamOpen(to.peerId, ["/echo/1.0.0"], STREAM_S);
  socket.write("x");
  for await (const chunk of socket) {
    assert.equal(String(chunk), "x");
    break;
  }
}

/** A program that subscribes and reads nothing. */
async function slowSubscriber(p2pd: P2pd, topic: string): Promise<Deno.UnixConn> {
  const path = p2pd.listen.slice("/unix".length);
  const connection = await Deno.connect({ transport: "unix", path });
  const pubsub = { type: PUBSUB.subscribe, topic };
  const bytes = Request.encode({ type: REQUEST.pubsub, pubsub });
  await connection.write(Uint8Array.of(bytes.length, ...bytes));
  return connection;
}

/** What others get while something goes on: the daemon answers, and their messages arrive. */
async function othersAreServed(p2pd: P2pd, honest: P2pd, until: number): Promise<number> {
  const messages = await p2pd.client.pubsubSubscribe(HONEST);
  const got = new Set<string>();
  const reading = (async () => {
    for await (const { data } of messages) got.add(new TextDecoder().decode(data));
  })();
  await waitFor("the subscription", async () => {
    return (await honest.client.pubsubPeers(HONEST)).includes(p2pd.peerId);
  });
  let rounds = 0;
  while (performance.now() < until) {
    const text = `message ${rounds++}`;
    await honest.client.pubsubPublish(HONEST, new TextEncoder().encode(text));
    const begun = performance.now();
    assert.equal(await p2pd.client.identify(), p2pd.peerId);
    const took = performance.now() - begun;
    assert.ok(took < IDENTIFY_MS, `IDENTIFY took ${took} ms`);
    await echoed(honest, p2pd);
    await waitFor("an honest message", () => got.has(text), MESSAGE_MS);
    await pause(20);
  }
  await messages.return?.();
  await reading;
  return rounds;
}

/** Starts abusers and looks after what they do; they are gone at the end. */
async function besiege(p2pd: P2pd, honest: P2pd, abuses: readonly Abuse[]): Promise<number> {
  await using stack = new AsyncDisposableStack();
  const before = p2pd.residentMiB();
  const abusers = await Promise.all(
    abuses.map((abuse) => Abuser.start(p2pd, abuse, WITHOUT_END, ABUSE_MS)),
  );
  for (const abuser of abusers) stack.use(abuser);
  let most = 0;
  const timer = setInterval(() => most = Math.max(most, p2pd.residentMiB() - before), 100);
  stack.defer(() => clearInterval(timer));
  assert.ok(await othersAreServed(p2pd, honest, performance.now() + ABUSE_MS) > 2);
  return most;
}

async function isAtRest(p2pd: P2pd): Promise<boolean> {
  const before = await cpuMs(p2pd.process.pid);
  await pause(500);
  return await cpuMs(p2pd.process.pid) - before < 150;
}

async function hasRecovered(p2pd: P2pd, honest: P2pd): Promise<void> {
  await waitFor("the abusers' leaving", async () => {
    return (await p2pd.client.listPeers()).length <= 1;
  });
  await waitFor("rest", () => isAtRest(p2pd), 20_000);
  await othersAreServed(p2pd, honest, performance.now() + 300);
}

const PUBSUB_FLOODS: readonly (readonly [router: string, ...Abuse[]])[] = [
  ["gossipsub", "pubsub", "rpcs"],
  ["floodsub", "pubsub", "rpcs"],
  ...sized(0, 1) ? [["gossipsub", "large"] as const] : [],
];
for (const [router, ...abuses] of PUBSUB_FLOODS) {
  Deno.test(`p2pd bounds a ${router} flood (${abuses.join()}), and serves others`, async () => {
    const flags = [...FLAGS, `-pubsubRouter=${router}`];
    await using p2pd = await P2pd.start("almenad", { flags });
    await using honest = await P2pd.start("almenad", { flags });
    await honest.join(p2pd);
    const slow = await slowSubscriber(p2pd, ABUSED);
    await echoed(honest, p2pd);
    const most = await besiege(p2pd, honest, abuses);
    assert.ok(most < GROWTH_MIB, `memory grew by ${most.toFixed(0)} MiB`);
    await hasRecovered(p2pd, honest);
    slow.close();
  });
}

Deno.test("p2pd keeps little for a peer that subscribes and reads nothing", async () => {
  const [count, size] = [sized(120, 2_000), 1_024 * 1_024];
  await using p2pd = await P2pd.start("almenad", { flags: FLAGS });
  await using honest = await P2pd.start("almenad", { flags: FLAGS });
  await honest.join(p2pd);
  await using abuser = await Abuser.start(p2pd, "deaf", 0);
  await abuser.done();
  await using messages = await messagesOf(honest, ABUSED);
  await waitFor("both subscriptions", async () => {
    return (await p2pd.client.pubsubPeers(ABUSED)).length === 2;
  });
  const before = p2pd.residentMiB();
  const data = crypto.getRandomValues(new Uint8Array(65_536));
  const large = new Uint8Array(size);
  for (let at = 0; at < size; at += data.length) large.set(data, at);
  let most = 0;
  for (let at = 0; at < count; at++) {
    large[0] = at % 256;
    await p2pd.client.pubsubPublish(ABUSED, large);
    most = Math.max(most, p2pd.residentMiB() - before);
    await waitFor("the message at the other peer", () => messages.count() > at);
  }
  assert.ok(most < GROWTH_MIB, `memory grew by ${most.toFixed(0)} MiB`);
});

interface Messages extends AsyncDisposable {
  count(): number;
}

async function messagesOf(p2pd: P2pd, topic: string): Promise<Messages> {
  const messages = await p2pd.client.pubsubSubscribe(topic);
  let count = 0;
  const reading = (async () => {
    for await (const _message of messages) count++;
  })();
  return {
    count: () => count,
    [Symbol.asyncDispose]: async () => {
      await messages.return?.();
      await reading;
    },
  };
}

Deno.test("p2pd bounds what peers store in its DHT, and serves others", async () => {
  const folder = await Deno.makeTempDir({ prefix: "p2pd-dht-" });
  try {
    const path = join(folder, "dht.sqlite");
    await using p2pd = await P2pd.start("almenad", { flags: [...FLAGS, `-datastore=${path}`] });
    await using honest = await P2pd.start("almenad", { flags: FLAGS });
    await honest.join(p2pd);
    await echoed(honest, p2pd);
    const most = await besiege(p2pd, honest, ["dht", "providers"]);
    assert.ok(most < GROWTH_MIB, `memory grew by ${most.toFixed(0)} MiB`);
    let stored = 0;
    for await (const { name } of Deno.readDir(folder)) {
      stored += (await Deno.stat(join(folder, name))).size;
    }
    const limit = sized(32, 320);
    assert.ok(stored < limit * 2 ** 20, `${stored} bytes on the disk`);
    await hasRecovered(p2pd, honest);
    const key = new TextEncoder().encode("/mine/key");
    await honest.client.dhtPutValue(key, new TextEncoder().encode("mine"), 10);
    const { value } = await p2pd.client.dhtGetValue(key, 10);
    assert.equal(new TextDecoder().decode(value), "mine");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
