import { randomUUID } from "node:crypto";
import {
  type Clock,
  DaemonError,
  type EventBus,
  guard,
  type JobStatus,
  logger,
  type Service,
  toDaemonError,
} from "../core/mod.ts";
import { eventOf, type Job, type JobSnapshot, snapshotOf } from "./job_state.ts";

/** Jobs under way at once. */
export const MAX_RUNNING_JOBS = 2;
/** Jobs that wait. */
export const MAX_QUEUED_JOBS = 256;
/** Finished jobs that are remembered. */
export const MAX_FINISHED_JOBS = 256;
/** Shortest time between two progress events of one job. */
export const PROGRESS_INTERVAL_MS = 100;

/** Lets running work tell how far it is. */
export interface JobContext {
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** Aborts when the job is cancelled or the daemon stops. */
  readonly signal: AbortSignal;
  /** @param progress 0 to 1. */
  report(progress: number, message: string): void;
}

/** Work to be done in the background. */
export interface JobRequest {
  kind: string;
  libraryId?: string | undefined;
  requestId?: string | undefined;
  /** What it is about, while it waits. */
  message: string;
  /** @returns What was done, as a sentence. */
  run(context: JobContext): Promise<string>;
}

/** What {@link Jobs} uses. */
export interface JobsComponents {
  clock: Clock;
  events: Pick<EventBus, "publish">;
}

const log = logger("library");

/** Work that goes on after its call was answered: a bounded queue, progress, cancelling, history. */
export class Jobs implements Service {
  readonly name = "jobs";
  readonly #components: JobsComponents;
  readonly #jobs = new Map<string, Job>();
  #isStopping = false;

  constructor(components: JobsComponents) {
    this.#components = components;
  }

  start(): Promise<void> {
    this.#isStopping = false;
    return Promise.resolve();
  }

  /** Cancels everything and waits until it has ended. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#cancelAll(() => true);
  }

  /**
   * Takes work; it begins when its turn comes.
   *
   * @throws {DaemonError} `resource_exhausted` if too much waits, `unavailable` while stopping.
   */
  submit(request: JobRequest): JobSnapshot {
    if (this.#isStopping) {
      throw new DaemonError("unavailable", `Cannot begin ${request.kind}: the daemon stops`);
    }
    if (this.#with("Queued").length >= MAX_QUEUED_JOBS) {
      throw new DaemonError(
        "resource_exhausted",
        `Cannot begin ${request.kind}: ${MAX_QUEUED_JOBS} jobs wait already`,
      );
    }
    const job = this.#add(request);
    this.#publish(job);
    queueMicrotask(() => this.#beginNext());
    return snapshotOf(job);
  }

  /** Jobs of one library or of all, oldest first. */
  list(
    filter: { libraryId?: string | undefined; status?: JobStatus | undefined } = {},
  ): JobSnapshot[] {
    return [...this.#jobs.values()]
      .filter(({ request }) =>
        filter.libraryId === undefined || request.libraryId === filter.libraryId
      )
      .filter(({ status }) => filter.status === undefined || status === filter.status)
      .map(snapshotOf);
  }

  /** @throws {DaemonError} `not_found`. */
  get(id: string): JobSnapshot {
    return snapshotOf(this.#job(id));
  }

  /**
   * Ends a job; resolves once nothing of it runs any more.
   *
   * @throws {DaemonError} `not_found`, or `failed_precondition` if it is over already.
   */
  async cancel(id: string): Promise<JobSnapshot> {
    const job = this.#job(id);
    if (job.finishedAt !== undefined) {
      throw new DaemonError(
        "failed_precondition",
        `Cannot cancel job "${id}": it is ${job.status}`,
      );
    }
    this.#abort(job);
    await job.done.promise;
    return snapshotOf(job);
  }

  /** Ends all jobs of a library. */
  async cancelLibrary(libraryId: string): Promise<void> {
    await this.#cancelAll(({ request }) => request.libraryId === libraryId);
  }

  /** Remembers a job of an earlier run of the daemon that did not see its end. */
  recall(past: Omit<JobRequest, "run"> & Pick<Job, "id" | "createdAt">): void {
    const job = this.#add({ ...past, run: () => Promise.resolve("") }, past);
    job.error = "aborted";
    this.#finish(job, "Failed", past.message);
  }

  async #cancelAll(matches: (job: Job) => boolean): Promise<void> {
    const going = [...this.#jobs.values()].filter((job) =>
      job.finishedAt === undefined && matches(job)
    );
    for (const job of going) this.#abort(job);
    await Promise.all(going.map((job) => job.done.promise));
  }

  #abort(job: Job): void {
    job.abort.abort(new DaemonError("cancelled", `Job "${job.id}" was cancelled`));
    if (job.status === "Queued") this.#finish(job, "Cancelled", "Cancelled before it began");
  }

  #add(
    request: JobRequest,
    { id, createdAt }: Pick<Job, "id" | "createdAt"> = {
      id: randomUUID(),
      createdAt: this.#components.clock.now(),
    },
  ): Job {
    const job: Job = {
      id,
      request,
      abort: new AbortController(),
      createdAt,
      done: Promise.withResolvers<void>(),
      status: "Queued",
      progress: 0,
      message: request.message,
      error: undefined,
      finishedAt: undefined,
      lastEvent: 0,
      timer: undefined,
    };
    this.#jobs.set(job.id, job);
    return job;
  }

