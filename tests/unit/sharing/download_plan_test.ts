import assert from "node:assert/strict";
import { DownloadPlan, MAX_RETRIES } from "../../../src/sharing/download_plan.ts";
import { mergeManifests } from "../../../src/sharing/manifest_merge.ts";
import type { Manifest } from "../../../src/sharing/manifest.ts";
import { CHUNK_BYTES } from "../../../src/sharing/names.ts";
import type { Chunk, PlanStrategy } from "../../../src/sharing/planned.ts";

const never = () => false;

function manifest(chunks: number, version = "1", mark = "0"): Manifest {
  const hash = mark.repeat(64);
  const file = {
    path: "a",
    size: chunks * CHUNK_BYTES,
    sha256: hash,
    chunks: Array(chunks).fill(hash),
  };
  return { id: "x", version, files: [file] };
}

/** Plays a download in simulated time; rates in chunks a second. */
function play(chunks: number, rates: Record<string, number>, strategy: PlanStrategy) {
  const plan = new DownloadPlan(manifest(chunks), never, { strategy, random: () => 0.5 });
  for (const peerId of Object.keys(rates)) plan.setPeer(peerId);
  const counts: Record<string, number> = {};
  const flying: { peerId: string; chunk: Chunk; left: number }[] = [];
  let now = 0;
  for (; plan.left > 0; now += 10) {
    for (const peerId of Object.keys(rates)) {
      for (let chunk = plan.next(peerId, now); chunk; chunk = plan.next(peerId, now)) {
        flying.push({ peerId, chunk, left: CHUNK_BYTES });
      }
    }
    for (const [peerId, rate] of Object.entries(rates)) {
      const mine = flying.filter((one) => one.peerId === peerId);
      for (const one of mine) {
        const bytes = rate * CHUNK_BYTES / 100 / mine.length;
        one.left -= bytes;
        plan.received(peerId, bytes, now);
        if (one.left > 0.5) continue;
        flying.splice(flying.indexOf(one), 1);
        counts[peerId] = (counts[peerId] ?? 0) + 1;
        for (const other of plan.done(one.chunk, peerId, now)) {
          const lost = flying.findIndex((f) => f.peerId === other && f.chunk === one.chunk);
          if (lost >= 0) flying.splice(lost, 1);
          plan.failed(one.chunk, other, now, true);
        }
      }
    }
    assert.equal(now < 3_600_000, true, "the plan stands still");
  }
  return { seconds: now / 1_000, counts };
}

Deno.test("DownloadPlan deals ten chunks five and five in turn", () => {
  assert.deepEqual(play(10, { a: 5, b: 5 }, "round-robin").counts, { a: 5, b: 5 });
});

Deno.test("DownloadPlan gives a ten times slower peer at most a fifth, and is 1.15 x the best split", () => {
  const { seconds, counts } = play(256, { fast: 10, slow: 1 }, "measured");
  assert.equal((counts["slow"] ?? 0) / 256 <= 0.2, true, `${counts["slow"]} chunks`);
  const best = 256 / 11;
  assert.equal(seconds <= 1.15 * best, true, `${seconds} s, best ${best} s`);
  assert.equal(play(256, { fast: 10, slow: 1 }, "round-robin").seconds > 3 * best, true);
});

Deno.test("DownloadPlan rests a peer that failed for 30 s and asks another one", () => {
  const plan = new DownloadPlan(manifest(4), never);
  plan.setPeer("bad");
  plan.setPeer("good");
  const chunk = plan.next("bad", 0);
  assert.ok(chunk);
  plan.failed(chunk, "bad", 0);
  assert.equal(plan.next("bad", 29_999), undefined);
  const seen: number[] = [];
  for (let one = plan.next("good", 1); one; one = plan.next("good", 1)) {
    seen.push(one.index);
    plan.done(one, "good", 1);
  }
  assert.equal(seen.includes(chunk.index), true);
  assert.equal(seen.length, 4);
});

Deno.test("DownloadPlan gives a chunk up after three rounds", () => {
  const plan = new DownloadPlan(manifest(1), never);
  plan.setPeer("a");
  for (let round = 0; round <= MAX_RETRIES; round++) {
    const chunk = plan.next("a", round * 40_000);
    assert.ok(chunk, `round ${round}`);
    assert.equal(plan.exhausted, undefined);
    plan.failed(chunk, "a", round * 40_000);
  }
  assert.equal(plan.exhausted?.index, 0);
});

