/**
 * Downloads of the shared library as jobs, contract 2.5: one id an item, so that a download that goes
 * on after a restart is the same job as before.
 */
import { DOWNLOAD_JOB_PREFIX, type JobEvent } from "../core/mod.ts";
import type { JobSnapshot } from "../library/mod.ts";
import type { Download } from "../sharing/mod.ts";
import { DEFAULT_LIBRARY_ID } from "./schemas.ts";

/** The operation that makes such jobs. */
const KIND = "library.download";

type Payload = Readonly<Record<string, unknown>>;

/** The news of downloads, contract 5.6, as news of a job. */
export const DOWNLOAD_UPDATES = {
  "library.game-download-begin": (payload: Payload) => running(payload, 0),
  "library.game-download-progress": (payload: Payload) => {
    const [done, total] = [Number(payload["done_bytes"]), Number(payload["total_bytes"])];
    return running(payload, total > 0 ? Math.min(1, done / total) : 0);
  },
  "library.game-download-finished": (payload: Payload) => {
    const message = messageOf({ ...itemOf(payload), status: "Completed" });
    return { ...update(payload, "Completed"), progress: 1, message };
  },
  "library.game-download-failed": (payload: Payload) => {
    const { reason, code, goes_on: goesOn } = payload;
    const status = goesOn === true ? "Queued" : code === "cancelled" ? "Cancelled" : "Failed";
    const message = messageOf({ ...itemOf(payload), status, reason: String(reason) });
    return { ...update(payload, status), message };
  },
} as const;

/** A download as the jobs' keeper would tell it. */
export function downloadJob(download: Download): JobSnapshot {
  const { id, status, progress, sinceMs, endedAtMs } = download;
  return {
    jobId: DOWNLOAD_JOB_PREFIX + id,
    kind: KIND,
    libraryId: DEFAULT_LIBRARY_ID,
    requestId: undefined,
    ...{ status, progress, message: messageOf(download), error: download.code },
    createdAt: new Date(sinceMs).toISOString(),
    finishedAt: endedAtMs === undefined ? undefined : new Date(endedAtMs).toISOString(),
  };
}

function running(payload: Payload, progress: number): JobEvent {
  const message = messageOf({ ...itemOf(payload), status: "Running" });
  return { ...update(payload, "Running"), progress, message };
}

function update({ id }: Payload, status: JobEvent["status"]) {
  return { job_id: `${DOWNLOAD_JOB_PREFIX}${id}`, library_id: DEFAULT_LIBRARY_ID, status };
}

function itemOf({ id, version }: Payload): Pick<Download, "id" | "version"> {
  return { id: String(id), version: String(version) };
}

function messageOf(
  { id, version, status, reason = "" }: Pick<Download, "id" | "version" | "status" | "reason">,
): string {
  if (status === "Running") return `Fetching "${id}", version ${version}`;
  if (status === "Completed") return `Fetched "${id}", version ${version}`;
  if (status !== "Queued") return reason;
  return reason
    ? `"${id}" waits and goes on by itself: ${reason}`
    : `"${id}" is about to be fetched`;
}
