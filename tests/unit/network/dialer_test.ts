import assert from "node:assert/strict";
import { type BootstrapPeer, Dialer, MAX_DIAL_TARGETS } from "../../../src/network/dialer.ts";
import { FakeClock, settle } from "../../support/fake_clock.ts";

const SELF = "m";
/** Sorts after SELF, so SELF dials first. */
const LATER = "z";
/** Sorts before SELF, so it may dial first. */
const EARLIER = "a";
const ADDRESS = "/ip4/192.168.1.5/tcp/4001";

interface Dial {
  readonly peerId: string;
  readonly at: number;
  readonly addresses: readonly string[];
}

/** A dialer on a standing clock, without jitter; dials fail unless the test says otherwise. */
async function withDialer(
  run: (parts: {
    dialer: Dialer;
    clock: FakeClock;
    dials: Dial[];
    connected: Set<string>;
    answer: { dial: (peerId: string, signal: AbortSignal) => Promise<void> };
    times: (peerId?: string) => number[];
  }) => Promise<void>,
  bootstrapPeers: readonly BootstrapPeer[] = [],
): Promise<void> {
  const clock = new FakeClock();
  const dials: Dial[] = [];
  const connected = new Set<string>();
  const answer = {
    dial: (_peerId: string, _signal: AbortSignal): Promise<void> =>
      Promise.reject(new TypeError("nobody answers")),
  };
  const dialer = new Dialer({
    clock,
    random: { unit: () => 0.5, bytes: (count) => new Uint8Array(count) },
    selfId: () => SELF,
    isConnected: (peerId) => connected.has(peerId),
    dial: (peerId, addresses, signal) => {
      dials.push({ peerId, addresses, at: clock.monotonic() });
      return answer.dial(peerId, signal);
    },
  }, { bootstrapPeers });
  const times = (peerId?: string) =>
    dials.filter((dial) => !peerId || dial.peerId === peerId).map(({ at }) => at / 1_000);
  await dialer.start();
  await settle();
  try {
    await run({ dialer, clock, dials, connected, answer, times });
  } finally {
    await dialer.stop();
    assert.equal(clock.pending, 0, "a timer is left");
  }
}

Deno.test("Dialer dials a peer that mDNS found at once when its own id sorts lower", () =>
  withDialer(async ({ dialer, clock, dials }) => {
    dialer.announced(LATER, [ADDRESS]);
    await clock.advance(0);
    assert.deepEqual(dials, [{ peerId: LATER, addresses: [ADDRESS], at: 0 }]);
  }));

Deno.test("Dialer waits 1 s for a peer whose id sorts lower, and dials only if still apart", () =>
  withDialer(async ({ dialer, clock, connected, times }) => {
    dialer.announced(EARLIER, [ADDRESS]);
    dialer.announced("b", [ADDRESS]);
    await clock.advance(999);
    assert.deepEqual(times(), []);
    connected.add("b"); // it has dialled us meanwhile
    dialer.connected("b");
    await clock.advance(1);
    assert.deepEqual(times(), [1]);
    assert.deepEqual(times("b"), []);
  }));

Deno.test("Dialer backs off 1, 2, 4, 8 s, then 10 s, while mDNS announces the peer", () =>
  withDialer(async ({ dialer, clock, times }) => {
    dialer.announced(LATER, [ADDRESS]);
    for (let second = 0; second < 60; second += 5) {
      await clock.advance(5_000);
      dialer.announced(LATER, [ADDRESS]); // every announcement after the first changes nothing
    }
    assert.deepEqual(times(), [0, 1, 3, 7, 15, 25, 35, 45, 55]);
  }));

Deno.test("Dialer backs off up to 60 s for a peer that was connected and fell silent", () =>
  withDialer(async ({ dialer, clock, connected, times }) => {
    dialer.announced(LATER, [ADDRESS]);
    connected.add(LATER);
    dialer.connected(LATER);
    await clock.advance(10);
    dialer.silent(LATER);
    connected.delete(LATER);
    dialer.disconnected(LATER);
    const from = clock.monotonic() / 1_000;
    await clock.advance(300_000);
    const waits = times(LATER).map((at) => at - from);
    assert.deepEqual(waits, [1, 3, 7, 15, 31, 63, 123, 183, 243]);
  }));

Deno.test("Dialer spreads its waits by jitter of 20 %", async () => {
  for (const [unit, wait] of [[0, 800], [0.999_999, 1_200]] as const) {
    const clock = new FakeClock();
    const times: number[] = [];
    const dialer = new Dialer({
      clock,
      random: { unit: () => unit, bytes: (count) => new Uint8Array(count) },
      selfId: () => SELF,
      isConnected: () => false,
      dial: () => {
        times.push(clock.monotonic());
        return Promise.reject(new TypeError("nobody answers"));
      },
    }, { bootstrapPeers: [] });
    await dialer.start();
    dialer.announced(LATER, [ADDRESS]);
    await clock.advance(1_500);
    assert.deepEqual(times, [0, wait]);
    await dialer.stop();
  }
});

Deno.test("Dialer forgets a peer that fell silent and was never connected", () =>
  withDialer(async ({ dialer, clock, times }) => {
    dialer.announced(LATER, [ADDRESS]);
    await clock.advance(0);
    dialer.silent(LATER);
    await clock.advance(600_000);
    assert.deepEqual(times(), [0]);
    dialer.silent("never heard of");
  }));

