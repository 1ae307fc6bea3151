/** Which archives an item's folder has, and who unpacks them. */
import { join } from "node:path";
import type { Files } from "../files.ts";
import { isReserved, SENTINEL } from "../names.ts";
import type { Unpacker, UnpackProgress } from "../transaction.ts";
import { cloneTree } from "./clone.ts";
import { type ExternalUnpacker, unpackExternally } from "./external.ts";
import { TargetTree, type UnpackLimits } from "./target_tree.ts";

/** What {@link ArchiveUnpacker} uses. */
export interface ArchiveUnpackerComponents {
  readonly files: Files;
  /** Programs for further kinds of archives, asked at each use. */
  readonly external: () => readonly ExternalUnpacker[];
}

/**
 * Unpacks every archive in the root: tar, tar.gz and zip, others by a configured program. An item
 * without an archive is cloned file by file.
 */
export class ArchiveUnpacker implements Unpacker {
  readonly #components: ArchiveUnpackerComponents;
  readonly #limits: UnpackLimits;

  constructor(components: ArchiveUnpackerComponents, limits: UnpackLimits = {}) {
    this.#components = components;
    this.#limits = limits;
  }

  async unpack(
    archiveRoot: string,
    targetDir: string,
    signal: AbortSignal,
    onProgress: (progress: UnpackProgress) => void,
  ): Promise<void> {
    const { files } = this.#components;
    const tree = new TargetTree({ files, root: targetDir, onProgress }, this.#limits);
    const names = (await files.list(archiveRoot)).filter(({ kind }) => kind === "file")
      .map(({ name }) => name).filter((name) => !isReserved(name)).sort();
    let archives = 0;
    for (const name of names) {
      signal.throwIfAborted();
      const archive = join(archiveRoot, name);
      const external = this.#components.external().find(({ extensions }) =>
        isFor(name, extensions)
      );
      if (external && isLaterPart(name)) continue;
      if (external) {
        await tree.admit(await sizeOf(files, archiveRoot, names));
        const work = { archive, target: targetDir, files, tree, signal };
        await unpackExternally(external, work);
      } else if (!await unpackBuiltIn(archive, { files, tree, signal })) continue;
      archives++;
    }
    if (archives === 0) {
      const skips = (name: string) => isReserved(name) || name === SENTINEL;
      await cloneTree(files, archiveRoot, tree, { skips, signal });
    }
    await tree.sync();
  }
}

function isFor(name: string, extensions: readonly string[]): boolean {
  return extensions.some((extension) => name.toLowerCase().endsWith(extension.toLowerCase()));
}

// A divided archive is as large as all of its parts.
async function sizeOf(files: Files, folder: string, names: readonly string[]): Promise<number> {
  let bytes = 0;
  for (const name of names) bytes += (await files.facts(join(folder, name)))?.size ?? 0;
  return bytes;
}

// The first part of a divided archive stands for all of them.
function isLaterPart(name: string): boolean {
  const part = /\.part0*(\d+)\.[a-z0-9]+$/i.exec(name)?.[1];
  return part !== undefined && part !== "1";
}

async function unpackBuiltIn(
  archive: string,
  { files, tree, signal }: { files: Files; tree: TargetTree; signal: AbortSignal },
): Promise<boolean> {
  const isZip = /\.zip$/i.test(archive);
  if (!isZip && !/\.(tar|tar\.gz|tgz)$/i.test(archive)) return false;
  await tree.admit((await files.facts(archive))?.size ?? 0);
  // The libraries are read when the first archive is.
  if (isZip) await (await import("./zip.ts")).unpackZip(archive, tree, signal);
  else await (await import("./tar.ts")).unpackTar(archive, tree, signal);
  return true;
}
