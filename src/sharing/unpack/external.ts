/** Archives that a program of the user's choice unpacks, such as unrar; configuration names it. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { DaemonError } from "../../core/mod.ts";
import type { Files } from "../files.ts";
import { OWNED, pathProblem } from "../names.ts";

/** A program for archives. */
export interface ExternalUnpacker {
  /** Endings of the names it is for, such as `.rar`. */
  readonly extensions: readonly string[];
  /** Program and arguments; `{archive}` and `{target}` stand for the paths. */
  readonly command: readonly string[];
}

const KEPT_OUTPUT = 2_000;

/**
 * Runs the program, then looks at what it made: links and special files are refused.
 *
 * @throws {DaemonError} `failed_precondition` if it cannot be run or fails, with its last words.
 */
export async function unpackExternally(
  { command }: ExternalUnpacker,
  { archive, target, files, signal }: {
    archive: string;
    target: string;
    files: Files;
    signal: AbortSignal;
  },
): Promise<void> {
  const [program = "", ...args] = command.map((word) =>
    word.replaceAll("{archive}", archive).replaceAll("{target}", target)
  );
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const child = spawn(program, args, { cwd: target, stdio: ["ignore", "pipe", "pipe"], signal });
  let words = "";
  const keep = (text: unknown) => words = `${words}${text}`.slice(-KEPT_OUTPUT);
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  child.on("error", (cause) =>
    reject(
      new DaemonError("failed_precondition", `Cannot run "${program}": ${cause.message}`, {
        cause,
      }),
    ));
  child.on("close", (code) => {
    if (code === 0) return resolve();
    const reason = `it ended with code ${code}: ${words.trim()}`;
    reject(
      new DaemonError(
        "failed_precondition",
        `Cannot unpack ${archive} with "${program}": ${reason}`,
      ),
    );
  });
  try {
    await promise;
  } catch (failure) {
    signal.throwIfAborted();
    throw failure;
  }
  await settle(files, target);
}

// What a foreign program wrote is checked afterwards, and made to last.
async function settle(files: Files, folder: string): Promise<void> {
  for (const { name, kind } of await files.list(folder)) {
    if (name === OWNED) continue;
    const path = join(folder, name);
    const problem = pathProblem(name) ?? (kind === "other" ? "it is no file and no folder" : "");
    if (problem) {
      throw new DaemonError(
        "invalid_argument",
        `Cannot accept ${path} from the archive: ${problem}`,
      );
    }
    if (kind === "folder") await settle(files, path);
    else {
      const file = await files.open(path, "update");
      await file.sync().finally(() => file.close());
    }
  }
  await files.syncFolder(folder);
}
