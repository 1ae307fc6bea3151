import * as z from "zod";
import {
  action,
  BoundedQueue,
  DaemonError,
  itemOfJob,
  once,
  query,
  stream,
  SUBSCRIBER_QUEUE,
} from "../core/mod.ts";
import type { JobSnapshot } from "../library/mod.ts";
import type { Components } from "./components.ts";
import { downloadJob } from "./download_jobs.ts";
import { type SpelledEvent, spellEvent } from "./event_names.ts";
import { Id } from "./schemas.ts";

const Status = once(() => z.enum(["Queued", "Running", "Completed", "Failed", "Cancelled"]));
const JobOutput = once(() =>
  z.object({
    job_id: z.string(),
    kind: z.string(),
    library_id: z.string().optional(),
    request_id: z.string().optional(),
    status: Status(),
    progress: z.number().describe("0 to 1"),
    message: z.string(),
    error: z.string().optional().describe("Code of the error that ended it"),
    created_at: z.string(),
    finished_at: z.string().optional(),
  })
);
const Filter = once(() => ({ library_id: Id().optional(), status: Status().optional() }));
/** As {@link Id}, or `download:` and the id of an item. */
const JobId = once(() => z.string().min(1).max(160));
type Uses = Pick<Components, "jobs" | "sharing">;

/** Jobs under way and lately finished. */
export const listJobs = query({
  name: "jobs.list",
  summary: "Jobs, downloads too, that wait, run or ended lately, oldest first",
  input: () => z.strictObject(Filter()),
  output: () => z.object({ jobs: z.array(JobOutput()) }),
  run: (filter, uses: Uses) => ({ jobs: findJobs(filter, uses).map(jobOutput) }),
});

/** Ends a job. */
export const cancelJob = action({
  name: "jobs.cancel",
  summary:
    "End a job that waits or runs; what it had begun is undone, what a download has verified kept",
  positional: ["job_id"],
  input: () => z.strictObject({ job_id: JobId() }),
  output: JobOutput,
  run: async ({ job_id }, uses: Uses) => jobOutput(await cancel(job_id, uses)),
});

/** Follows one job to its end, or all of them. */
export const watchJobs = stream({
  name: "jobs.watch",
  summary: "The state of jobs now, then after every change; of one job until it is over",
  positional: ["job_id"],
  input: () => z.strictObject({ job_id: JobId().optional(), library_id: Id().optional() }),
  output: JobOutput,
  run: (filter, uses: WatchUses, { signal }) => watch(filter, uses, signal),
});

type WatchUses = Uses & Pick<Components, "events">;
type JobFilter = Partial<Readonly<Record<"library_id" | "status" | "job_id", string | undefined>>>;

function findJobs({ library_id, status }: JobFilter, { jobs, sharing }: Uses): JobSnapshot[] {
  return [...jobs.list(), ...sharing.downloads.list().map(downloadJob)]
    .filter((job) => library_id === undefined || job.libraryId === library_id)
    .filter((job) => status === undefined || job.status === status)
    .sort((a, b) => Date.parse(a.createdAt) - Date.parse(b.createdAt));
}

/** @throws {DaemonError} `not_found`. */
function getJob(id: string, { jobs, sharing }: Uses): JobSnapshot {
  const item = itemOfJob(id);
  const download = item === undefined ? undefined : sharing.downloads.get(item);
  return download ? downloadJob(download) : jobs.get(id);
}

async function cancel(id: string, uses: Uses): Promise<JobSnapshot> {
  const item = itemOfJob(id);
  if (item === undefined) return await uses.jobs.cancel(id);
  const { status, finishedAt } = getJob(id, uses);
  if (finishedAt !== undefined) {
    throw new DaemonError("failed_precondition", `Cannot cancel job "${id}": it is ${status}`);
  }
  await uses.sharing.actions.cancel(item);
  return getJob(id, uses);
}

async function* watch(
  filter: JobFilter,
  uses: WatchUses,
  signal: AbortSignal,
): AsyncGenerator<z.input<ReturnType<typeof JobOutput>>> {
  const { job_id, library_id } = filter;
  const stop = uses.events.listen((event) => {
    const { name, body } = spellEvent(event);
    if (name === "JobUpdate" && isWanted(body, filter)) changed.push(String(body["job_id"]));
  });
  const changed = new BoundedQueue<string>(SUBSCRIBER_QUEUE, stop);
  const end = () => changed.end();
  signal.addEventListener("abort", end, { once: true });
  try {
    if (signal.aborted) return;
    const known = job_id === undefined ? findJobs({ library_id }, uses) : [getJob(job_id, uses)];
    yield* known.map(jobOutput);
    if (job_id !== undefined && known.every(({ finishedAt }) => finishedAt)) return;
    for await (const id of changed) {
      const job = findJob(id, uses);
      if (!job) continue;
      yield jobOutput(job);
      if (job_id !== undefined && job.finishedAt) return;
    }
  } finally {
    signal.removeEventListener("abort", end);
    stop();
  }
}

function isWanted(body: SpelledEvent["body"], { job_id, library_id }: JobFilter): boolean {
  return (job_id === undefined || body["job_id"] === job_id) &&
    (library_id === undefined || body["library_id"] === library_id);
}

// Undefined when so many ended since that it is forgotten.
function findJob(id: string, uses: Uses): JobSnapshot | undefined {
  try {
    return getJob(id, uses);
  } catch {
    return undefined;
  }
}

function jobOutput(job: JobSnapshot): z.input<ReturnType<typeof JobOutput>> {
  return {
    job_id: job.jobId,
    kind: job.kind,
    ...(job.libraryId === undefined ? {} : { library_id: job.libraryId }),
    ...(job.requestId === undefined ? {} : { request_id: job.requestId }),
    status: job.status,
    progress: job.progress,
    message: job.message,
    ...(job.error === undefined ? {} : { error: job.error }),
    created_at: job.createdAt,
    ...(job.finishedAt === undefined ? {} : { finished_at: job.finishedAt }),
  };
}
