import type { JobEvent, JobStatus, Timer } from "../core/mod.ts";
import type { JobRequest } from "./jobs.ts";

/** A job at one moment. */
export interface JobSnapshot {
  readonly jobId: string;
  /** The operation that made it, such as `files.copy`. */
  readonly kind: string;
  readonly libraryId: string | undefined;
  readonly requestId: string | undefined;
  readonly status: JobStatus;
  /** 0 to 1. */
  readonly progress: number;
  /** What it does, did or could not do. */
  readonly message: string;
  /** Code of the error that ended a failed job. */
  readonly error: string | undefined;
  /** RFC 3339, UTC. */
  readonly createdAt: string;
  readonly finishedAt: string | undefined;
}

/** A job as its keeper sees it. */
export interface Job {
  readonly id: string;
  readonly request: JobRequest;
  readonly abort: AbortController;
  readonly createdAt: number;
  readonly done: PromiseWithResolvers<void>;
  status: JobStatus;
  progress: number;
  message: string;
  error: string | undefined;
  finishedAt: number | undefined;
  lastEvent: number;
  timer: Timer | undefined;
}

/** What everybody hears of a job. */
export function eventOf({ id, request, status, progress, message }: Job): JobEvent {
  return {
    job_id: id,
    ...(request.libraryId === undefined ? {} : { library_id: request.libraryId }),
    status,
    progress,
    message,
    ...(request.requestId === undefined ? {} : { request_id: request.requestId }),
  };
}

/** What a caller is told of a job. */
export function snapshotOf(job: Job): JobSnapshot {
  return Object.freeze({
    jobId: job.id,
    kind: job.request.kind,
    libraryId: job.request.libraryId,
    requestId: job.request.requestId,
    status: job.status,
    progress: job.progress,
    message: job.message,
    error: job.error,
    createdAt: new Date(job.createdAt).toISOString(),
    finishedAt: job.finishedAt === undefined ? undefined : new Date(job.finishedAt).toISOString(),
  });
}
