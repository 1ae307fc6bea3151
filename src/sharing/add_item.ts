import { basename, join, resolve } from "node:path";
import { DaemonError, systemCode } from "../core/mod.ts";
import { diskError, type Files, replaceFile } from "./files.ts";
import type { LocalItems } from "./local_items.ts";
import { checkItemId, isReserved, SENTINEL, SENTINEL_TEMP } from "./names.ts";
import type { OperationGate } from "./operation_gate.ts";
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
  await gate.run(id, "adding", async (cancelled) => {
    const both = AbortSignal.any([signal, cancelled]);
    try {
      if (root !== folder) {
        await bringIn(files, folder, root, { move: input.move ?? false, signal: both });
      }
      const hasSentinel = (await files.facts(join(root, SENTINEL)))?.kind === "file";
      if (hasSentinel && input.version === undefined) return;
      const text = `version=${checkVersion(input.version ?? "1")}\n`;
      const bytes = new TextEncoder().encode(text);
      await replaceFile(files, join(root, SENTINEL), join(root, SENTINEL_TEMP), bytes);
    } catch (failure) {
      throw diskError(`add ${folder}`, failure);
    }
  });
  return id;
}

async function bringIn(
  files: Files,
  folder: string,
  root: string,
  { move, signal }: { move: boolean; signal: AbortSignal },
): Promise<void> {
  if (await files.facts(root)) {
    throw new DaemonError("already_exists", `Cannot add ${folder}: ${root} is there already`);
  }
  const names = await files.list(folder);
  const reserved = names.find(({ name }) => isReserved(name));
  if (reserved) {
    const path = join(folder, reserved.name);
    throw new DaemonError("invalid_argument", `Cannot add ${folder}: ${path} has a reserved name`);
  }
  if (move) return await moveIn(files, folder, root);
  await files.makeFolder(root);
  const tree = new TargetTree({ files, root, onProgress: () => undefined });
  await cloneTree(files, folder, tree, { skips: (name) => name === SENTINEL, signal });
  await tree.sync();
  const sentinel = names.find(({ name, kind }) => name === SENTINEL && kind === "file");
  if (sentinel) {
    await cloneTree(files, folder, tree, { skips: (name) => name !== SENTINEL, signal });
  }
}

async function moveIn(files: Files, folder: string, root: string): Promise<void> {
  try {
    await files.rename(folder, root);
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
