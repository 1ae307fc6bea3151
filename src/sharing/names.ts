/** Names of the shared library: item ids, paths inside items, versions. Contract 5.1. */
import process from "node:process";
import { DaemonError } from "../core/mod.ts";

/** Bytes of a chunk, contract 5.2. */
export const CHUNK_BYTES = 4 * 1_024 * 1_024;
/** The sentinel of a downloaded item. */
export const SENTINEL = "version.ini";
/** The sentinel while it is written. */
export const SENTINEL_TEMP = ".version.ini.tmp";
/** The old sentinel while a download runs. */
export const SENTINEL_PARKED = ".version.ini.discarded";
/** The installed item. */
export const LOCAL = "local";
/** What is being installed. */
export const INSTALLING = ".local.installing";
/** The installed item before its update or removal. */
export const BACKUP = ".local.backup";
/** Marks a folder as ours. */
export const OWNED = ".lanspread_owned";
/** The intent log. */
export const INTENT = ".lanspread.json";
/** The intent log while it is written. */
export const INTENT_TEMP = ".lanspread.json.tmp";
/** Most bytes of an intent log. */
export const MAX_INTENT_BYTES = 65_536;
/** Most bytes of a sentinel. */
export const MAX_SENTINEL_BYTES = 65_536;
/** Longest path inside an item, in UTF-8 bytes. */
export const MAX_PATH_BYTES = 1_024;
/** Longest single name, in UTF-8 bytes; what common file systems allow. */
export const MAX_NAME_BYTES = 255;
/** Deepest path inside an item. */
export const MAX_DEPTH = 64;

const RESERVED = new Set([
  SENTINEL_TEMP,
  SENTINEL_PARKED,
  LOCAL,
  INSTALLING,
  BACKUP,
  OWNED,
  INTENT,
  INTENT_TEMP,
]);
const ITEM_ID = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/;
// Windows opens a device for these in every folder, whatever follows the first dot.
const DEVICE = /^(con|prn|aux|nul|conin\$|conout\$|clock\$|com[0-9¹²³]|lpt[0-9¹²³])\s*(\.|$)/i;
// deno-lint-ignore no-control-regex -- control characters are what is looked for
const FORBIDDEN = /[\u0000-\u001f\u007f\\:]/;
const FORBIDDEN_ON_WINDOWS = /[<>"|?*]/;
// The second name Windows may give a file, such as LANSPR~1.JSO; it opens the file as well.
const SHORT_NAME = /^[^.]{1,8}(?<=~\d{1,6})(\.[^.]{0,3})?$/;
// deno-lint-ignore no-control-regex -- all of ASCII is meant
const ASCII = /^[\u0000-\u007f]*$/;
const utf8 = new TextEncoder();

/** Whether a name in an item's root belongs to the daemon or to the installed item. */
export function isReserved(name: string): boolean {
  return RESERVED.has(twinKey(name));
}

/** Whether a text may be the id of an item, contract 5.1. */
export function isItemId(id: string): boolean {
  return ITEM_ID.test(id) && !DEVICE.test(id) && !id.endsWith(".");
}

/** The id itself. @throws {DaemonError} `invalid_argument`. */
export function checkItemId(id: string): string {
  if (isItemId(id)) return id;
  throw new DaemonError(
    "invalid_argument",
    `Cannot use ${
      JSON.stringify(id.slice(0, 200))
    } as id of an item: an id has 1 to 128 letters, ` +
      "digits, dots, hyphens and underscores, and begins and ends with no dot",
  );
}

/**
 * Why a path from outside cannot be a path inside an item; undefined when it can.
 *
 * @param path With forward slashes.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(pathProblem("data/level 1.pak"), undefined);
 * assert.equal(pathProblem("data/../../etc"), 'the name ".." leaves the folder');
 * assert.equal(pathProblem("aux.txt"), 'the name "aux.txt" is a device on Windows');
 * ```
 */
export function pathProblem(path: string, platform: string = process.platform): string | undefined {
  if (path === "") return "it is empty";
  if (path.length * 3 > MAX_PATH_BYTES && utf8.encode(path).byteLength > MAX_PATH_BYTES) {
    return `it is longer than ${MAX_PATH_BYTES} bytes`;
  }
  if (!path.isWellFormed()) return "it is no valid Unicode";
  const names = path.split("/");
  if (names.length > MAX_DEPTH) return `it is deeper than ${MAX_DEPTH} folders`;
  for (const name of names) {
    const problem = nameProblem(name, platform);
    if (problem) return problem;
  }
  return undefined;
}

function nameProblem(name: string, platform: string): string | undefined {
  if (name === "") return "a name in it is empty";
  if (name === "." || name === "..") return `the name ${JSON.stringify(name)} leaves the folder`;
  if (FORBIDDEN.test(name) || (platform === "win32" && FORBIDDEN_ON_WINDOWS.test(name))) {
    return `the name ${JSON.stringify(name)} has a character that is not allowed`;
  }
  if (platform === "win32" && SHORT_NAME.test(name)) {
    return `the name ${JSON.stringify(name)} may be another file's on Windows`;
  }
  if (/[. ]$/.test(name)) return `the name ${JSON.stringify(name)} ends with a dot or a space`;
  // Compatibility forms count as what a file system may turn them into.
  const plain = ASCII.test(name) ? name : name.normalize("NFKC");
  if (DEVICE.test(plain)) return `the name ${JSON.stringify(name)} is a device on Windows`;
  if (plain === ".." || plain === "." || /[/\\:]/.test(plain)) {
    return `the name ${JSON.stringify(name)} has a character that looks like a separator`;
  }
  if (name.length * 3 > MAX_NAME_BYTES && utf8.encode(name).byteLength > MAX_NAME_BYTES) {
    return `a name in it is longer than ${MAX_NAME_BYTES} bytes`;
  }
  return undefined;
}

/** Why a path can be no served file of an item; undefined when it can. */
export function itemPathProblem(path: string, platform?: string): string | undefined {
  const [first = ""] = path.split("/", 1);
  if (isReserved(first)) return `"${first}" is reserved`;
  return pathProblem(path, platform);
}

/**
 * Two paths with the same key cannot be apart on every file system: some fold case as Unicode does
 * and pass over characters that show nothing.
 */
export function twinKey(path: string): string {
  if (ASCII.test(path)) return path.toLowerCase();
  const shown = path.normalize("NFD").replace(/\p{Default_Ignorable_Code_Point}/gu, "");
  return shown.toUpperCase().toLowerCase().normalize("NFC");
}

/**
 * The version a sentinel names: the value of `version=`, or its first line that is not empty.
 *
 * @returns Empty when there is none.
 */
export function parseVersion(text: string): string {
  const lines = text.replace(/^\uFEFF/, "").split(/\r\n|\r|\n/).map((line) => line.trim());
  const value = lines.map((line) => /^version\s*=(.*)$/i.exec(line)?.[1]).find((v) =>
    v !== undefined
  );
  return (value ?? lines.find((line) => line !== "") ?? "").trim().slice(0, 256);
}

/**
 * Orders versions: by their runs of digits, then as text.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.deepEqual(["1.10", "1.9", "2"].sort(compareVersions), ["1.9", "1.10", "2"]);
 * ```
 */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((text) => text.match(/\d+/g)?.map(BigInt) ?? []) as [
    bigint[],
    bigint[],
  ];
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const [x = -1n, y = -1n] = [left[index], right[index]];
    if (x !== y) return x < y ? -1 : 1;
  }
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Chunks of a file of this size; none of an empty one. */
export function chunkCount(size: number): number {
  return Math.ceil(size / CHUNK_BYTES);
}