  #job(id: string): Job {
    const job = this.#jobs.get(id);
    if (job) return job;
    throw new DaemonError("not_found", `Cannot find job "${id}": it is unknown or long over`);
  }

  #with(status: JobStatus): Job[] {
    return [...this.#jobs.values()].filter((job) => job.status === status);
  }

  #beginNext(): void {
    const free = MAX_RUNNING_JOBS - this.#with("Running").length;
    for (const job of this.#with("Queued").slice(0, Math.max(0, free))) {
      job.status = "Running";
      this.#publish(job);
      guard("run a job", () => this.#run(job));
    }
  }

  async #run(job: Job): Promise<void> {
    const { signal } = job.abort;
    const report = (progress: number, message: string) => this.#report(job, progress, message);
    try {
      const message = await job.request.run({
        id: job.id,
        createdAt: job.createdAt,
        signal,
        report,
      });
      job.progress = 1;
      this.#finish(job, "Completed", message);
    } catch (failure) {
      if (signal.aborted) return this.#finish(job, "Cancelled", "Cancelled");
      const { code, message } = toDaemonError(failure);
      job.error = code;
      const { libraryId, requestId } = job.request;
      log.warn("Job failed", { jobId: job.id, libraryId, requestId, code, message });
      this.#finish(job, "Failed", message);
    } finally {
      this.#beginNext();
    }
  }

  #report(job: Job, progress: number, message: string): void {
    if (job.status !== "Running") return;
    job.progress = Math.min(1, Math.max(job.progress, progress));
    job.message = message;
    if (job.timer) return;
    const wait = job.lastEvent + PROGRESS_INTERVAL_MS - this.#components.clock.monotonic();
    if (wait <= 0) return this.#publish(job);
    job.timer = this.#components.clock.after(wait, () => this.#publish(job));
  }

  #finish(job: Job, status: JobStatus, message: string): void {
    if (job.finishedAt !== undefined) return;
    Object.assign(job, { status, message, finishedAt: this.#components.clock.now() });
    this.#publish(job);
    job.done.resolve();
    this.#forgetOldest();
  }

  #publish(job: Job): void {
    job.timer?.cancel();
    job.timer = undefined;
    job.lastEvent = this.#components.clock.monotonic();
    this.#components.events.publish("job.updated", eventOf(job));
  }

  #forgetOldest(): void {
    const finished = [...this.#jobs.values()].filter((job) => job.finishedAt !== undefined);
    for (const job of finished.slice(0, Math.max(0, finished.length - MAX_FINISHED_JOBS))) {
      this.#jobs.delete(job.id);
    }
  }
}
