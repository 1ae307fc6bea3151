/** What can be seen of a folder without anybody's word. */
import { join } from "node:path";
import { SENTINEL } from "./names.ts";

const FOLDED = 31;
/** Files of a root that are looked at one by one. */
const MAX_LOOKED = 1_024;

/**
 * A number that is another one after a change directly in a folder.
 *
 * @returns Undefined when there is no such folder.
 */
export function* rootMark(path: string): Generator<void, number | undefined> {
  let names: string[];
  let mark = 0;
  try {
    mark = fold(0, Deno.lstatSync(path));
    names = [...Deno.readDirSync(path)].filter(({ isFile }) => isFile).map(({ name }) => name);
  } catch {
    return undefined; // it went away, or nobody may read it
  }
  for (const [index, name] of [SENTINEL, ...names.slice(0, MAX_LOOKED)].entries()) {
    if (index % 64 === 63) yield;
    try {
      mark = fold(mark, Deno.lstatSync(join(path, name)));
    } catch {
      mark = Math.imul(mark, FOLDED); // away in between, or no sentinel
    }
  }
  return mark;
}

function fold(mark: number, { mtime, size, ino }: Deno.FileInfo): number {
  const parts = [mtime?.getTime() ?? 0, size, ino ?? 0];
  return parts.reduce((sum, part) => Math.imul(sum, FOLDED) + (part % 0x7fff_ffff) | 0, mark);
}

/** What tells folders from others that take their places; without those that are gone. */
export function* birthsOf(
  dir: string,
  ids: Iterable<string>,
  isUsable: (path: string) => boolean = () => true,
): Generator<void, Map<string, string>> {
  const births = new Map<string, string>();
  for (const id of ids) {
    const birth = folderBirth(join(dir, id));
    if (birth !== undefined && isUsable(join(dir, id))) births.set(id, birth);
    yield;
  }
  return births;
}

/** What tells a folder from another one in its place; undefined when there is none. */
export function folderBirth(path: string): string | undefined {
  try {
    const stat = Deno.lstatSync(path);
    return stat.isDirectory ? birthOf(stat) : undefined;
  } catch {
    return undefined;
  }
}

/** What tells a folder from another one in its place: inode numbers are given again, at once. */
export function birthOf({ ino, birthtime }: Deno.FileInfo): string {
  return `${ino} ${birthtime?.getTime()}`;
}

/** Whether it can be seen what is in a folder. */
export function canList(path: string): boolean {
  try {
    for (const _ of Deno.readDirSync(path)) break;
    return true;
  } catch {
    return false;
  }
}
