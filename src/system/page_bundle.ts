/**
 * The page as a browser gets it: one script and one style sheet, made of `src/page` by esbuild.
 * Executables carry them; on source they are made when a file of the page is newer.
 */
import { readdirSync, statSync } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
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
  return kept ??= isPageKept() ? fromDisk() : made();
}

/** Whether `dist/page` has the bundle of these very sources. A start waits for this: it is quick. */
export function isPageKept(): boolean {
  try {
    const made = statSync(join(KEPT, "page.js")).mtimeMs;
    const isOlder = (path: string) => statSync(path).mtimeMs < made;
    return isOlder(join(ROOT, "deno.json")) &&
      readdirSync(SOURCE, { recursive: true }).every((name) => isOlder(join(SOURCE, `${name}`)));
  } catch {
    return false; // nothing is there yet
  }
}

async function fromDisk(): Promise<PageBundle> {
  const read = async (name: string) => [name, await readFile(join(KEPT, name))] as const;
  return new Map(await Promise.all(PAGE_FILES.map(read)));
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
