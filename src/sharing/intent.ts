/** The intent log `.lanspread.json` and what follows from it at start, contract 5.4. */
import { join } from "node:path";
import process from "node:process";
import * as z from "zod";
import { DaemonError, once } from "../core/mod.ts";
import { type Files, readWhole, replaceFile } from "./files.ts";
import { BACKUP, INTENT, INTENT_TEMP, LOCAL, MAX_INTENT_BYTES } from "./names.ts";

const Version = once(() => z.string().max(256).nullable());
const IntentJson = once(() =>
  z.object({
    schema: z.literal(1),
    state: z.enum(["None", "Installing", "Updating", "Uninstalling"]),
    phase: z.enum(["unpack", "swap"]).nullable(),
    from_version: Version(),
    to_version: Version(),
    installed_version: Version(),
    started_at: z.string().nullable(),
    pid: z.number().int().nullable(),
  })
);

/** What an item's folder is about to go through. */
export type Intent = Readonly<z.output<ReturnType<typeof IntentJson>>>;

/** Nothing is under way. */
export function noIntent(installedVersion: string | null): Intent {
  return {
    ...{ schema: 1, state: "None", phase: null, from_version: null, to_version: null },
    installed_version: installedVersion,
    ...{ started_at: null, pid: null },
  };
}

/** Something begins. */
export function newIntent(
  fields: Pick<Intent, "state" | "phase" | "from_version" | "to_version">,
  now: number,
): Intent {
  return {
    schema: 1,
    ...fields,
    installed_version: fields.from_version,
    started_at: new Date(now).toISOString(),
    pid: process.pid,
  };
}

/**
 * Reads the log of an item.
 *
 * @returns Undefined when there is none.
 * @throws {DaemonError} `data_loss` if it cannot be read: the item is blocked until it is repaired.
 */
export async function readIntent(files: Files, root: string): Promise<Intent | undefined> {
  const path = join(root, INTENT);
  const bytes = await readWhole(files, path, MAX_INTENT_BYTES);
  if (!bytes) {
    if (await files.facts(path)) throw unreadable(path, "it is no file");
    return undefined;
  }
  try {
    return IntentJson().parse(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)));
  } catch (cause) {
    throw unreadable(path, "it holds something else than an intent", cause);
  }
}

/** Replaces the log of an item; durable when it resolves. */
export async function writeIntent(files: Files, root: string, intent: Intent): Promise<void> {
  const text = `${JSON.stringify(intent)}\n`;
  const [path, temp] = [join(root, INTENT), join(root, INTENT_TEMP)];
  await replaceFile(files, path, temp, new TextEncoder().encode(text));
}

function unreadable(path: string, reason: string, cause?: unknown): DaemonError {
  return new DaemonError(
    "data_loss",
    `Cannot read ${path}: ${reason}; look at the item's folder, then run "almenad library repair"`,
    { cause },
  );
}

/** What was unpacked could not become what is installed: something else is in its place. */
export function takenPlace(root: string, cause: unknown): DaemonError {
  return new DaemonError(
    "failed_precondition",
    `Cannot finish ${
      join(root, LOCAL)
    }: somebody made it in the meantime; close the programs that ` +
      `use it. What was installed before, if anything, is in ${join(root, BACKUP)}`,
    { cause },
  );
}

/** A folder beside `local/`, as found. */
export type SideFolder = "none" | "owned" | "foreign";

/** What is in an item's folder at start. */
export interface Observed {
  readonly state: Intent["state"];
  readonly phase: Intent["phase"];
  readonly local: boolean;
  readonly installing: SideFolder;
  readonly backup: SideFolder;
}

/** One step of a recovery, in order. */
export type RecoveryStep =
  | "restore backup"
  | "park local"
  | "delete installing"
  | "delete backup"
  | "disown backup";

/** What a recovery does and ends in. */
export interface Recovery {
  readonly steps: readonly RecoveryStep[];
  /** Which version is installed in the end. */
  readonly result: "as before" | "from" | "to" | "none";
  readonly warning?: string;
}

/**
 * The table of contract 5.4. While an intent names a side folder it is ours; otherwise only one that
 * holds the mark is touched. An installation names no backup, a removal nothing that is installed.
 */
export function planRecovery({ state, phase, local, installing, backup }: Observed): Recovery {
  const isNamed = state !== "None";
  const namesInstalling = state === "Installing" || state === "Updating";
  const namesBackup = state === "Updating" || state === "Uninstalling";
  const hasInstalling = installing === "owned" || (installing === "foreign" && namesInstalling);
  const hasBackup = backup === "owned" || (backup === "foreign" && namesBackup);
  const drop = (...steps: (RecoveryStep | false)[]) => steps.filter((step) => step !== false);
  const dropInstalling = hasInstalling && "delete installing";
  const dropBackup = hasBackup && "delete backup";
  if (state === "Uninstalling") {
    return {
      steps: drop(dropInstalling, dropBackup, local && "park local", local && "delete backup"),
      result: "none",
    };
  }
  if (local && state === "Updating" && phase === "swap" && hasInstalling && hasBackup) {
    // Ours was renamed to the backup, and the new one is not there yet: this one is somebody else's.
    const warning =
      `somebody made ${LOCAL} anew during an update; the version before is in ${BACKUP}`;
    return { steps: ["disown backup", "delete installing"], result: "none", warning };
  }
  if (local) {
    const isSwapped = state === "Updating" && phase === "swap" && !hasInstalling;
    const result = state === "Installing"
      ? "to"
      : state === "None"
      ? "as before"
      : isSwapped
      ? "to"
      : "from";
    return { steps: drop(dropInstalling, dropBackup), result };
  }
  if (hasBackup) {
    return {
      steps: drop("restore backup", dropInstalling),
      result: isNamed ? "from" : "as before",
    };
  }
  const warning = state === "Updating"
    ? { warning: "an update lost both versions of the installed item; install it again" }
    : {};
  return { steps: drop(dropInstalling), result: "none", ...warning };
}
