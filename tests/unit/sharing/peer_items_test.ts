/** Peers that are busy, asleep or not trusted for a while come back by themselves. */
import assert from "node:assert/strict";
import { PeerRefusal } from "../../../src/sharing/messages.ts";
import { MAX_SILENCE_MS, PeerItems, PING_INTERVAL_MS } from "../../../src/sharing/peer_items.ts";
import { FakeClock } from "../../support/fake_clock.ts";

const GAME = {
  id: "game",
  name: "Game",
  version: "1",
  size: 1,
  downloaded: true,
  installed: false,
};

function scene() {
  const clock = new FakeClock();
  const told: string[] = [];
  const state = {
    may: true,
    pings: 0,
    answer: () => Promise.resolve(),
    list: () => Promise.resolve([GAME]),
  };
  const items = new PeerItems({
    clock,
    client: {
      ping: (_peer, signal) => {
        state.pings++;
        const { promise, reject } = Promise.withResolvers<never>();
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
        promise.catch(() => undefined);
        return Promise.race([state.answer(), promise]);
      },
      listGames: () => state.list(),
    },
    mayShareWith: () => state.may,
    onJoined: (peer) => void told.push(`joined ${peer}`),
    onLeft: (peer) => void told.push(`left ${peer}`),
    onListed: () => undefined,
  });
  items.start();
  const pass = async (ms: number) => {
    for (let at = 0; at < ms; at += 1_000) await clock.advance(1_000);
  };
  return { items, told, state, pass };
}

Deno.test("PeerItems keeps a peer that is too busy to tell its list", async () => {
  const { items, told, state, pass } = scene();
  items.speaks("a");
  await pass(PING_INTERVAL_MS);
  assert.equal(items.latest("game")?.version, "1");
  state.answer = () => Promise.reject(new PeerRefusal("Busy"));
  state.list = () => Promise.reject(new PeerRefusal("Busy"));
  await pass(10 * PING_INTERVAL_MS);
  assert.deepEqual(told, ["joined a"]);
  assert.equal(items.latest("game")?.version, "1");
  items.stop();
});

Deno.test("PeerItems takes a peer back that fell silent while its connection stayed", async () => {
  const { items, told, state, pass } = scene();
  items.speaks("a");
  await pass(PING_INTERVAL_MS);
  state.answer = () => Promise.reject(new TypeError("asleep"));
  await pass(MAX_SILENCE_MS + 2 * PING_INTERVAL_MS);
  assert.deepEqual(told, ["joined a", "left a"]);
  state.answer = () => Promise.resolve();
  await pass(PING_INTERVAL_MS + 1_000);
  assert.deepEqual(told, ["joined a", "left a", "joined a"]);
  assert.equal(items.latest("game")?.version, "1");
  items.left("a"); // its connection closed
  state.pings = 0;
  await pass(3 * PING_INTERVAL_MS);
  assert.equal(state.pings, 0);
  items.stop();
});

Deno.test("PeerItems follows who may share: trust that comes or goes counts within ten seconds", async () => {
  const { items, told, state, pass } = scene();
  state.may = false;
  items.speaks("a");
  await pass(2 * PING_INTERVAL_MS);
  assert.deepEqual([told, state.pings], [[], 0], "nobody is asked who may not share");
  state.may = true;
  await pass(PING_INTERVAL_MS);
  assert.deepEqual(told, ["joined a"]);
  state.may = false;
  await pass(PING_INTERVAL_MS);
  assert.deepEqual(told, ["joined a", "left a"]);
  assert.equal(items.latest("game"), undefined);
  items.stop();
});

Deno.test("PeerItems forgets a peer that refuses for good", async () => {
  const { items, told, state, pass } = scene();
  state.answer = () => Promise.reject(new PeerRefusal("Forbidden"));
  items.speaks("a");
  await pass(5 * PING_INTERVAL_MS);
  assert.deepEqual(told, ["joined a", "left a"]);
  items.stop();
});
