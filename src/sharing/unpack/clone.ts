import { join } from "node:path";
import type { Files } from "../files.ts";
import type { TargetTree } from "./target_tree.ts";

const COPY_BYTES = 1_024 * 1_024;

/**
 * Copies every regular file below a folder; links and special files stay behind.
 *
 * @param init.skips Names directly in the folder that are left out.
 */
export async function cloneTree(
  files: Files,
  root: string,
  tree: TargetTree,
  { skips, signal }: { skips: (name: string) => boolean; signal: AbortSignal },
): Promise<void> {
  for (const folders = [""]; folders.length > 0;) {
    const folder = folders.pop() ?? "";
    for (const { name, kind } of await files.list(join(root, folder))) {
      signal.throwIfAborted();
      const path = folder ? `${folder}/${name}` : name;
      if (folder === "" && skips(name)) continue;
      if (kind === "folder") {
        await tree.folder(path);
        folders.push(path);
      } else if (kind === "file") await copyFile(files, join(root, path), path, tree, signal);
    }
  }
}

async function copyFile(
  files: Files,
  from: string,
  path: string,
  tree: TargetTree,
  signal: AbortSignal,
): Promise<void> {
  const file = await files.open(from, "read");
  try {
    const { size } = await file.facts();
    await tree.admit(size);
    const content = async function* () {
      for (let at = 0; at < size;) {
        const buffer = new Uint8Array(Math.min(COPY_BYTES, size - at));
        const read = await file.read(buffer, at);
        if (read === 0) return;
        yield buffer.subarray(0, read);
        at += read;
      }
    };
    await tree.file(path, content(), { size, signal });
  } finally {
    await file.close();
  }
}
