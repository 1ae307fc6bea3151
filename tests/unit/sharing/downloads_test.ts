/** Downloads as jobs: what waits, runs, or ended lately. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { systemClock } from "../../../src/core/mod.ts";
import { Jobs } from "../../../src/library/jobs.ts";
import { spellEvent } from "../../../src/operations/event_names.ts";
import { cancelJob, listJobs, watchJobs } from "../../../src/operations/jobs.ts";
import { ItemActivities } from "../../../src/sharing/item_activities.ts";
import { Resumption } from "../../../src/sharing/resumption.ts";
import { WantedFile } from "../../../src/sharing/wanted_file.ts";
import { testWithLibp2p } from "../../support/libp2p_pair.ts";
import { writeTree } from "../../support/sharing/item_folder.ts";
import { LibraryNode, noiseBytes } from "../../support/sharing/library_node.ts";
import { tempFolder } from "../../support/temp_folder.ts";
import { waitFor } from "../../support/wait.ts";

const MIB = 1_024 * 1_024;
const SLOW = { downloadTotal: 16 * MIB };
const JOB = "download:game";

async function seedOf(bytes: number): Promise<LibraryNode> {
  const seed = await LibraryNode.start();
  const content = { "version.ini": "version=2", "big.bin": noiseBytes(bytes) };
  await writeTree(join(seed.dir, "game"), content);
  await seed.scanned();
  return seed;
}

/** The operations of jobs over a library. */
function jobsOf({ sharing, bus }: LibraryNode) {
  const uses = { sharing, events: bus, jobs: new Jobs({ clock: systemClock, events: bus }) };
  const context = { signal: AbortSignal.timeout(60_000) };
  return {
    list: async () => (await listJobs.run({}, uses, context)).jobs,
    cancel: async (job_id: string) => await cancelJob.run({ job_id }, uses, context),
    watch: (job_id: string) => Array.fromAsync(watchJobs.run({ job_id }, uses, context)),
  };
}

/** What the events door told of the job so far. */
function updatesOf({ events }: LibraryNode): { status: string; progress: number }[] {
  return events.map(spellEvent).filter(({ name }) => name === "JobUpdate")
    .map(({ body }) => body as unknown as { status: string; progress: number });
}

async function begin(node: LibraryNode, seed: LibraryNode): Promise<void> {
  await node.connect(seed);
  await node.knows("game");
  const signal = AbortSignal.timeout(10_000);
  const { done } = await node.sharing.actions.download("game", { install: false, signal });
  done.catch(() => undefined);
}

testWithLibp2p("A download is a job to its end, and a while after", async () => {
  await using seed = await seedOf(16 * MIB);
  await using node = await LibraryNode.start({ limits: { downloadTotal: 6 * MIB } });
  const jobs = jobsOf(node);
  assert.deepEqual(await jobs.list(), []);
  await assert.rejects(jobs.watch(JOB), { code: "not_found" });
  await begin(node, seed);
  const seen = await jobs.watch(JOB);
  const statuses = new Set(seen.map(({ status }) => status));
  assert.deepEqual([...statuses], ["Queued", "Running", "Completed"]);
  assert.equal(seen.some(({ progress }) => progress > 0 && progress < 1), true);
  const [job] = await jobs.list();
  assert.deepEqual(job, seen.at(-1));
  const { job_id, kind, status, progress, message } = job ?? assert.fail("it is listed");
  assert.deepEqual({ job_id, kind, status, progress, message }, {
    ...{ job_id: JOB, kind: "library.download", status: "Completed", progress: 1 },
    message: `Fetched "game", version 2`,
  });
  const told = updatesOf(node);
  assert.deepEqual([told[0]?.progress, told.at(-1)?.status], [0, "Completed"]);
  await assert.rejects(jobs.cancel(JOB), { code: "failed_precondition" });
});

