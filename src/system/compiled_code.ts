import { existsSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, sep } from "node:path";

/** What becomes of the compiled code that this run leaves to later ones. */
export interface CompiledCode {
  /** This is a run worth keeping the code of. */
  keep(): void;
  /** Has later runs begin anew, unless the code was there before or is worth keeping. */
  end(): Promise<void>;
}

/**
 * The runtime of an executable writes compiled code to a file at its first run, and never again.
 * Had that been a short command, every later start of the daemon would compile its own code anew
 * and take half as long again; so a command that finds no such file leaves none.
 *
 * @param folder Where this program's code seems to be: `<temp>/deno-compile-<name>/…` in an
 *   executable, anything else from source.
 */
export function watchCompiledCode(folder: string = import.meta.dirname ?? ""): CompiledCode {
  const [root = ""] = relative(tmpdir(), folder).split(sep);
  const path = root.startsWith("deno-compile-") ? join(tmpdir(), `${root}.cache`) : undefined;
  let isKept = path === undefined || existsSync(path);
  return {
    keep: () => void (isKept = true),
    end: async () => {
      if (path === undefined || isKept) return;
      isKept = true; // a daemon that is started now may write its own
      await new Promise((resolve) => setTimeout(resolve)); // it is written in the first turn
      rmSync(path, { force: true });
    },
  };
}
