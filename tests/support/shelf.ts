/** Libraries, jobs and copies over temporary folders, in this process. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type BusEvent, EventBus, systemClock } from "../../src/core/mod.ts";
import { createShelf, type JobSnapshot, type Shelf } from "../../src/library/mod.ts";
import { tempFolder } from "./temp_folder.ts";
import { waitFor } from "./wait.ts";

/** A shelf that was started, a folder for users' files, and what was published. */
export interface OpenShelf extends Shelf, AsyncDisposable {
  /** The daemon's own folder. */
  readonly base: string;
  /** A folder outside of it. */
  readonly files: string;
  readonly events: BusEvent[];
  /** Waits until a job is over. */
  ended(jobId: string): Promise<JobSnapshot>;
  /** As a daemon that is started anew on the same folders. */
  reopen(): Promise<OpenShelf>;
}

/** Makes a shelf. */
export async function openShelf(): Promise<OpenShelf> {
  const temp = await tempFolder();
  const [base, files] = [join(temp.path, "base"), join(temp.path, "files")];
  await mkdir(join(base, "data"), { recursive: true });
  await mkdir(files);
  const shelf = await openOver(base, files);
  return {
    ...shelf,
    [Symbol.asyncDispose]: async () => {
      await shelf[Symbol.asyncDispose]();
      await temp[Symbol.asyncDispose]();
    },
  };
}

async function openOver(base: string, files: string): Promise<OpenShelf> {
  const events: BusEvent[] = [];
  const bus = new EventBus(() => "test");
  bus.listen((event) => events.push(event));
  const shelf = createShelf({ clock: systemClock, events: bus }, {
    ...{ root: base, base, data: join(base, "data") },
  });
  for (const service of shelf.services) await service.start();
  return {
    ...shelf,
    base,
    files,
    events,
    ended: (jobId) =>
      waitFor("end of the job", () => {
        const job = shelf.jobs.get(jobId);
        return job.finishedAt !== undefined && job;
      }),
    reopen: () => openOver(base, files),
    [Symbol.asyncDispose]: async () => {
      for (const service of shelf.services.toReversed()) await service.stop();
    },
  };
}
