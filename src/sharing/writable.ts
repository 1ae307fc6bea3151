import { join } from "node:path";
import { DaemonError, messageOf, systemCode } from "../core/mod.ts";
import { diskError, type Files } from "./files.ts";

const DISK_FAILURES = new Set(["ENOSPC", "EDQUOT", "EIO"]);

/**
 * Makes sure that items can be put into a folder; leaves nothing there.
 *
 * @throws {DaemonError} `permission_denied`, `resource_exhausted` or `unavailable`.
 */
export async function checkWritable(files: Files, dir: string): Promise<void> {
  const probe = join(dir, `.almenad-${crypto.randomUUID()}.tmp`);
  try {
    await files.makeFolder(probe);
    await files.removeFolder(probe);
  } catch (cause) {
    if (DISK_FAILURES.has(systemCode(cause) ?? "")) throw diskError(`use ${dir}`, cause);
    const [why] = messageOf(cause).split(",");
    throw new DaemonError(
      "permission_denied",
      `Cannot use library folder "${dir}": nothing can be written into it (${why}); choose ` +
        "another folder, or let the user that the daemon runs as write there",
      { cause },
    );
  }
}