Deno.test("DownloadPlan asks a seed for its own share while others fetch theirs", () => {
  const plan = new DownloadPlan(manifest(40), never, { selfId: "b" });
  plan.setPeer("seed");
  plan.setPeer("a", { bitmaps: new Map([[0, new Uint8Array(5)]]) });
  plan.received("a", 1, 0);
  const chunk = plan.next("seed", 1);
  assert.equal((chunk?.index ?? 0) % 2, 1); // a, b: the second of two
});

Deno.test("mergeManifests() takes the highest version, and the majority about each file", async () => {
  const merged = await mergeManifests([
    { peerId: "old", manifest: manifest(3, "1") },
    { peerId: "a", manifest: manifest(2, "2", "a") },
    { peerId: "b", manifest: manifest(2, "2", "a") },
    { peerId: "liar", manifest: manifest(2, "2", "b") },
  ]);
  assert.equal(merged.manifest.version, "2");
  assert.equal(merged.manifest.files[0]?.sha256[0], "a");
  assert.deepEqual([...merged.sources.keys()], ["a", "b", "liar"]);
  assert.deepEqual([...merged.sources.get("liar") ?? []], ["a"]);
});

Deno.test("mergeManifests() refuses a tie", async () => {
  await assert.rejects(
    mergeManifests([
      { peerId: "a", manifest: manifest(2, "2", "a") },
      { peerId: "b", manifest: manifest(2, "2", "b") },
    ]),
    /no majority/,
  );
});

Deno.test("DownloadPlan lets no two slow peers hold the last chunk between them", () => {
  const plan = new DownloadPlan(manifest(3), never, { random: () => 0.5 });
  for (const peerId of ["first", "second", "good"]) plan.setPeer(peerId);
  const [held, other, last] = ["first", "second", "good"].map((peerId) => plan.next(peerId, 0));
  assert.ok(held && other && last);
  plan.received("first", 100, 2_000); // sends just enough not to be stalled
  plan.received("second", CHUNK_BYTES, 1_000);
  plan.done(other, "second", 1_000);
  plan.received("good", CHUNK_BYTES, 1_000);
  plan.done(last, "good", 1_000);
  assert.equal(plan.next("second", 2_000)?.index, held.index, "it is asked for as well");
  plan.received("second", 100, 12_000); // and turns as slow
  assert.equal(plan.next("good", 12_000)?.index, held.index);
  assert.deepEqual(plan.done(held, "good", 12_500).sort(), ["first", "second"]);
  assert.equal(plan.left, 0);
});

Deno.test("DownloadPlan asks for the next chunk while the one before still comes or is verified", () => {
  const plan = new DownloadPlan(manifest(8), never);
  plan.setPeer("a");
  const first = plan.next("a", 0);
  assert.ok(first);
  plan.received("a", 8 * CHUNK_BYTES, 800); // fast
  plan.arrived(first, "a", CHUNK_BYTES, 1_000);
  const second = plan.next("a", 1_000);
  assert.ok(second);
  assert.equal(plan.next("a", 1_000), undefined, "two whole chunks are enough");
  plan.arrived(first, "a", 1, 1_001);
  const third = plan.next("a", 1_001);
  assert.ok(third);
  assert.equal(plan.next("a", 1_001), undefined);
  plan.arrived(first, "a", 0, 1_002);
  assert.deepEqual(plan.states(1_002).map(({ streams }) => streams), [2]);
  assert.equal(plan.isOpen(first.index), true, "not yet verified");
  plan.failed(first, "a", 1_003); // its bytes were wrong
  plan.wakeAll();
  plan.setPeer("b");
  assert.equal(plan.next("b", 1_004)?.index !== undefined, true);
  plan.done(second, "a", 1_005);
  assert.equal(plan.left, 7);
});

Deno.test("DownloadPlan asks who failed once more rather than wait for who is gone", () => {
  const plan = new DownloadPlan(manifest(1), never);
  plan.setPeer("gone");
  plan.setPeer("here");
  const chunk = plan.next("here", 0);
  assert.ok(chunk);
  plan.failed(chunk, "here", 0); // its link stalled for a moment
  plan.wakeAll();
  assert.equal(plan.next("here", 1), undefined, "another one has it as well");
  plan.setHere(new Set(["here"]));
  assert.equal(plan.next("here", 2)?.index, 0);
});
