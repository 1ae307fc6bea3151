import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { DataDirs } from "../../core/mod.ts";

/**
 * Everything in the data folder that is a secret, so that it can be looked for wherever it might
 * have got to. What cannot be read is nowhere else either.
 *
 * @param config The configuration, where it could be read.
 */
export async function knownSecrets(dirs: DataDirs, config: unknown): Promise<string[]> {
  const files = [join(dirs.daemon, "admin_token"), join(dirs.data, "webhook_url")];
  const tokenFile = textAt(config, "admin_token_file");
  if (tokenFile) files.push(tokenFile);
  const url = textAt(config, "webhook", "url");
  const found = [
    ...await Promise.all(files.map(read)),
    url,
    textAt(config, "webhook", "secret"),
    ...await tokensOf(join(dirs.data, "networks.json")),
    ...await portTokens(dirs.daemon),
  ].map((text) => text.trim()).filter(Boolean);
  return [...new Set([...found, ...found.flatMap(pathOf)])];
}

async function read(path: string): Promise<string> {
  return await readFile(path, "utf8").catch(() => "");
}

// Receivers of webhooks often carry their word in the path.
function pathOf(text: string): string[] {
  if (!/^https?:/.test(text) || !URL.canParse(text)) return [];
  const { pathname, search, password } = new URL(text);
  return [`${pathname}${search}`, password].filter((part) => part.length > 1);
}

async function tokensOf(path: string): Promise<string[]> {
  return [...(await read(path)).matchAll(/"token"\s*:\s*"([^"]+)"/g)].map(([, token = ""]) =>
    token
  );
}

// Where there are no Unix sockets, this file lets programs in.
async function portTokens(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  const texts = await Promise.all(
    names.filter((name) => name.endsWith(".port")).map((name) => read(join(folder, name))),
  );
  return texts.flatMap((text) => text.match(/[0-9A-Za-z_-]{22,}/g) ?? []);
}

function textAt(value: unknown, ...path: string[]): string {
  let inner = value;
  for (const key of path) inner = (inner as Record<string, unknown> | undefined)?.[key];
  return typeof inner === "string" ? inner : "";
}
