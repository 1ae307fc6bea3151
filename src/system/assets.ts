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
};

/**
 * Reads a file that ships with the daemon: from its package when run from source, from inside the
 * executable otherwise.
 *
 * @param name A key of {@link ASSET_FILES}.
 * @throws {DaemonError} `not_found` for any other name.
 */
export async function readAsset(name: string): Promise<Uint8Array> {
  const source = ASSET_FILES[name];
  try {
    if (!source) throw new TypeError("no such asset");
    return await readFile(assetPath(name, source));
  } catch (cause) {
    throw new DaemonError("not_found", `Cannot read asset "${name}": ${messageOf(cause)}`, {
      cause,
    });
  }
}

function assetPath(name: string, source: string): string {
  if (typeof ALMENAD_COMMIT === "string") return join(import.meta.dirname ?? ".", "assets", name);
  return assetSource(source);
}

/** Path of a file of {@link ASSET_FILES} where it comes from, for whoever packs it. */
export function assetSource(source: string): string {
  return fileURLToPath(import.meta.resolve(source));
}
