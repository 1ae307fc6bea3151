import { DaemonError } from "../core/mod.ts";
import type { FileEntry, Manifest } from "./manifest.ts";
import { chunkCount, compareVersions } from "./names.ts";
import { inSlices } from "./slices.ts";

/** What one peer says an item consists of. */
export interface PeerManifest {
  readonly peerId: string;
  readonly manifest: Manifest;
}

/** What the majority says, and who can be asked for what. */
export interface MergedManifest {
  readonly manifest: Manifest;
  /** Peers of that version, and for each the files it does not have as the majority says. */
  readonly sources: ReadonlyMap<string, ReadonlySet<string>>;
}

/** Characters of all different entries together; an honest manifest has at most a third of it. */
export const MAX_POOLED_CHARACTERS = 96 * 1_024 * 1_024;

/** Manifests of several peers in the memory of one: entries they agree on are kept once. */
export class ManifestPool {
  readonly #known = new Map<string, FileEntry>();
  #characters = 0;

  /** The same manifest out of entries known already; undefined if it differs too much to be kept. */
  *share(manifest: Manifest): Generator<void, Manifest | undefined> {
    const files: FileEntry[] = [];
    for (const [index, file] of manifest.files.entries()) {
      if (index % 256 === 255) yield;
      const known = this.#known.get(file.path);
      if (known && isSame(known, file)) {
        files.push(known);
        continue;
      }
      this.#characters += file.path.length + 64 * (file.chunks.length + 1);
      if (this.#characters > MAX_POOLED_CHARACTERS) return undefined;
      if (!known) this.#known.set(file.path, file);
      files.push(file);
    }
    return { ...manifest, files };
  }
}

/**
 * Makes one manifest of several: only those of the highest version count; about each file the
 * majority decides, contract 5.3.
 *
 * @param manifests At least one.
 * @throws {DaemonError} `failed_precondition` if there is no majority about a file, naming it.
 */
export async function mergeManifests(
  manifests: readonly PeerManifest[],
  signal?: AbortSignal,
): Promise<MergedManifest> {
  const [newest] = manifests.toSorted((a, b) =>
    compareVersions(b.manifest.version, a.manifest.version)
  );
  if (!newest) throw new DaemonError("not_found", "Cannot merge manifests: there are none");
  const { id, version } = newest.manifest;
  const voters = manifests.filter(({ manifest }) => manifest.version === version);
  const sources = new Map(voters.map(({ peerId }) => [peerId, new Set<string>()]));
  const [only] = voters;
  const files = only && await inSlices(agree(only.manifest, voters), signal)
    ? only.manifest.files
    : await inSlices(vote(voters, sources), signal);
  if (files.length === 0) {
    throw new DaemonError(
      "failed_precondition",
      `Cannot fetch "${id}": its peers agree on no file`,
    );
  }
  return { manifest: { id, version, files }, sources };
}

// The rule: all say the same in the same order, and no vote is needed.
function* agree({ files }: Manifest, voters: readonly PeerManifest[]): Generator<void, boolean> {
  if (voters.some(({ manifest }) => manifest.files.length !== files.length)) return false;
  for (const [index, file] of files.entries()) {
    if (index % 1_024 === 1_023) yield;
    if (voters.some(({ manifest }) => manifest.files[index] !== file)) return false;
  }
  return true;
}

function* vote(
  voters: readonly PeerManifest[],
  sources: ReadonlyMap<string, Set<string>>,
): Generator<void, FileEntry[]> {
  const byPath = new Map<string, Map<string, FileEntry>>();
  for (const { peerId, manifest } of voters) {
    for (const [index, file] of manifest.files.entries()) {
      if (index % 256 === 255) yield;
      const said = byPath.get(file.path) ?? new Map<string, FileEntry>();
      byPath.set(file.path, said.set(peerId, file));
    }
  }
  const files: FileEntry[] = [];
  let count = 0;
  for (const [path, said] of byPath) {
    if (++count % 256 === 255) yield;
    const winner = majority(path, said, voters.length);
    if (winner) files.push(winner);
    for (const [peerId, lacks] of sources) {
      const theirs = said.get(peerId);
      if (winner && (!theirs || !isSame(theirs, winner))) lacks.add(path);
    }
  }
  return files;
}

function majority(
  path: string,
  said: ReadonlyMap<string, FileEntry>,
  voters: number,
): FileEntry | undefined {
  const votes = new Map<string, { count: number; file: FileEntry | undefined }>();
  for (const file of said.values()) {
    const key = `${file.size} ${file.sha256}`;
    votes.set(key, { count: (votes.get(key)?.count ?? 0) + 1, file });
  }
  if (said.size < voters) votes.set("absent", { count: voters - said.size, file: undefined });
  const [first, second] = [...votes.values()].sort((a, b) => b.count - a.count);
  if (first && first.count === second?.count) {
    throw new DaemonError(
      "failed_precondition",
      `Cannot fetch the item: its peers disagree about ${
        JSON.stringify(path)
      }, and no majority decides`,
    );
  }
  return first?.file;
}

function isSame(a: FileEntry, b: FileEntry): boolean {
  return a.size === b.size && a.sha256 === b.sha256 && a.chunks.length === chunkCount(b.size);
}