Deno.test("Dialer starts anew with a fresh announcement after silence", () =>
  withDialer(async ({ dialer, clock, connected, dials, times }) => {
    dialer.announced(LATER, [ADDRESS]);
    connected.add(LATER);
    dialer.connected(LATER);
    dialer.silent(LATER);
    connected.delete(LATER);
    dialer.disconnected(LATER);
    await clock.advance(20_000); // waits grow: 1, 2, 4, 8, 16
    assert.deepEqual(times(), [1, 3, 7, 15]);
    dialer.announced(LATER, ["/ip4/192.168.1.9/tcp/1"]);
    await clock.advance(3_000);
    assert.deepEqual(times(), [1, 3, 7, 15, 20, 21, 23]);
    assert.deepEqual(dials.at(-1)!.addresses, ["/ip4/192.168.1.9/tcp/1"]);
  }));

Deno.test("Dialer starts anew when the machine's addresses change", () =>
  withDialer(async ({ dialer, clock, times }) => {
    dialer.announced(LATER, [ADDRESS]);
    await clock.advance(16_000);
    assert.deepEqual(times(), [0, 1, 3, 7, 15]);
    dialer.interfacesChanged();
    await clock.advance(1_500);
    assert.deepEqual(times(), [0, 1, 3, 7, 15, 16, 17]);
  }));

Deno.test("Dialer stops dialling once connected, and begins with 1 s when the link is lost", () =>
  withDialer(async ({ dialer, clock, connected, answer, times }) => {
    answer.dial = (peerId) => {
      connected.add(peerId);
      dialer.connected(peerId);
      return Promise.resolve();
    };
    dialer.announced(LATER, [ADDRESS]);
    await clock.advance(60_000);
    assert.deepEqual(times(), [0]);
    connected.delete(LATER);
    dialer.disconnected(LATER);
    await clock.advance(5_000);
    assert.deepEqual(times(), [0, 61]);
  }));

Deno.test("Dialer has one dial at a time to a peer", () =>
  withDialer(async ({ dialer, clock, answer, times }) => {
    const { promise, reject } = Promise.withResolvers<void>();
    answer.dial = () => promise;
    dialer.announced(LATER, [ADDRESS]);
    await clock.advance(0);
    dialer.interfacesChanged();
    dialer.disconnected(LATER);
    await clock.advance(120_000);
    assert.deepEqual(times(), [0]);
    reject(new TypeError("refused"));
    await settle();
    await clock.advance(10_000);
    assert.ok(times().length > 1);
  }));

Deno.test("Dialer begins at most 10 dials a second", () =>
  withDialer(async ({ dialer, clock, dials }) => {
    for (let n = 0; n < 35; n++) dialer.announced(`z${n}`, [ADDRESS]);
    for (let ms = 0; ms <= 15_000; ms += 100) {
      await clock.advance(100);
      const recent = dials.filter(({ at }) => at > clock.monotonic() - 1_000);
      assert.ok(recent.length <= 10, `${recent.length} dials within a second`);
    }
    assert.equal(new Set(dials.map(({ peerId }) => peerId)).size, 35); // all had their turn
  }));

Deno.test("Dialer bounds the peers it waits for", () =>
  withDialer(async ({ dialer, clock }) => {
    for (let n = 0; n < 2 * MAX_DIAL_TARGETS; n++) dialer.announced(`a${n}`, [ADDRESS]);
    assert.ok(clock.pending <= MAX_DIAL_TARGETS + 1);
    await clock.advance(0);
  }));

const BOOTSTRAP = ["p", "q"].map((peerId) => ({
  peerId,
  address: `/ip4/192.0.2.1/tcp/4001/p2p/${peerId}`,
}));

Deno.test("Dialer dials bootstrap peers at start, and again every 60 s while none is connected", () =>
  withDialer(async ({ dialer, clock, dials, connected, times }) => {
    await clock.advance(0);
    assert.deepEqual(dials.map(({ peerId, addresses }) => [peerId, ...addresses]), [
      ["p", BOOTSTRAP[0]!.address],
      ["q", BOOTSTRAP[1]!.address],
    ]);
    await clock.advance(60_000);
    assert.ok(times("p").includes(60) && times("q").includes(60), times("p").join());
    connected.add("p");
    dialer.connected("p");
    const before = times("p").length;
    await clock.advance(300_000);
    assert.equal(times("p").length, before);
  }, BOOTSTRAP));

Deno.test("Dialer.setBootstrapPeers() dials new ones at once", () =>
  withDialer(async ({ dialer, clock, times }) => {
    dialer.setBootstrapPeers(BOOTSTRAP);
    await clock.advance(0);
    assert.deepEqual([times("p"), times("q")], [[0], [0]]);
    dialer.setBootstrapPeers([]);
  }));

Deno.test("Dialer.stop() ends dials under way, and nothing is dialled after it", () =>
  withDialer(async ({ dialer, clock, answer, times }) => {
    let isAborted = false;
    answer.dial = (_peerId, signal) =>
      new Promise((_, reject) =>
        signal.addEventListener("abort", () => {
          isAborted = true;
          reject(signal.reason);
        })
      );
    dialer.announced(LATER, [ADDRESS]);
    await clock.advance(0);
    await dialer.stop();
    await dialer.stop();
    assert.equal(isAborted, true);
    dialer.announced("zz", [ADDRESS]);
    dialer.disconnected(LATER);
    await clock.advance(600_000);
    assert.deepEqual(times(), [0]);
  }));

Deno.test("Dialer.stop() before start() does nothing", async () => {
  const clock = new FakeClock();
  const dialer = new Dialer({
    clock,
    random: { unit: () => 0.5, bytes: (count) => new Uint8Array(count) },
    selfId: () => SELF,
    isConnected: () => false,
    dial: () => Promise.resolve(),
  }, { bootstrapPeers: BOOTSTRAP });
  await dialer.stop();
  assert.equal(clock.pending, 0);
});
