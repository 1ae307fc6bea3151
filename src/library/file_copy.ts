import { dirname } from "node:path";
import { type EventBus, guard, logger, messageOf, type Service, systemCode } from "../core/mod.ts";
import { copyTree, measureTree, moveByRename, removeCopied } from "./copy_files.ts";
import { type CopyJournal, tempBeside } from "./copy_journal.ts";
import { checkRoom, type CopyRequest, type CopyStep, planCopy } from "./copy_plan.ts";
import { fileError, type FolderRules } from "./folder_rules.ts";
import type { JobSnapshot } from "./job_state.ts";
import type { JobContext, Jobs } from "./jobs.ts";
import type { Libraries } from "./libraries.ts";

/** What {@link FileCopy} uses. */
export interface FileCopyComponents {
  events: Pick<EventBus, "publish">;
  libraries: Pick<Libraries, "getOpen">;
  jobs: Pick<Jobs, "submit" | "recall">;
  journal: CopyJournal;
  folders: FolderRules;
}

/** For whom a copy is made. */
export interface CopyCaller {
  libraryId: string;
  requestId?: string | undefined;
}

/** A step, and where its copy grows. */
interface TempStep extends CopyStep {
  readonly temp: string;
}

/** Everything a job needs to know. */
interface Work extends CopyRequest {
  readonly libraryId: string;
  readonly requestId: string | undefined;
  readonly message: string;
  readonly steps: readonly TempStep[];
}

const KIND = "files.copy";

interface Totals {
  files: number;
  bytes: number;
  done: number;
}

const log = logger("library");

/** Copies and moves files and folders in the background, contract 2.4 (files.copy). */
export class FileCopy implements Service {
  readonly name = "file-copy";
  readonly #components: FileCopyComponents;

  constructor(components: FileCopyComponents) {
    this.#components = components;
  }

  /** Removes, in the background, what a killed daemon left unfinished, and tells of it as jobs. */
  start(): Promise<void> {
    guard("clear away unfinished copies", () => this.#recover());
    return Promise.resolve();
  }

  stop(): Promise<void> {
    return Promise.resolve(); // the copies are jobs, which stop by themselves
  }

  async #recover(): Promise<void> {
    const { journal, jobs } = this.#components;
    for (const entry of await journal.recover()) {
      const message =
        `${entry.message}: cut short when the daemon ended; nothing half-done is left`;
      log.warn("Copy was cut short", { jobId: entry.job_id, libraryId: entry.library_id });
      jobs.recall({
        id: entry.job_id,
        kind: KIND,
        libraryId: entry.library_id,
        requestId: entry.request_id,
        createdAt: entry.created_at,
        message,
      });
    }
  }

  /**
   * Checks a copy and begins it.
   *
   * @returns The job that does it.
   * @throws As {@link planCopy}; nothing was touched then.
   */
  async begin(request: CopyRequest, { libraryId, requestId }: CopyCaller): Promise<JobSnapshot> {
    this.#components.libraries.getOpen(libraryId);
    const steps = await planCopy(request, this.#components.folders);
    this.#components.libraries.getOpen(libraryId); // it may have closed meanwhile
    const verb = request.isMove ? "Moves" : "Copies";
    const message = `${verb} ${steps.length} to ${request.destination}`;
    const work: Work = { ...request, libraryId, requestId, message, steps: steps.map(withTemp) };
    return this.#components.jobs.submit({
      ...{ kind: KIND, libraryId, requestId, message },
      run: (context) => this.#runNoted(work, context),
    });
  }

  async #runNoted(work: Work, context: JobContext): Promise<string> {
    const { journal } = this.#components;
    await journal.begin({
      job_id: context.id,
      library_id: work.libraryId,
      ...(work.requestId === undefined ? {} : { request_id: work.requestId }),
      message: work.message,
      created_at: context.createdAt,
      temps: work.steps.map(({ temp }) => temp),
    }).catch((failure) => {
      throw fileError("note the copy", failure);
    });
    try {
      return await this.#run(work, context);
    } finally {
      await journal.end(context.id);
    }
  }

  async #run(work: Work, context: JobContext): Promise<string> {
    const { steps, libraryId } = work;
    const totals = await this.#measure(steps, context);
    for (const step of steps) {
      context.signal.throwIfAborted();
      await runStep(step, work, totals, context);
      this.#components.events.publish("resource.changed", {
        resource_type: "file",
        resource: { library_id: libraryId, path: step.target },
      });
    }
    const verb = work.isMove ? "Moved" : "Copied";
    log.debug("Files were copied", { libraryId, verb, ...totals });
    return `${verb} ${totals.files} files, ${totals.bytes} bytes`;
  }

  // What is renamed or cloned takes no room; the rest has to fit before anything is written.
  async #measure(steps: readonly CopyStep[], { signal }: JobContext): Promise<Totals> {
    const totals = { files: 0, bytes: 0, done: 0 };
    let written = 0;
    for (const { source, how } of steps) {
      const { files, bytes } = await measureTree(source, signal);
      totals.files += files;
      totals.bytes += bytes;
      if (how === "stream") written += bytes;
    }
    const [first] = steps;
    if (first && written > 0) await checkRoom(dirname(first.target), written);
    return totals;
  }
}

function withTemp(step: CopyStep): TempStep {
  return { ...step, temp: tempBeside(step.target) };
}

async function runStep(
  { source, target, temp, how }: TempStep,
  request: CopyRequest,
  totals: Totals,
  { signal, report }: JobContext,
): Promise<void> {
  if (how === "rename" && await renamed(source, target, request)) return;
  const onBytes = (count: number) => {
    totals.done += count;
    report(totals.bytes > 0 ? totals.done / totals.bytes : 1, `Copies ${source}`);
  };
  await copyTree(source, target, {
    temp,
    isCloned: how === "clone",
    // Before a source is removed, its copy must outlive a power cut.
    isSynced: request.method === "Atomic" || request.isMove,
    isVerified: request.isMove,
    isReplacing: request.isReplacing,
    signal,
    onBytes,
  });
  if (!request.isMove) return;
  await removeCopied(source, target).catch((failure) => {
    throw fileError(`remove "${source}", which was copied to "${target}"`, failure);
  });
}

// Two mounts of one volume look alike until the rename is refused.
async function renamed(source: string, target: string, request: CopyRequest): Promise<boolean> {
  try {
    await moveByRename(source, target, request.isReplacing);
    return true;
  } catch (failure) {
    const { cause } = failure as { cause?: unknown };
    if (systemCode(cause) !== "EXDEV" || request.method === "Atomic") throw failure;
    log.debug("Volumes differ after all", { source, target, reason: messageOf(failure) });
    return false;
  }
}
