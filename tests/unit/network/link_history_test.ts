import assert from "node:assert/strict";
import { failureOf } from "../../../src/network/link_failure.ts";
import { LinkHistory, MAX_LINK_EVENTS, MAX_LINK_PEERS } from "../../../src/network/link_history.ts";
import { FakeClock } from "../../support/fake_clock.ts";

Deno.test("LinkHistory counts what repeats as one, and keeps the newest", async () => {
  const clock = new FakeClock();
  const history = new LinkHistory({ clock });
  const began = clock.now();
  const refused = () => new Error("connect ECONNREFUSED 127.0.0.1:9");
  for (let n = 0; n < 500; n++) {
    history.note("a", { kind: "dialled", addresses: ["/ip4/127.0.0.1/tcp/9"], error: refused() });
    await clock.advance(10_000);
  }
  const [event, ...others] = history.of("a");
  assert.equal(others.length, 0);
  assert.deepEqual([event?.count, event?.isOk, event?.firstMs], [500, false, began]);
  assert.equal(event?.lastMs, began + 499 * 10_000);
  for (let n = 0; n < 100; n++) {
    history.note("a", { kind: "connected", addresses: [`/ip4/10.0.0.${n}/tcp/1`], isOurs: true });
  }
  assert.equal(history.of("a").length, MAX_LINK_EVENTS);
  assert.deepEqual(history.of("a")[0]?.addresses, ["/ip4/10.0.0.99/tcp/1"]);
});

Deno.test("LinkHistory is bounded in peers, addresses and their length", () => {
  const history = new LinkHistory({ clock: new FakeClock() });
  for (let n = 0; n < MAX_LINK_PEERS + 5; n++) history.note(`peer ${n}`, { kind: "heard" });
  assert.equal(history.size, MAX_LINK_PEERS);
  assert.deepEqual(history.of("peer 0"), []);
  history.note("peer 5", { kind: "silent" }); // so that it is not the next to go
  history.note("another", { kind: "heard" });
  assert.equal(history.of("peer 5").length, 2);
  assert.deepEqual(history.of("peer 6"), []);
  history.note("long", { kind: "heard", addresses: Array(50).fill("x".repeat(5_000)) });
  assert.ok(JSON.stringify(history.of("long")).length < 2_000);
  history.note("rude", { kind: "dialled", error: new Error("\u202e\n\x1b[2J".repeat(10_000)) });
  assert.ok((history.of("rude")[0]?.reason.length ?? 0) <= 200);
  assert.doesNotMatch(history.of("rude")[0]?.reason ?? "", /\p{Cc}/u);
});

Deno.test("failureOf() says what errors of many layers mean, and what to do", () => {
  const table: [error: unknown, reason: RegExp, hasRemedy: boolean][] = [
    [new Error("connect ECONNREFUSED 1.2.3.4:5"), /nothing listens/, true],
    [Object.assign(new Error("dial"), { cause: new Error("EHOSTUNREACH") }), /no way leads/, true],
    [new DOMException("Signal timed out.", "TimeoutError"), /nobody answered/, true],
    [
      new AggregateError([new Error("x"), new Error("connect ECONNREFUSED ::1:5")], "all failed"),
      /nothing listens/,
      true,
    ],
    [
      new Error("Payload identity key A does not match expected remote identity key B"),
      /another daemon answers/,
      true,
    ],
    [new Error("ECONNRESET"), /other side cut/, true],
    [new Error("an odd thing"), /^Error: an odd thing$/, false],
    ["text", /^text$/, false],
    [undefined, /^$/, false],
  ];
  for (const [error, reason, hasRemedy] of table) {
    const failure = failureOf(error);
    assert.match(failure.reason, reason);
    assert.equal(failure.remedy !== "", hasRemedy, failure.reason);
  }
});
