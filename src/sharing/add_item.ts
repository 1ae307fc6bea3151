import { realpath } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import type { posix } from "node:path";
import { DaemonError, systemCode } from "../core/mod.ts";
import { diskError, type Files, removeIfThere, removeTree, replaceFile } from "./files.ts";
import { writeSynced } from "./files.ts";
import { twinProblem } from "./local_item.ts";
import type { LocalItems } from "./local_items.ts";
import { checkItemId, isItemId, isReserved, OWNED, SENTINEL, SENTINEL_TEMP } from "./names.ts";
import type { OperationGate } from "./operation_gate.ts";
import { twinFolder } from "./scanner.ts";
import { cloneTree } from "./unpack/clone.ts";
import { TargetTree } from "./unpack/target_tree.ts";

/** A folder that becomes an item. */
export interface AddItemInput {
  /** Absolute path; one that lies in the library already stays where it is. */
  readonly folder: string;
  /** The folder's name when absent. */
  readonly id?: string | undefined;
  /** `1` when absent and the folder has no sentinel. */
  readonly version?: string | undefined;
  /** Moves the folder instead of copying it. */
  readonly move?: boolean | undefined;
}

/**
 * Puts a folder into the library; the sentinel comes last.
 *
 * @returns The item's id.
 * @throws {DaemonError} `already_exists`, `invalid_argument`, `not_found`, or what the disk says.
 */
export async function addItem(
  components: { files: Files; gate: OperationGate; local: Pick<LocalItems, "rootOf"> },
  input: AddItemInput,
  signal: AbortSignal,
): Promise<string> {
  const { files, gate, local } = components;
  const folder = resolve(input.folder);
  const id = checkItemId(input.id ?? basename(folder));
  const root = local.rootOf(id);
  if ((await files.facts(folder))?.kind !== "folder") {
    throw new DaemonError("not_found", `Cannot add ${folder}: there is no such folder`);
  }
  const version = input.version === undefined ? undefined : checkVersion(input.version);
  await gate.run(id, "adding", async (cancelled) => {
    const both = AbortSignal.any([signal, cancelled]);
    const twin = twinFolder(dirname(root), id);
    if (twin !== undefined) {
      throw new DaemonError("already_exists", `Cannot add ${folder}: ${twinProblem(twin)}`);
    }
    try {
      if (root === folder || await realRoot(root) === folder) {
        return await writeSentinel(files, root, version);
      }
      await checkSource(files, folder, root);
      if (!input.move) return await copyIn(files, folder, root, { version, signal: both });
      await moveIn(files, folder, root);
      await writeSentinel(files, root, version);
    } catch (failure) {
      throw diskError(`add ${folder}`, failure);
    }
  });
  return id;
}

/** Whether a path is a folder or below it; another drive of Windows never is. */
export function isInside(
  path: string,
  folder: string,
  paths: Pick<typeof posix, "relative" | "isAbsolute" | "sep"> = { relative, isAbsolute, sep },
): boolean {
  const way = paths.relative(folder, path);
  return way !== ".." && !way.startsWith(`..${paths.sep}`) && !paths.isAbsolute(way);
}

// Two ways to one folder, such as by a link, must not look like two folders.
async function realRoot(root: string): Promise<string> {
  return join(await realpath(dirname(root)).catch(() => dirname(root)), basename(root));
}

/** Removes copies into the library that a stop left half done; they are marked as ours. */
export async function sweepAdditions(files: Files, dir: string): Promise<void> {
  for (const { name, kind } of await files.list(dir)) {
    const id = /^\.(.+)\.adding$/.exec(name)?.[1];
    if (kind !== "folder" || id === undefined || !isItemId(id)) continue;
    const path = join(dir, name);
    if ((await files.facts(join(path, OWNED)))?.kind === "file") {
      await removeTree(files, path, OWNED);
    } else if ((await files.list(path)).length === 0) await files.removeFolder(path);
  }
}

async function checkSource(files: Files, folder: string, root: string): Promise<void> {
  const real = await realpath(folder).catch(() => folder);
  if (isInside(root, folder) || isInside(await realRoot(root), real)) {
    throw new DaemonError("invalid_argument", `Cannot add ${folder}: the library is in it`);
  }
  if (await files.facts(root)) throw isThere(folder, root);
  const reserved = (await files.list(folder)).find(({ name }) => isReserved(name));
  if (!reserved) return;
  const path = join(folder, reserved.name);
  throw new DaemonError("invalid_argument", `Cannot add ${folder}: ${path} has a reserved name`);
}

async function writeSentinel(files: Files, root: string, version?: string): Promise<void> {
  const sentinel = join(root, SENTINEL);
  const hasSentinel = (await files.facts(sentinel))?.kind === "file";
  if (hasSentinel && version === undefined) return;
  const bytes = new TextEncoder().encode(`version=${version ?? "1"}\n`);
  await replaceFile(files, sentinel, join(root, SENTINEL_TEMP), bytes);
}

// Under a name that is no item's until it is whole; a copy that was stopped is marked as ours.
async function copyIn(
  files: Files,
  folder: string,
  root: string,
  { version, signal }: { version: string | undefined; signal: AbortSignal },
): Promise<void> {
  const temp = join(dirname(root), `.${basename(root)}.adding`);
  const mark = join(temp, OWNED);
  if (await files.facts(temp)) {
    const isOurs = await files.facts(mark) || (await files.list(temp)).length === 0;
    if (!isOurs) throw isThere(folder, temp);
    await removeTree(files, temp, OWNED);
  }
  try {
    await files.makeFolder(temp);
    await writeSynced(files, mark, new Uint8Array());
    const tree = new TargetTree({ files, root: temp, onProgress: () => undefined });
    await cloneTree(files, folder, tree, { skips: () => false, signal });
    await tree.sync();
    await writeSentinel(files, temp, version);
    await files.rename(temp, root);
  } catch (failure) {
    await removeTree(files, temp, OWNED).catch(() => undefined); // what stays is still marked
    throw failure;
  }
  await files.syncFolder(dirname(root));
  await removeIfThere(files, join(root, OWNED));
}

function isThere(folder: string, path: string): DaemonError {
  return new DaemonError("already_exists", `Cannot add ${folder}: ${path} is there already`);
}

async function moveIn(files: Files, folder: string, root: string): Promise<void> {
  try {
    await files.rename(folder, root);
    for (const parent of new Set([dirname(root), dirname(folder)])) await files.syncFolder(parent);
  } catch (failure) {
    if (systemCode(failure) !== "EXDEV") throw failure;
    throw new DaemonError(
      "failed_precondition",
      `Cannot move ${folder}: it is on another disk than the library; add it without moving`,
      { cause: failure },
    );
  }
}

function checkVersion(version: string): string {
  if (version.length <= 200 && version.trim() === version && !/[\r\n]/.test(version) && version) {
    return version;
  }
  throw new DaemonError(
    "invalid_argument",
    `Cannot use ${JSON.stringify(version.slice(0, 100))} as version: expected one line of text`,
  );
}
