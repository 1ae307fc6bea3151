/// <reference lib="dom" />
import assert from "node:assert/strict";
import { actionsOf } from "../../../src/page/views/item_buttons.ts";
import { joined } from "../../../src/page/views/live_points.ts";
import { matches, NO_FILTERS } from "../../../src/page/views/log_filter.ts";
import { MAX_ON_RING, Places, speedOf, widthOf } from "../../../src/page/views/network_model.ts";
import { gradientOf } from "../../../src/page/views/piece_bar.ts";
import { codeOf, hrefOf, routeOf } from "../../../src/page/state/route.ts";
import type { Peer } from "../../../src/page/wire/shapes.ts";

function peer(id: string, rest: Partial<Peer> = {}): Peer {
  const flags = { is_internal: true, is_connected: true, is_self: false };
  return { peer_id: id, addresses: [], ...flags, ...rest };
}

function placesOf(places: Places, peers: readonly Peer[]): Map<string, string> {
  const { nodes } = places.arrange(peers);
  return new Map(nodes.map((node) => [node.peer.peer_id, `${node.x} ${node.y}`]));
}

Deno.test("Places.arrange() leaves everybody where they are while others come and go", () => {
  const places = new Places();
  const peers = ["a", "b", "c", "d", "e"].map((id) => peer(id));
  const first = placesOf(places, peers);
  assert.equal(new Set(first.values()).size, 5, "no two stand on one place");
  const later = placesOf(places, [peer("z"), ...peers.slice(1).reverse()]);
  for (const id of ["b", "c", "d", "e"]) assert.equal(later.get(id), first.get(id), id);
  const more = placesOf(places, [...peers.slice(1), ...[..."fghijklmn"].map((id) => peer(id))]);
  for (const id of ["b", "c", "d", "e"]) assert.equal(more.get(id), first.get(id), id);
  assert.equal(new Set(more.values()).size, 13);
  const fewer = placesOf(places, [..."bcmn"].map((id) => peer(id)));
  for (const id of "bcmn") assert.equal(fewer.get(id), more.get(id), id);
});

Deno.test("Places.arrange() draws so many, those that are connected first, and counts the others", () => {
  const away = Array.from({ length: 500 }, (_, n) => peer(`away${n}`, { is_connected: false }));
  const here = Array.from({ length: 10 }, (_, n) => peer(`here${n}`));
  const { nodes, left } = new Places().arrange([...away, ...here, peer("me", { is_self: true })]);
  assert.equal(nodes.length, MAX_ON_RING.lan);
  assert.equal(left, 510 - MAX_ON_RING.lan);
  assert.equal(nodes.filter((node) => node.peer.is_connected).length, 10);
  assert.ok(!nodes.some((node) => node.peer.is_self));
});

Deno.test("links grow with throughput, and change colour with latency", () => {
  const widths = [0, 1_000, 100_000, 1e7, 1e12].map(widthOf);
  assert.deepEqual(widths, widths.toSorted((a, b) => a - b));
  assert.ok(widths.every((width) => width >= 1 && width <= 9));
  assert.deepEqual([1, 50, 100, 500, undefined].map(speedOf), [
    ...["near", "close", "far", "slow", "unknown"],
  ]);
});

Deno.test("gradientOf() draws each run in the colour of its peer, end to end", () => {
  const text = gradientOf([
    { cells: 1, state: "Done", peer: 0 },
    { cells: 1, state: "Done", peer: 9 },
    { cells: 1, state: "Kept" },
    { cells: 1, state: "Missing" },
  ]);
  assert.equal(
    text,
    "linear-gradient(90deg, var(--peer-0) 0% 25%, var(--peer-1) 25% 50%, " +
      "var(--piece-kept) 50% 75%, var(--piece-missing) 75% 100%)",
  );
  assert.equal(gradientOf([]), "none");
  const many = gradientOf(
    Array.from({ length: 2_048 }, (_, n) => ({ cells: 1, state: n % 2 ? "Done" : "Missing" })),
  );
  assert.ok(many.split("var(").length < 260, "as many stripes as a screen can show");
  assert.match(many, / 100%\)$/);
});

Deno.test("actionsOf() offers what can be done, and nothing else", () => {
  const item = { id: "a", name: "a", downloaded: false, installed: false, peers: 1 };
  const labels = (rest: object) =>
    actionsOf({ ...item, can_update: false, ...rest }).map(({ label }) => label);
  assert.deepEqual(labels({}), ["Get"]);
  assert.deepEqual(labels({ peers: 0 }), []);
  assert.deepEqual(labels({ downloaded: true }), ["Install", "Verify"]);
  const all = { downloaded: true, installed: true, can_update: true };
  assert.deepEqual(labels(all), ["Update", "Uninstall", "Verify"]);
  assert.deepEqual(labels({ ...all, activity: "updating" }), ["Cancel"]);
  assert.deepEqual(labels({ downloaded: true, problem: "no log" }), ["Repair"]);
});

Deno.test("routeOf() reads addresses of the page, and takes no other for one", () => {
  assert.deepEqual(routeOf("#/network/12D3%2FKoo"), { section: "network", detail: "12D3/Koo" });
  assert.deepEqual(routeOf(hrefOf("trust")), { section: "trust", detail: "" });
  for (const hash of ["", "#", "#/nothing", "#/__proto__", "javascript:alert(1)"]) {
    assert.equal(routeOf(hash).section, "overview", hash);
  }
  assert.deepEqual(routeOf("#/network/%E0%A4%A"), { section: "network", detail: "" });
  assert.equal(codeOf("#code=abc_-9"), "abc_-9");
  assert.equal(codeOf("#code=<script>"), undefined);
});

Deno.test("joined() goes on where the answer ends", () => {
  const point = (time_ms: number) => ({ time_ms, in_bytes: 1, out_bytes: 1 });
  const answer = { step_ms: 1_000, points: [point(1), point(2)] };
  const times = joined(answer, [point(2), point(3)])?.points.map(({ time_ms }) => time_ms);
  assert.deepEqual(times, [1, 2, 3]);
  assert.equal(joined(undefined, [point(1)]), undefined);
});

Deno.test("matches() lets entries pass that hold all filters", () => {
  const row = { id: "1", timeMs: 0, level: "warn", target: "network.mdns", message: "Deaf" };
  assert.ok(matches(row, NO_FILTERS));
  assert.ok(matches(row, { ...NO_FILTERS, target: "MDNS", text: "deaf" }));
  assert.ok(!matches(row, { ...NO_FILTERS, level: "error" }));
  assert.ok(!matches(row, { ...NO_FILTERS, kind: "event" }));
  assert.ok(!matches({ ...row, level: "debug" }, NO_FILTERS));
  assert.ok(matches({ ...row, level: "event" }, { ...NO_FILTERS, level: "error", kind: "event" }));
});
