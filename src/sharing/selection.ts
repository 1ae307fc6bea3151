import { DaemonError } from "../core/mod.ts";
import type { Manifest } from "./manifest.ts";

/** Refuses a list of files that is not what the newest version has. @throws {DaemonError} `invalid_argument`. */
export function checkSelection({ files }: Manifest, selected: readonly string[] | undefined): void {
  if (!selected) return;
  const known = new Set(files.map(({ path }) => path));
  const unknown = selected.find((path) => !known.has(path));
  if (unknown === undefined && new Set(selected).size === known.size) return;
  throw new DaemonError(
    "invalid_argument",
    unknown === undefined
      ? `Cannot fetch ${selected.length} of ${known.size} files: an item is fetched as a whole`
      : `Cannot fetch ${JSON.stringify(unknown)}: the newest version has no such file`,
  );
}
