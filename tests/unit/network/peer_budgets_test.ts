import assert from "node:assert/strict";
import { PeerBudgets } from "../../../src/network/peer_budgets.ts";

const INIT = {
  what: "tests",
  units: { perSecond: 10, burst: 20 },
  bytes: { perSecond: 1_000, burst: 1_000 },
};

Deno.test("PeerBudgets.charge() has a peer wait for as long as it owes, and no other", () => {
  let now = 0;
  const budgets = new PeerBudgets({ monotonic: () => now }, INIT);
  assert.equal(budgets.charge("a", 20), 0);
  assert.equal(budgets.charge("a", 5), 500);
  assert.equal(budgets.charge("b", 1), 0);
  now += 400;
  assert.equal(budgets.charge("a", 0), 100);
  now += 100;
  assert.equal(budgets.charge("a", 0), 0);
  assert.equal(budgets.charge("a", 0, 3_000), 2_000);
  assert.equal(budgets.slowed, 3);
});

Deno.test("PeerBudgets.charge() lets nobody save up more than one burst", () => {
  let now = 0;
  const budgets = new PeerBudgets({ monotonic: () => now }, INIT);
  budgets.charge("a", 20);
  now += 3_600_000;
  assert.equal(budgets.charge("a", 20), 0);
  assert.equal(budgets.charge("a", 1), 100);
});
