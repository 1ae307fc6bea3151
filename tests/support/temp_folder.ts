import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Where a sync costs nothing, for tests of thousands of them; the usual place where there is none. */
export const QUICK_PARENT = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

/** A folder for one test, removed at its end. */
export async function tempFolder(
  parent: string = tmpdir(),
): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(parent, "almenad-test-"));
  return {
    path,
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}
