import assert from "node:assert/strict";
import { isRelayed, reachOf } from "../../../src/page/text/addresses.ts";
import {
  agoText,
  bytesText,
  countText,
  latencyText,
  spanText,
} from "../../../src/page/text/figures.ts";
import { endOf, plain, shortId } from "../../../src/page/text/plain.ts";

Deno.test("plain() makes every mark visible that hides or turns text", () => {
  assert.equal(plain("a\u0000b\u001b[31m"), "a␀b␛[31m");
  assert.equal(plain("exe\u202egnp"), "exe⟨202E⟩gnp");
  assert.equal(plain("\u2066x\u2069\u200b\ufeff\u2028"), "⟨2066⟩x⟨2069⟩⟨200B⟩⟨FEFF⟩⟨2028⟩");
  assert.equal(plain("one\ntwo\u007f\u0085"), "one⏎two␡⟨0085⟩");
  assert.equal(plain("עברית ünï 🦊 <b>"), "עברית ünï 🦊 <b>"); // letters stay what they are
});

Deno.test("plain() cuts what is long, says so, and never leaves half a character", () => {
  assert.equal(plain("W".repeat(10_000), 5), "WWWWW… (9,995 more characters)");
  assert.ok(plain(`${"a".repeat(4)}🦊`, 5).isWellFormed());
  assert.equal(plain(undefined), "");
  assert.equal(plain(7), "7");
});

Deno.test("shortId() and endOf() keep what tells peers apart", () => {
  const id = "12D3KooWJ8X3NJwhbho5kfXt515QWWWkS37WvBw44TjCfgWaaFHU";
  assert.equal(shortId(id), "12D3KooW…WaaFHU");
  assert.equal(endOf(id), "…WaaFHU");
  assert.equal(shortId("short"), "short");
});

Deno.test("figures are told in units that people read", () => {
  assert.deepEqual([0, 999, 1_000, 12_345, 999_600, 2_013_265_920].map(bytesText), [
    ...["0 B", "999 B", "1.00 KB", "12.3 KB", "1.00 MB", "2.01 GB"],
  ]);
  assert.equal(bytesText(NaN), "–");
  assert.deepEqual([5, 65, 3_700, 90_000].map(spanText), [
    "5 s",
    "1 min 5 s",
    "1 h 1 min",
    "1 d 1 h",
  ]);
  assert.deepEqual([undefined, 0.4, 5.25, 123.4].map(latencyText), [
    ...["not measured", "under 1 ms", "5.3 ms", "123 ms"],
  ]);
  assert.deepEqual([1, 2].map((count) => countText(count, "peer")), ["1 peer", "2 peers"]);
  const now = Date.UTC(2026, 0, 2);
  assert.equal(agoText(now - 90_000, now), "1 min ago");
  assert.equal(agoText(now + 5_000, now), "just now");
  assert.equal(agoText(NaN, now), "at an unknown time");
});

Deno.test("reachOf() knows who can use an address", () => {
  assert.equal(reachOf("/ip4/127.0.0.1/tcp/1"), "machine");
  assert.equal(reachOf("/ip6/::1/tcp/1"), "machine");
  for (const host of ["10.1.2.3", "172.16.0.1", "172.31.0.1", "192.168.1.1", "169.254.1.1"]) {
    assert.equal(reachOf(`/ip4/${host}/tcp/1`), "lan", host);
  }
  assert.equal(reachOf("/ip6/fd77::1/tcp/1"), "lan");
  assert.equal(reachOf("/ip6/fe80::1/tcp/1"), "lan");
  assert.equal(reachOf("/ip4/172.32.0.1/tcp/1"), "internet");
  assert.equal(reachOf("/ip6/2001:db8::1/tcp/1"), "internet");
  assert.ok(isRelayed("/ip4/8.8.8.8/tcp/1/p2p/12D3KooWa/p2p-circuit"));
});
