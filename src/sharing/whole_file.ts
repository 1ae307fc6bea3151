import { DaemonError, messageOf } from "../core/mod.ts";
import type { ChunkWriter } from "./chunk_writer.ts";
import { digest, fromHex, sameHash } from "./hashing.ts";
import type { Manifest } from "./manifest.ts";
import type { PeerClient } from "./peer_client.ts";
import type { Chunk } from "./planned.ts";

/** What {@link fetchWholeFile} uses. */
export interface WholeFileComponents {
  readonly client: Pick<PeerClient, "fetchFile">;
  readonly writer: ChunkWriter;
  onBadChunk(peerId: string): void;
}

/**
 * The last resort: the whole file from anybody, chunk by chunk from its beginning. Chunks that were
 * verified before stay as they are; a file without any is emptied first.
 *
 * @param init.chunk Any chunk of the file.
 * @param init.peers Asked in this order.
 * @returns Who brought it.
 * @throws {DaemonError} `unavailable` if nobody did.
 */
export async function fetchWholeFile(
  { client, writer, onBadChunk }: WholeFileComponents,
  { manifest, chunk, peers }: { manifest: Manifest; chunk: Chunk; peers: readonly string[] },
  signal: AbortSignal,
): Promise<string> {
  const entry = manifest.files[chunk.file];
  if (!entry) throw new DaemonError("internal", `Cannot find file ${chunk.file}`);
  let last: unknown;
  if (!entry.chunks.some((_, index) => writer.has(chunk.file, index))) {
    await writer.restart(chunk.file);
  }
  for (const peerId of peers) {
    signal.throwIfAborted();
    try {
      await client.fetchFile(peerId, { id: manifest.id, ...entry }, async (index, bytes) => {
        if (!sameHash(await digest(bytes), fromHex(entry.chunks[index] ?? ""))) {
          onBadChunk(peerId);
          throw new DaemonError("data_loss", "The peer sent other bytes than the manifest names");
        }
        if (writer.has(chunk.file, index)) return;
        await writer.write({ ...chunk, chunk: index, length: bytes.byteLength }, bytes);
      }, signal);
      return peerId;
    } catch (failure) {
      signal.throwIfAborted();
      last = failure;
    }
  }
  throw new DaemonError(
    "unavailable",
    `Cannot fetch ${JSON.stringify(entry.path)} of "${manifest.id}" from any of ` +
      `${peers.length} peers: ${messageOf(last)}`,
    { cause: last },
  );
}
