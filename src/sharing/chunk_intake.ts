/** The way of a chunk's bytes from a peer to their verification. */
import { BufferPool } from "./buffer_pool.ts";
import { HashThread } from "./hash_thread.ts";
import type { Manifest } from "./manifest.ts";
import { CHUNK_BYTES } from "./names.ts";
import type { PeerClient } from "./peer_client.ts";
import type { Chunk } from "./planned.ts";

/** Chunks below this size get a buffer of their own. */
const SMALL_BYTES = 1_048_576;
/** Chunk buffers kept for their next use. */
const KEPT_BUFFERS = 5;
/** So often it is told how much of a chunk is still to come. */
const STEP_BYTES = 524_288;

/** What {@link ChunkIntake} uses. */
export interface ChunkIntakeComponents {
  readonly client: Pick<PeerClient, "fetchChunk">;
}

/** Receives chunks into buffers that are used again, and hashes them on a thread of its own. */
export class ChunkIntake {
  readonly #components: ChunkIntakeComponents;
  readonly #manifest: Manifest;
  readonly #buffers = new BufferPool(CHUNK_BYTES, KEPT_BUFFERS);
  readonly #hashes = new HashThread();

  constructor(components: ChunkIntakeComponents, manifest: Manifest) {
    this.#components = components;
    this.#manifest = manifest;
  }

  /**
   * Fetches a chunk; nothing is known of its truth yet. When it fails, the buffer is left to the
   * collector: something may still fill it.
   *
   * @param onStep Told now and then, and with the last byte, how many are still to come.
   */
  async receive(
    chunk: Chunk,
    peerId: string,
    signal: AbortSignal,
    onStep: (left: number) => void,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const { id, files } = this.#manifest;
    const path = files[chunk.file]?.path ?? "";
    const buffer = chunk.length < SMALL_BYTES ? new Uint8Array(chunk.length) : this.#buffers.take();
    const wanted = buffer.subarray(0, chunk.length);
    const place = { id, path, offset: chunk.chunk * CHUNK_BYTES };
    let left = chunk.length;
    await this.#components.client.fetchChunk(peerId, place, wanted, signal, (bytes) => {
      const isStep = left % STEP_BYTES < bytes;
      left -= bytes;
      if (isStep && left > 0) onStep(left);
    });
    onStep(0);
    return buffer;
  }

  /** @returns The buffer, which the given one is no longer; undefined for wrong bytes. */
  async verify(
    chunk: Chunk,
    received: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { hash, bytes } = await this.#hashes.hash(received, chunk.length);
    return hash === this.#manifest.files[chunk.file]?.chunks[chunk.chunk] ? bytes : undefined;
  }

  /** Takes a buffer back; nobody may use it any more. */
  give(buffer: Uint8Array<ArrayBuffer>): void {
    this.#buffers.give(buffer);
  }

  /** Ends the thread; safe to call twice. */
  async end(): Promise<void> {
    await this.#hashes.end();
  }
}
