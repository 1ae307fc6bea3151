import { resolve } from "node:path";
import type { OutputOf } from "../../client/mod.ts";
import { DaemonError } from "../../core/mod.ts";
import { type CommandContext, type CommandOptions, print } from "../command_context.ts";
import { EXIT } from "../exit_codes.ts";
import { ProgressLine } from "../progress_line.ts";
import { oneLine } from "../terminal.ts";

type Job = OutputOf<"stream", "jobs.watch">;
const METHODS = { auto: "Auto", atomic: "Atomic", streaming: "Streaming" } as const;

/** `almenad files copy <from…> <to>`: waits for the end and shows how far it is. */
export async function copyFiles(
  context: CommandContext,
  paths: readonly string[],
  options: CommandOptions,
): Promise<number> {
  const all = paths.map((path) => resolve(path));
  const destination = all.pop();
  if (destination === undefined || all.length === 0) {
    throw new DaemonError("invalid_argument", "Cannot copy: give what to copy, and where to");
  }
  const method = METHODS[(options["method"] ?? "auto") as keyof typeof METHODS];
  const { job_id } = await context.client.action("files.copy", {
    sources: all,
    destination,
    method,
    move_files: options["move"] === true,
    overwrite: options["overwrite"] === true,
  }, { libraryId: String(options["library"] ?? "default") });
  if (options["wait"] === false) {
    print(
      context,
      { job_id },
      () => `Copying as job ${job_id}; "almenad jobs" shows how far it is`,
    );
    return EXIT.ok;
  }
  return await watch(context, job_id);
}

async function watch(context: CommandContext, jobId: string): Promise<number> {
  const { client } = context;
  const signal = context.interrupted();
  const cancel = () => void client.action("jobs.cancel", { job_id: jobId }).catch(() => undefined);
  signal.addEventListener("abort", cancel, { once: true });
  const progress = new ProgressLine(context);
  let last: Job | undefined;
  for await (const job of client.stream("jobs.watch", { job_id: jobId })) {
    last = job;
    progress.show(job.progress, job.message);
  }
  progress.end();
  if (!last) throw new DaemonError("unavailable", `Cannot follow job ${jobId}: nothing came`);
  if (last.status === "Completed") {
    print(context, last, () => oneLine(last.message));
    return EXIT.ok;
  }
  if (signal.aborted) return EXIT.interrupted;
  throw new DaemonError("failed_precondition", oneLine(`${last.status}: ${last.message}`));
}
