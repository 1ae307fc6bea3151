/** SIGKILL for a running process at a chosen step of a durable write, by strace. */
import { DaemonError } from "../../src/core/mod.ts";

/** One system call of a durable write, in the order in which they are made. */
export interface WriteStep {
  readonly name: string;
  /** For strace; a question mark stands before what not every machine has. */
  readonly syscalls: string;
  /** Counts only where it concerns the folder that holds the file. */
  readonly isOfFolder?: boolean;
  /** Made by the main thread; others make such calls for other reasons. */
  readonly isOfMainThread?: boolean;
  /** What a kill before this step leaves. */
  readonly leaves: "old" | "new";
}

/** Every step of `writeDurably()`; the process is killed before each. */
export const WRITE_STEPS: readonly WriteStep[] = [
  { name: "make the temporary file", syscalls: "openat", leaves: "old" },
  { name: "set its rights", syscalls: "?chmod,fchmodat", leaves: "old" },
  { name: "write", syscalls: "write", isOfMainThread: true, leaves: "old" },
  { name: "sync the file", syscalls: "fsync", leaves: "old" },
  { name: "rename", syscalls: "?rename,?renameat,renameat2", leaves: "old" },
  { name: "open the folder", syscalls: "openat", isOfFolder: true, leaves: "new" },
  { name: "sync the folder", syscalls: "fsync", isOfFolder: true, leaves: "new" },
];

/**
 * Attaches to a process and lets it be killed at a step.
 *
 * @param folder The folder that holds the file, as the system names it.
 * @returns Once every thread is watched; the process's next call of the kind ends it.
 */
export async function killAt(
  pid: number,
  { syscalls, isOfFolder, isOfMainThread, name }: WriteStep,
  folder: string,
): Promise<AsyncDisposable> {
  const args = [
    ...["-o", "/dev/null", "-p", String(pid), ...isOfMainThread ? [] : ["-f"]],
    ...isOfFolder ? ["-P", folder] : [],
    ...["-e", `trace=${syscalls}`, "-e", `inject=${syscalls}:signal=KILL:when=1`],
  ];
  const strace = new Deno.Command("strace", { args, stdin: "null", stderr: "piped" }).spawn();
  const lines = strace.stderr.pipeThrough(new TextDecoderStream()).getReader();
  let said = "";
  while (!/attached/.test(said)) {
    const { value, done } = await lines.read();
    if (done) throw new DaemonError("unavailable", `Cannot watch for "${name}": ${said}`);
    said += value;
  }
  lines.releaseLock();
  return {
    [Symbol.asyncDispose]: async () => {
      try {
        strace.kill("SIGINT"); // it lets go of what still runs
      } catch {
        // it ended with the process
      }
      await strace.status;
      await strace.stderr.cancel().catch(() => undefined);
    },
  };
}
