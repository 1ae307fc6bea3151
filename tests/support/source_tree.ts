/** The project's files and who imports whom, for tests that hold the rules of the house. */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** Folder of the project. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** One import of one of our files by another. */
export interface Import {
  /** Paths from the project's folder, with slashes. */
  readonly from: string;
  readonly to: string;
  /** Whether it vanishes when types are stripped. */
  readonly isType: boolean;
  /** Whether it waits until it is asked for: `import(…)`. */
  readonly isDynamic: boolean;
}

/** A file of ours with its text. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

interface Graph {
  modules: {
    specifier: string;
    dependencies?: {
      specifier: string;
      isDynamic?: boolean;
      code?: { specifier?: string };
      type?: { specifier?: string };
    }[];
  }[];
}

/** Text of a file of the project. */
export function readText(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

/** Every file of ours below a folder, by name's ending. */
export function filesBelow(folder: string, ending = ".ts"): SourceFile[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => slashed(relative(ROOT, join(entry.parentPath, entry.name))))
    .filter((path) => !path.includes("node_modules"))
    .sort()
    .map((path) => ({ path, text: readText(path) }));
}

/** What an entry file stands on, of our own: every file, and every import between them. */
export async function importsFrom(entry: string): Promise<{ files: string[]; imports: Import[] }> {
  const args = ["info", "--json", join(ROOT, entry)];
  const { stdout } = await promisify(execFile)(Deno.execPath(), args, {
    cwd: ROOT,
    maxBuffer: 64 * 1024 * 1024,
  });
  const { modules } = JSON.parse(stdout) as Graph;
  const ours = modules.flatMap((module) => {
    const path = ownPath(module.specifier);
    return path ? [{ path, dependencies: module.dependencies ?? [] }] : [];
  });
  const imports = ours.flatMap(({ path: from, dependencies }) =>
    dependencies.flatMap(({ code, type, isDynamic = false }) => {
      const to = ownPath((code ?? type)?.specifier ?? "");
      return to ? [{ from, to, isType: code === undefined, isDynamic }] : [];
    })
  );
  return { files: ours.map(({ path }) => path), imports };
}

/** The first-level folder of `src` a file is in; undefined for files that are in none. */
export function layerOf(path: string): string | undefined {
  return /^src\/([^/]+)\//.exec(path)?.[1];
}

function ownPath(specifier: string): string | undefined {
  if (!specifier.startsWith("file:")) return undefined;
  const path = slashed(relative(ROOT, fileURLToPath(specifier)));
  return path.startsWith("..") || path.includes("node_modules") ? undefined : path;
}

/** Paths that the links of a Markdown file lead to, from the project's folder. */
export function linkedFiles({ path, text }: SourceFile): string[] {
  return [...text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)]
    .map(([, target = ""]) => slashed(join(dirname(path), target)));
}

function slashed(path: string): string {
  return path.replaceAll("\\", "/");
}
