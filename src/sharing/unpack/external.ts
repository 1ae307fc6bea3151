/** Archives that a program of the user's choice unpacks, such as unrar; configuration names it. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { DaemonError } from "../../core/mod.ts";
import type { Files } from "../files.ts";
import { OWNED } from "../names.ts";
import { refused, type TargetTree } from "./target_tree.ts";

/** A program for archives. */
export interface ExternalUnpacker {
  /** Endings of the names it is for, such as `.rar`. */
  readonly extensions: readonly string[];
  /** Program and arguments; `{archive}` and `{target}` stand for the paths. */
  readonly command: readonly string[];
}

const KEPT_OUTPUT = 2_000;
/** The disk's room is looked at this often while the program runs. */
const LOOK_MS = 250;

/** A program that was told to end and does not is killed after so long. */
const KILL_MS = 1_000;
/** Its last words may come so long after its end; what it left running may hold on to its output. */
const LAST_WORDS_MS = 250;

/** What a program works on. */
export interface ExternalWork {
  readonly archive: string;
  readonly target: string;
  readonly files: Files;
  readonly tree: TargetTree;
  readonly signal: AbortSignal;
}

/**
 * Runs the program, then looks at what it made: links, special files and too much are refused.
 *
 * @throws {DaemonError} `failed_precondition` if it cannot be run or fails, with its last words;
 *   `resource_exhausted` if the disk fills up.
 */
export async function unpackExternally(
  unpacker: ExternalUnpacker,
  work: ExternalWork,
): Promise<void> {
  const full = new AbortController();
  const look = () => work.tree.checkRoom().catch((failure) => full.abort(failure));
  const looking = setInterval(look, LOOK_MS);
  try {
    await look();
    await run(unpacker, work, AbortSignal.any([work.signal, full.signal]));
    full.signal.throwIfAborted();
  } finally {
    clearInterval(looking);
  }
  await settle(work, "");
}

async function run(
  { command }: ExternalUnpacker,
  { archive, target }: ExternalWork,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  const [program = "", ...args] = command.map((word) =>
    word.replaceAll("{archive}", archive).replaceAll("{target}", target)
  );
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const child = spawn(program, args, { cwd: target, stdio: ["ignore", "pipe", "pipe"], signal });
  const timers: ReturnType<typeof setTimeout>[] = [];
  const kill = () => void timers.push(setTimeout(() => killNow(child.pid), KILL_MS));
  signal.addEventListener("abort", kill, { once: true });
  let words = "";
  const keep = (text: unknown) => words = `${words}${text}`.slice(-KEPT_OUTPUT);
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  let problem: DaemonError | undefined;
  child.on("error", (cause) => {
    problem = cannot(`run "${program}": ${cause.message}`, cause);
    if (child.pid === undefined) reject(problem); // it never ran, so it will not end either
  });
  const ended = (code: number | null) => {
    if (code === 0 && !problem) return resolve();
    const reason = `it ended with code ${code}: ${words.trim()}`;
    reject(problem ?? cannot(`unpack ${archive} with "${program}": ${reason}`));
  };
  child.on("exit", (code) => void timers.push(setTimeout(() => ended(code), LAST_WORDS_MS)));
  child.on("close", ended);
  try {
    await promise;
  } catch (failure) {
    signal.throwIfAborted();
    throw failure;
  } finally {
    signal.removeEventListener("abort", kill);
    timers.forEach(clearTimeout);
    child.stdout.destroy();
    child.stderr.destroy();
  }
}

// By its pid: a child that was told to end already is told nothing more by the runtime (measured).
function killNow(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(pid, "SIGKILL");
  } catch {
    // it has ended by itself
  }
}

function cannot(what: string, cause?: Error): DaemonError {
  return new DaemonError("failed_precondition", `Cannot ${what}`, cause ? { cause } : {});
}

// What a foreign program wrote is checked afterwards, and made to last.
async function settle(work: ExternalWork, folder: string): Promise<void> {
  const { files, target, tree } = work;
  for (const { name, kind } of await files.list(join(target, folder))) {
    if (folder === "" && name === OWNED) continue;
    const path = folder ? `${folder}/${name}` : name;
    if (kind === "other") throw refused(path, "it is no file and no folder");
    const absolute = join(target, path);
    tree.adopt(path, (await files.facts(absolute))?.size ?? 0);
    if (kind === "folder") await settle(work, path);
    else {
      // It may be read-only, and only Windows wants to write to what it syncs.
      const file = await files.open(absolute, process.platform === "win32" ? "update" : "read");
      await file.sync().finally(() => file.close());
    }
  }
  await files.syncFolder(join(target, folder));
}
