import { Buffer } from "node:buffer";
import { type Clock, DaemonError } from "../core/mod.ts";
import type { ByteStream, ProtocolStreams } from "../network/mod.ts";
import type { Manifest } from "./manifest.ts";
import { ManifestReader, readListMessage } from "./manifest_text.ts";
import { broken, checkRefusal, frame, FrameReader, type Game, GameJson } from "./messages.ts";
import { type Have, type HaveFile, LIBRARY_PROTOCOL, MAX_SMALL_ANSWER_BYTES } from "./messages.ts";
import type { Request } from "./messages.ts";
import { CHUNK_BYTES, isItemId, itemPathProblem } from "./names.ts";
import type { RateLimits } from "./rate_limit.ts";
import { ReadBudget } from "./read_budget.ts";
import { MAX_FILES } from "./scanner.ts";

/** Longest wait for the answer to a ping, contract 5.5. */
export const PING_TIMEOUT_MS = 5_000;
/** Longest wait for a list or a manifest, from its first byte to its last. */
export const LIST_TIMEOUT_MS = 60_000;
/** A peer that sends nothing for so long has stalled. */
export const STALL_MS = 10_000;
/** Most items one peer lists. */
export const MAX_LISTED_GAMES = 100_000;
/** Unread bytes of one stream: a chunk and its frame fit. */
const MAX_UNREAD_BYTES = CHUNK_BYTES + 65_536;
/** What comes before the bytes of a chunk, and the protocol's own talk. */
const FRAME_BYTES = 4_096;
/** While so much of an answer that is read as it comes is unread, the peer has to wait. */
const PACE_BYTES = 524_288;
/** Nobody who does has more unread. */
const MAX_PACED_BYTES = 8 * PACE_BYTES;

/** What {@link PeerClient} uses. */
export interface PeerClientComponents {
  readonly streams: Pick<ProtocolStreams, "open">;
  readonly clock: Pick<Clock, "after">;
  readonly downloads: Pick<RateLimits, "take">;
  /** Told of every byte of content of an item that came from a peer, and of waits: no bytes. */
  readonly onBytes?: (peerId: string, id: string, count: number) => void;
}

/** Asks peers, one stream a question. */
export class PeerClient {
  readonly #components: PeerClientComponents;
  readonly #stallMs: number;
  readonly #budget: ReadBudget;

  /**
   * @param init.stallMs Longest silence within an answer. @default {10_000}
   * @param init.readingBytes Of all long answers that are being read. @default {100_663_296}
   */
  constructor(
    components: PeerClientComponents,
    init: { stallMs?: number; readingBytes?: number } = {},
  ) {
    this.#budget = new ReadBudget(init.readingBytes);
    this.#components = components;
    this.#stallMs = init.stallMs ?? STALL_MS;
  }

