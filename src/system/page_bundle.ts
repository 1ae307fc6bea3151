/**
 * The page as a browser gets it: one script and one style sheet, made of `src/page` by esbuild.
 * Executables carry them; on source they are made when a file of the page is newer.
 */
import { mkdir, readdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Names of what the bundle consists of. */
export const PAGE_FILES = ["page.css", "page.js"] as const;

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const SOURCE = join(ROOT, "src", "page");
const KEPT = join(ROOT, "dist", "page");

/** Bytes of each of {@link PAGE_FILES}. */
export type PageBundle = ReadonlyMap<string, Uint8Array>;

/** Makes the bundle. Needs the right to run programs: esbuild is one. */
export async function bundlePage(): Promise<PageBundle> {
  const { build } = await import("esbuild");
  const { outputFiles } = await build({
    entryPoints: [{ in: join(SOURCE, "mod.ts"), out: "page" }, {
      in: join(SOURCE, "style", "page.css"),
      out: "page",
    }],
    outdir: KEPT,
    absWorkingDir: ROOT,
    bundle: true,
    minify: true,
    write: false,
    platform: "browser",
    format: "esm",
    target: ["chrome123", "firefox120", "safari17.5"],
    legalComments: "none",
    logLevel: "error",
  });
  return new Map(outputFiles.map(({ path, contents }) => [path.slice(KEPT.length + 1), contents]));
}

let kept: Promise<PageBundle> | undefined;

/** The bundle of this source: what an earlier run left in `dist/page`, else made and left there. */
export function keptPage(): Promise<PageBundle> {
  return kept ??= fromDisk().then((found) => found ?? made());
}

async function fromDisk(): Promise<PageBundle | undefined> {
  try {
    const [bundle, ...sources] = await Promise.all([
      changedAt(join(KEPT, "page.js")),
      changedAt(join(ROOT, "deno.json")),
      ...(await readdir(SOURCE, { recursive: true })).map((name) => changedAt(join(SOURCE, name))),
    ]);
    if (sources.some((time) => time > (bundle ?? 0))) return undefined;
    return new Map(
      await Promise.all(
        PAGE_FILES.map(async (name) => [name, await readFile(join(KEPT, name))] as const),
      ),
    );
  } catch {
    return undefined; // nothing is there yet
  }
}

async function changedAt(path: string): Promise<number> {
  return (await stat(path)).mtimeMs;
}

async function made(): Promise<PageBundle> {
  const bundle = await bundlePage();
  await (await import("esbuild")).stop(); // it leaves a process behind, which a daemon must not have
  try {
    await mkdir(KEPT, { recursive: true });
    for (const name of PAGE_FILES) await replace(join(KEPT, name), bundle.get(name));
  } catch {
    // a folder that cannot be written; the next run makes the bundle again
  }
  return bundle;
}

async function replace(path: string, bytes: Uint8Array = new Uint8Array()): Promise<void> {
  const temporary = `${path}.${crypto.randomUUID()}`;
  await writeFile(temporary, bytes);
  await rename(temporary, path);
}
