import { randomUUID } from "node:crypto";
import { chmod, type FileHandle, open, rename, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import process from "node:process";

/**
 * Replaces a file so that a crash at any moment leaves the old content or the new one:
 * temp file in the same folder, fsync, rename, fsync of the folder.
 *
 * @param options.mode Rights of the new file. @default {0o600}
 * @throws The operating system's error, by name (ENOSPC, EACCES …); the old file is untouched.
 */
export async function writeDurably(
  path: string,
  content: Uint8Array | string,
  options: { mode?: number } = {},
): Promise<void> {
  const folder = dirname(path);
  const temp = join(folder, `.${basename(path)}.${randomUUID()}.tmp`);
  try {
    await writeNew(temp, content, options.mode ?? 0o600);
    await rename(temp, path);
  } catch (failure) {
    await unlink(temp).catch(() => undefined);
    throw failure;
  }
  await syncFolder(folder);
}

async function writeNew(path: string, content: Uint8Array | string, mode: number): Promise<void> {
  const file = await open(path, "wx", mode);
  try {
    if (process.platform !== "win32") await chmod(path, mode); // whatever the umask takes away
    await writeAll(file, typeof content === "string" ? new TextEncoder().encode(content) : content);
    await file.sync();
  } finally {
    await file.close();
  }
}

// One write may take fewer bytes than asked without an error, so it is repeated.
async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let offset = 0; offset < bytes.byteLength;) {
    const { bytesWritten } = await file.write(bytes, offset, bytes.byteLength - offset);
    offset += bytesWritten;
  }
}

// Windows can neither open nor sync a folder; there the rename alone has to do.
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