  /** Whether a peer is there. @throws when it does not answer. */
  async ping(peerId: string, signal: AbortSignal): Promise<void> {
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(PING_TIMEOUT_MS)]);
    await this.#ask(peerId, { Ping: {} }, deadline, async (reader) => {
      const answer = await reader.message(MAX_SMALL_ANSWER_BYTES, deadline);
      checkRefusal(answer);
      if (!(answer as { Pong?: unknown } | null)?.Pong) throw broken("it is no Pong");
    });
  }

  /** The items a peer has. Entries that make no sense are passed over. */
  async listGames(peerId: string, signal: AbortSignal): Promise<Game[]> {
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(LIST_TIMEOUT_MS)]);
    const games: Game[] = [];
    const take = (entry: unknown) => {
      const game = GameJson().safeParse(entry);
      if (game.success) games.push(game.data);
      if (games.length > MAX_LISTED_GAMES) throw broken("it lists too many items");
    };
    await this.#askList(peerId, { ListGames: {} }, deadline, take);
    return games;
  }

  /** What an item of a peer consists of. @throws {PeerRefusal} `NotFound` … */
  async getGame(peerId: string, id: string, signal: AbortSignal): Promise<Manifest> {
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(LIST_TIMEOUT_MS)]);
    const manifest = new ManifestReader(id);
    const rest = await this.#askList(peerId, { GetGame: { id } }, deadline, manifest.take);
    return manifest.finish(rest);
  }

  /** Which chunks of an item a peer has. */
  async getHave(peerId: string, id: string, signal: AbortSignal): Promise<Have> {
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(PING_TIMEOUT_MS)]);
    const files: HaveFile[] = [];
    const rest = await this.#askList(peerId, { GetHave: { id } }, deadline, (entry) => {
      files.push(haveFile(entry));
      if (files.length > MAX_FILES) throw broken("it has too many files");
    });
    const version = (rest as { Have?: { version?: unknown } } | null)?.Have?.version;
    if (!isItemId(id) || typeof version !== "string") throw broken("it has no version");
    return { version, files };
  }

  /**
   * Fetches bytes of a file into a buffer; nothing is known of their truth yet.
   *
   * @param onPart Told how long each part is, as it comes.
   * @throws {DaemonError} `data_loss` if fewer or more come, `deadline_exceeded` if the peer stalls.
   */
  async fetchChunk(
    peerId: string,
    { id, path, offset }: { id: string; path: string; offset: number },
    buffer: Uint8Array,
    signal: AbortSignal,
    onPart?: (bytes: number) => void,
  ): Promise<void> {
    const chunk = { id, path, offset, length: buffer.byteLength };
    await this.#fetch(peerId, { GetGameFileChunk: chunk }, signal, async (reader, size, stall) => {
      if (size !== buffer.byteLength) {
        throw broken(`it has ${size} bytes, not ${buffer.byteLength}`);
      }
      await reader.fill(buffer, stall.signal, (bytes) => {
        stall.reset();
        onPart?.(bytes);
        this.#components.onBytes?.(peerId, id, bytes);
      });
    }, { id, wanted: buffer.byteLength });
  }

  /** Fetches a whole file in pieces of one chunk, the last one shorter. */
  async fetchFile(
    peerId: string,
    { id, path, size: expected }: { id: string; path: string; size: number },
    onChunk: (index: number, bytes: Uint8Array) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const request = { GetGameFileData: { id, path } };
    await this.#fetch(peerId, request, signal, async (reader, size, stall) => {
      if (size !== expected) throw broken(`it has ${size} bytes, not ${expected}`);
      for (let at = 0; at < size; at += CHUNK_BYTES) {
        const buffer = new Uint8Array(Math.min(CHUNK_BYTES, size - at));
        await reader.fill(buffer, stall.signal, (bytes) => {
          stall.reset();
          this.#components.onBytes?.(peerId, id, bytes);
        });
        await onChunk(at / CHUNK_BYTES, buffer);
        stall.reset();
      }
    }, { id, wanted: expected });
  }

  async #fetch(
    peerId: string,
    request: Request,
    signal: AbortSignal,
    take: (reader: FrameReader, size: number, stall: Stall) => Promise<void>,
    { id, wanted }: { id: string; wanted: number },
  ): Promise<void> {
    const stall = new Stall(this.#components.clock, this.#stallMs, signal);
    try {
      const waits = () => this.#components.onBytes?.(peerId, id, 0); // nobody has stalled
      await this.#components.downloads.take(peerId, wanted, signal, waits);
      stall.reset();
      await this.#ask(peerId, request, stall.signal, async (reader) => {
        const answer = await reader.message(MAX_SMALL_ANSWER_BYTES, stall.signal);
        checkRefusal(answer);
        const size = (answer as { Data?: { size?: unknown } } | null)?.Data?.size;
        if (typeof size !== "number") throw broken("it has no size");
        stall.reset();
        await take(reader, size, stall);
        await reader.end(stall.signal);
      });
    } finally {
      stall.end();
    }
  }

  // Of a message with a list: what is left of it.
  async #askList(
    peerId: string,
    request: Request,
    deadline: AbortSignal,
    take: (entry: unknown) => void,
  ): Promise<unknown> {
    return await this.#budget.run(
      deadline,
      (signal, onBytes) =>
        this.#ask(peerId, request, signal, async (reader) => {
          const rest = await readListMessage(reader, signal, take, onBytes);
          checkRefusal(rest);
          return rest;
        }),
    );
  }

  async #ask<T>(
    peerId: string,
    request: Request,
    signal: AbortSignal,
    read: (reader: FrameReader) => Promise<T>,
  ): Promise<T> {
    const room = "GetGameFileChunk" in request
      ? {
        maxUnreadBytes: MAX_UNREAD_BYTES,
        expectedBytes: request.GetGameFileChunk.length + FRAME_BYTES,
      }
      : { maxUnreadBytes: MAX_PACED_BYTES, paceBytes: PACE_BYTES };
    const options = { signal, ...room };
    const stream: ByteStream = await this.#components.streams.open(
      peerId,
      LIBRARY_PROTOCOL,
      options,
    );
    try {
      await stream.write(frame(request), signal);
      await stream.closeWrite(signal);
      return await read(new FrameReader(stream));
    } catch (failure) {
      stream.abort(failure as Error);
      throw failure;
    }
  }
}

// Ends a fetch once nothing has come for a while.
class Stall {
  readonly signal: AbortSignal;
  readonly #abort = new AbortController();
  readonly #clock: Pick<Clock, "after">;
  readonly #ms: number;
  #timer: { cancel(): void } | undefined;
  #isFresh = true;

  constructor(clock: Pick<Clock, "after">, ms: number, signal: AbortSignal) {
    this.#clock = clock;
    this.#ms = ms;
    this.signal = AbortSignal.any([signal, this.#abort.signal]);
  }

  // A timer for each of thousands of pieces would cost more than the pieces.
  reset(): void {
    this.#isFresh = true;
    this.#timer ??= this.#clock.after(this.#ms / 2, () => this.#look());
  }

  end(): void {
    this.#timer?.cancel();
  }

  #look(): void {
    this.#timer = undefined;
    if (this.#isFresh) {
      this.#isFresh = false;
      this.#timer = this.#clock.after(this.#ms / 2, () => this.#look());
      return;
    }
    const problem = `nothing came for ${this.#ms} ms`;
    this.#abort.abort(new DaemonError("deadline_exceeded", `Cannot go on with a peer: ${problem}`));
  }
}

function haveFile(entry: unknown): HaveFile {
  const { path, bitmap } = (entry ?? {}) as Record<string, unknown>;
  if (typeof path !== "string" || itemPathProblem(path) || typeof bitmap !== "string") {
    throw broken("it tells of no file");
  }
  return { path, bitmap: new Uint8Array(Buffer.from(bitmap, "base64")) };
}