testWithLibp2p("jobs.cancel ends a download that runs, and its job says so", async () => {
  await using seed = await seedOf(24 * MIB);
  await using node = await LibraryNode.start({ limits: SLOW });
  const jobs = jobsOf(node);
  await begin(node, seed);
  const watched = jobs.watch(JOB);
  await waitFor("a part of it", () => seed.sharing.served.bytes > 4 * MIB);
  const ended = await jobs.cancel(JOB);
  assert.deepEqual([ended.status, ended.error], ["Cancelled", "cancelled"]);
  assert.match(ended.message, /"game".*cancelled/);
  assert.equal((await watched).at(-1)?.status, "Cancelled");
  assert.equal(updatesOf(node).at(-1)?.status, "Cancelled");
  assert.deepEqual(node.sharing.transfers().transfers, []);
});

testWithLibp2p("A download that a stop cuts short is the same job at the next start", async () => {
  await using seed = await seedOf(24 * MIB);
  await using home = await tempFolder();
  {
    await using node = await LibraryNode.start({ folder: home.path, limits: SLOW });
    await begin(node, seed);
    await waitFor("a part of it", () => seed.sharing.served.bytes > 8 * MIB);
    await node.sharing.stop();
    assert.equal(updatesOf(node).at(-1)?.status, "Queued", "it goes on");
  }
  {
    await using node = await LibraryNode.start({ folder: home.path });
    const jobs = jobsOf(node);
    const [waiting] = await jobs.list();
    assert.deepEqual([waiting?.job_id, waiting?.status], [JOB, "Queued"]);
    assert.equal((waiting?.progress ?? 0) > 0, true);
    const watched = jobs.watch(JOB);
    await node.connect(seed);
    assert.equal((await watched).at(-1)?.status, "Completed");
  }
  await using third = await LibraryNode.start({ folder: home.path });
  assert.deepEqual(await jobsOf(third).list(), []);
});

testWithLibp2p("jobs.cancel ends a download that waits, and it is told", async () => {
  await using seed = await seedOf(24 * MIB);
  await using home = await tempFolder();
  {
    await using node = await LibraryNode.start({ folder: home.path, limits: SLOW });
    await begin(node, seed);
    await waitFor("a part of it", () => seed.sharing.served.bytes > 8 * MIB);
  }
  await using node = await LibraryNode.start({ folder: home.path });
  const jobs = jobsOf(node);
  const watched = jobs.watch(JOB);
  assert.equal((await jobs.cancel(JOB)).status, "Cancelled");
  assert.deepEqual((await watched).map(({ status }) => status), ["Queued", "Cancelled"]);
  assert.deepEqual(updatesOf(node).map(({ status }) => status), ["Cancelled"]);
});

Deno.test("Resumption.drop() also ends an attempt that is still asking peers", async () => {
  await using folder = await tempFolder();
  const file = await WantedFile.open(join(folder.path, "wanted.json"), folder.path);
  const want = { id: "game", version: "2", install: false, installs: 0, since: 0 };
  await file.put({ ...want, size: 1, chunks: 1 });
  const asked = Promise.withResolvers<AbortSignal>();
  const activities = new ItemActivities();
  const resumption = new Resumption({
    ...{ clock: systemClock, activities, file, isHere: () => false },
    peers: {
      latest: () => ({ version: "2" }) as never,
      refresh: () => Promise.resolve(),
    },
    goOn: (_want, signal) => {
      asked.resolve(signal);
      const { promise, reject } = Promise.withResolvers<void>();
      signal.addEventListener("abort", () => reject(signal.reason));
      return promise;
    },
  });
  resumption.start();
  resumption.peersChanged();
  const signal = await asked.promise;
  assert.equal(resumption.unfetched().length, 1);
  assert.equal((await resumption.drop("game"))?.id, "game");
  assert.equal(signal.aborted, true);
  await waitFor("its end", () => activities.get("game").status === "Failed");
  assert.deepEqual([resumption.unfetched(), file.list()], [[], []]);
  resumption.stop();
});
