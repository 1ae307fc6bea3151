import * as z from "zod";
import { action, type EventBus, once, query, stream, type Subscription } from "../core/mod.ts";
import type { JobSnapshot } from "../library/mod.ts";
import type { Components } from "./components.ts";
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
type Uses = Pick<Components, "jobs">;

/** Jobs under way and lately finished. */
export const listJobs = query({
  name: "jobs.list",
  summary: "Jobs that wait, run or ended lately, oldest first; downloads: library.transfers",
  input: () => z.strictObject(Filter()),
  output: () => z.object({ jobs: z.array(JobOutput()) }),
  run: ({ library_id, status }, { jobs }: Uses) => ({
    jobs: jobs.list({ libraryId: library_id, status }).map(jobOutput),
  }),
});

/** Ends a job. */
export const cancelJob = action({
  name: "jobs.cancel",
  summary: "End a job that waits or runs; what it had begun is undone",
  positional: ["job_id"],
  input: () => z.strictObject({ job_id: Id() }),
  output: JobOutput,
  run: async ({ job_id }, { jobs }: Uses) => jobOutput(await jobs.cancel(job_id)),
});

/** Follows one job to its end, or all of them. */
export const watchJobs = stream({
  name: "jobs.watch",
  summary: "The state of jobs now, then after every change; of one job until it is over",
  positional: ["job_id"],
  input: () => z.strictObject({ job_id: Id().optional(), library_id: Id().optional() }),
  output: JobOutput,
  run: (filter, { jobs, events }: Pick<Components, "jobs" | "events">, { signal }) =>
    watch(filter, jobs, events, signal),
});

async function* watch(
  { job_id, library_id }: { job_id?: string | undefined; library_id?: string | undefined },
  jobs: Uses["jobs"],
  events: Pick<EventBus, "subscribe">,
  signal: AbortSignal,
): AsyncGenerator<z.input<ReturnType<typeof JobOutput>>> {
  const updates = events.subscribe("job.updated");
  const end = () => updates.cancel();
  signal.addEventListener("abort", end, { once: true });
  try {
    if (signal.aborted) return;
    const known = job_id === undefined ? jobs.list({ libraryId: library_id }) : [jobs.get(job_id)];
    yield* known.map(jobOutput);
    if (job_id !== undefined && known.every(({ finishedAt }) => finishedAt)) return;
    for await (const id of changedJobs(updates)) {
      if (job_id !== undefined && id !== job_id) continue;
      const [job] = jobs.list().filter(({ jobId }) => jobId === id);
      if (!job || (library_id !== undefined && job.libraryId !== library_id)) continue;
      yield jobOutput(job);
      if (job_id !== undefined && job.finishedAt) return;
    }
  } finally {
    signal.removeEventListener("abort", end);
    updates.cancel();
  }
}

async function* changedJobs(updates: Subscription): AsyncGenerator<string> {
  for await (const { payload } of updates) yield String(payload["job_id"]);
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
