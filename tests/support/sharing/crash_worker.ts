/**
 * Does what it is told on a disk that fails, or ends the process, at a step: one JSON line in, one out.
 * Whoever told it sees a kill in the end of the process.
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { fetchItem, installsOn, largeOf } from "./crash_scene.ts";
import { type Fault, FaultFiles } from "./fault_files.ts";
import { tarGzOf, type Tree } from "./item_folder.ts";

/** What a worker is told. */
export interface CrashOrder {
  readonly kind: "download" | "install" | "uninstall" | "recover";
  /** Holds `library/item` and `data`. */
  readonly folder: string;
  readonly version: number;
  /** Number of the step, from 1; 0 for none. */
  readonly stopAt: number;
  readonly fault: Fault;
}

/** What is installed of a version. */
export function installedOf(version: number): Record<string, string> {
  return { "a.txt": `a ${version}`, "deep/b.txt": `b ${version}` };
}

/** What peers have of a version. */
export async function archiveOf(version: number): Promise<Tree> {
  return {
    "version.ini": `version=${version}\n`,
    "data.tar.gz": await tarGzOf(installedOf(version)),
    [`only-in-${version}/extra.bin`]: `extra ${version}`,
    ...version % 4 === 0 ? { "large.bin": largeOf(String(version)) } : {},
  };
}

async function obey({ kind, folder, version, stopAt, fault }: CrashOrder): Promise<void> {
  const isLasting = fault === "EIO"; // as a disk that is gone
  const files = new FaultFiles(stopAt, stopAt > 0 ? fault : "none", { isLasting });
  const root = `${folder}/library/item`;
  const { signal } = new AbortController();
  const installs = installsOn(files);
  if (kind === "download") {
    await fetchItem(folder, String(version), await archiveOf(version), files);
  } else if (kind === "install") await installs.install(root, { version: String(version), signal });
  else if (kind === "uninstall") await installs.uninstall(root);
  else await installs.recover(root);
}

if (import.meta.main) {
  process.stdout.write("{}\n");
  for await (const line of createInterface({ input: process.stdin })) {
    const failure = await obey(JSON.parse(line) as CrashOrder).then(() => undefined, String);
    process.stdout.write(`${JSON.stringify({ isDone: failure === undefined, failure })}\n`);
  }
}
