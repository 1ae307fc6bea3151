import { dirname } from "node:path";
import { type EventBus, logger, messageOf, systemCode } from "../core/mod.ts";
import { copyTree, measureTree, moveByRename, removeCopied } from "./copy_files.ts";
import { checkRoom, type CopyRequest, type CopyStep, planCopy } from "./copy_plan.ts";
import { fileError, type FolderRules } from "./folder_rules.ts";
import type { JobContext, Jobs, JobSnapshot } from "./jobs.ts";
import type { Libraries } from "./libraries.ts";

/** What {@link FileCopy} uses. */
export interface FileCopyComponents {
  events: Pick<EventBus, "publish">;
  libraries: Pick<Libraries, "getOpen">;
  jobs: Pick<Jobs, "submit">;
  folders: FolderRules;
}

/** For whom a copy is made. */
export interface CopyCaller {
  libraryId: string;
  requestId?: string | undefined;
}

interface Totals {
  files: number;
  bytes: number;
  done: number;
}

const log = logger("library");

/** Copies and moves files and folders in the background, contract 2.4 (files.copy). */
export class FileCopy {
  readonly #components: FileCopyComponents;

  constructor(components: FileCopyComponents) {
    this.#components = components;
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
    return this.#components.jobs.submit({
      kind: "files.copy",
      libraryId,
      requestId,
      message: `${verb} ${steps.length} of ${steps.length} to ${request.destination}`,
      run: (context) => this.#run(steps, request, libraryId, context),
    });
  }

  async #run(
    steps: readonly CopyStep[],
    request: CopyRequest,
    libraryId: string,
    context: JobContext,
  ): Promise<string> {
    const totals = await this.#measure(steps, context);
    for (const step of steps) {
      context.signal.throwIfAborted();
      await runStep(step, request, totals, context);
      this.#components.events.publish("resource.changed", {
        resource_type: "file",
        resource: { library_id: libraryId, path: step.target },
      });
    }
    const verb = request.isMove ? "Moved" : "Copied";
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

async function runStep(
  { source, target, how }: CopyStep,
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
