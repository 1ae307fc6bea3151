import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DaemonError, messageOf } from "../core/mod.ts";

declare const ALMENAD_COMMIT: string | undefined;

/** Files that the daemon serves, of packages and our own; the bundler copies them into `assets/`. */
export const ASSET_FILES: Readonly<Record<string, string>> = {
  "swagger-ui.css": "swagger-ui-dist/swagger-ui.css",
  "swagger-ui-bundle.js": "swagger-ui-dist/swagger-ui-bundle.js",
  "favicon-32x32.png": "swagger-ui-dist/favicon-32x32.png",
  "explorer.html": "../api/graphql/explorer/explorer.html",
  "explorer.css": "../api/graphql/explorer/explorer.css",
  "explorer.js": "../api/graphql/explorer/explorer.js",
  "page.html": "../page/page.html",
  "page.svg": "../page/page.svg",
};

/** What the bundler makes rather than copies: the script and the style of the page. */
const MADE_FILES = ["page.css", "page.js"];

/**
 * Reads a file that ships with the daemon: from its package when run from source, from inside the
 * executable otherwise.
 *
 * @param name A key of {@link ASSET_FILES}, or one of the page's made files.
 * @throws {DaemonError} `not_found` for any other name.
 */
export async function readAsset(name: string): Promise<Uint8Array> {
  const source = ASSET_FILES[name];
  try {
    if (MADE_FILES.includes(name)) return await madeFile(name);
    if (!source) throw new TypeError("no such asset");
    return await readFile(assetPath(name, source));
  } catch (cause) {
    throw new DaemonError("not_found", `Cannot read asset "${name}": ${messageOf(cause)}`, {
      cause,
    });
  }
}

/** Makes the page where the source has changed since; to be called while programs may be run. */
export async function preparePage(): Promise<void> {
  if (typeof ALMENAD_COMMIT !== "string") {
    const { isPageKept, keptPage } = await import("./page_bundle.ts");
    if (!isPageKept()) await keptPage();
  }
}

async function madeFile(name: string): Promise<Uint8Array> {
  // Written so that the bundler sees that an executable never gets there: it has no esbuild.
  if (typeof ALMENAD_COMMIT !== "string") {
    const bundle = (await (await import("./page_bundle.ts")).keptPage()).get(name);
    if (!bundle) throw new TypeError("the bundle lacks it");
    return bundle;
  }
  return await readFile(assetPath(name, ""));
}

function assetPath(name: string, source: string): string {
  if (typeof ALMENAD_COMMIT === "string") return join(import.meta.dirname ?? ".", "assets", name);
  return assetSource(source);
}

/** Path of a file of {@link ASSET_FILES} where it comes from, for whoever packs it. */
export function assetSource(source: string): string {
  return fileURLToPath(import.meta.resolve(source));
}
