import { CHUNK_BYTES } from "./names.ts";

/** WebAssembly counts memory in pages of so many bytes, and begins it at the beginning of one. */
const PAGE_BYTES = 65_536;
/** Chunks in shared memory; further ones are in memory of their own. */
const MOST_SHARED = 32;
/** Buffers with memory of their own that are kept for their next use. */
const KEPT_OWN = 5;

/**
 * Buffers of one chunk that are used again: fresh memory costs as much as hashing it (measured). They
 * are in shared memory, which other threads read where it is, and begin at addresses from which a disk
 * takes them past the system's cache; only WebAssembly promises such addresses.
 */
export class ChunkMemory {
  readonly #free: Uint8Array[] = [];
  #shared: SharedArrayBuffer | undefined;
  #used = 0;

  /** The shared memory; undefined before it is needed, and where there is no address space for it. */
  get shared(): SharedArrayBuffer | undefined {
    return this.#shared;
  }

  /** A buffer with bytes of no meaning. */
  take(): Uint8Array {
    return this.#free.pop() ?? this.#more();
  }

  /** Takes one back, or its beginning; nobody may use it any more. */
  give({ buffer, byteOffset }: Uint8Array): void {
    if (buffer !== this.#shared && this.#free.length >= KEPT_OWN) return;
    this.#free.push(new Uint8Array(buffer, byteOffset, CHUNK_BYTES));
  }

  #more(): Uint8Array {
    if (this.#used === 0) this.#shared = sharedMemory();
    if (!this.#shared || this.#used === MOST_SHARED) return new Uint8Array(CHUNK_BYTES);
    return new Uint8Array(this.#shared, this.#used++ * CHUNK_BYTES, CHUNK_BYTES);
  }
}

/** Memory of a download that ended, for the next one: a large item would otherwise come while it is still there. */
export class ChunkMemories {
  // The collector may take it meanwhile.
  #idle: WeakRef<ChunkMemory> | undefined;

  /** Memory for one download. */
  take(): ChunkMemory {
    const known = this.#idle?.deref();
    this.#idle = undefined;
    return known ?? new ChunkMemory();
  }

  /** Takes it back; none of its buffers may be used any more. */
  give(memory: ChunkMemory): void {
    this.#idle = new WeakRef(memory);
  }
}

// The system gives memory to what is touched. Address space may be short.
function sharedMemory(): SharedArrayBuffer | undefined {
  const pages = MOST_SHARED * CHUNK_BYTES / PAGE_BYTES;
  try {
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    return memory.buffer as unknown as SharedArrayBuffer;
  } catch {
    return undefined;
  }
}
