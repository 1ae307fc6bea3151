/** What the job of a download is called: this, and the item's id; contract 2.5. */
export const DOWNLOAD_JOB_PREFIX = "download:";

/** The item a job fetches; undefined if it is another job. */
export function itemOfJob(jobId: string): string | undefined {
  return jobId.startsWith(DOWNLOAD_JOB_PREFIX)
    ? jobId.slice(DOWNLOAD_JOB_PREFIX.length)
    : undefined;
}
