/** The way of a chunk's bytes from a peer to their verification. */
import type { ChunkThread } from "./chunk_thread.ts";
import type { Manifest } from "./manifest.ts";
import { CHUNK_BYTES } from "./names.ts";
import type { PeerClient } from "./peer_client.ts";
import type { Chunk } from "./planned.ts";

/** Chunks below this size get a buffer of their own. */
const SMALL_BYTES = 262_144;
/** So often it is told how much of a chunk is still to come. */
const STEP_BYTES = 524_288;

/** What {@link ChunkIntake} uses. */
export interface ChunkIntakeComponents {
  readonly client: Pick<PeerClient, "fetchChunk">;
  readonly thread: ChunkThread;
}

/** Receives chunks into buffers that are used again, and hashes them on a thread of its own. */
export class ChunkIntake {
  readonly #components: ChunkIntakeComponents;
  readonly #manifest: Manifest;

  constructor(components: ChunkIntakeComponents, manifest: Manifest) {
    this.#components = components;
    this.#manifest = manifest;
  }

  /**
   * Fetches a chunk; nothing is known of its truth yet.
   *
   * @param onStep Told now and then, and with the last byte, how many are still to come.
   * @returns The chunk in a buffer that is to be given back.
   */
  async receive(
    chunk: Chunk,
    peerId: string,
    signal: AbortSignal,
    onStep: (left: number) => void,
  ): Promise<Uint8Array> {
    const { id, files } = this.#manifest;
    const path = files[chunk.file]?.path ?? "";
    const bytes = chunk.length < SMALL_BYTES
      ? new Uint8Array(chunk.length)
      : this.#components.thread.memory.take().subarray(0, chunk.length);
    const place = { id, path, offset: chunk.chunk * CHUNK_BYTES };
    let left = chunk.length;
    try {
      await this.#components.client.fetchChunk(peerId, place, bytes, signal, (count) => {
        const isStep = left % STEP_BYTES < count;
        left -= count;
        if (isStep && left > 0) onStep(left);
      });
    } catch (failure) {
      this.give(bytes); // whoever filled it has stopped
      throw failure;
    }
    onStep(0);
    return bytes;
  }

  /** Whether bytes are the chunk's. */
  async verify(chunk: Chunk, bytes: Uint8Array): Promise<boolean> {
    const hash = await this.#components.thread.hash(bytes);
    return hash === this.#manifest.files[chunk.file]?.chunks[chunk.chunk];
  }

  /** Takes back what {@link receive} returned; nobody may use it any more. */
  give(bytes: Uint8Array): void {
    if (bytes.byteLength >= SMALL_BYTES) this.#components.thread.memory.give(bytes);
  }
}
