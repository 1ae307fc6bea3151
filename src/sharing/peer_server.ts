import { type Clock, logger } from "../core/mod.ts";
import type { ByteStream, ProtocolStreams } from "../network/mod.ts";
import { type Answer, gamesAnswer, haveAnswer, KeptAnswers, manifestAnswer } from "./answers.ts";
import { BufferPool } from "./buffer_pool.ts";
import { type Files, isMissing, type OpenFile } from "./files.ts";
import type { Manifest } from "./manifest.ts";
import { type ErrorClass, frame, type Game, type Have } from "./messages.ts";
import { LIBRARY_PROTOCOL, MAX_REQUEST_BYTES, type Request } from "./messages.ts";
import { QuestionLimit } from "./question_limit.ts";
import { armed, readRequest, REQUEST_TIMEOUT_MS } from "./requests.ts";
import type { RateLimits } from "./rate_limit.ts";
import type { ServedFile } from "./served_file.ts";
import { ServedHandles } from "./served_handles.ts";

/** Streams a peer may have at a time, contract 5.2. */
export const MAX_STREAMS_PER_PEER = 8;
/** Streams of all peers, contract 5.2. */
export const MAX_STREAMS = 32;
/** Bytes read from disk at a time. */
const READ_BYTES = 1_024 * 1_024;
/** Bytes sent at a time under a limit. */
const LIMITED_BYTES = 65_536;
/** Buffers kept for their next use. */
const KEPT_BUFFERS = 8;

/** What the library gives to the server. */
export interface ServedItems {
  /** Items in the catalog that are downloaded and hashed. */
  games(): Promise<readonly Game[]>;
  manifest(id: string): Promise<Manifest | undefined>;
  have(id: string): Promise<Have | undefined>;
  /** By the manifest, not by the file system. */
  file(id: string, path: string): Promise<ServedFile | undefined>;
  /** A file is not as it was hashed. */
  changed(id: string): void;
}

/** What {@link PeerServer} uses. */
export interface PeerServerComponents {
  readonly streams: Pick<ProtocolStreams, "handle">;
  readonly clock: Pick<Clock, "after" | "monotonic">;
  readonly items: ServedItems;
  readonly files: Files;
  readonly uploads: Pick<RateLimits, "take" | "pieceBytes">;
  /** Whether a peer may ask at all: on this LAN, or trusted; trusted only if the library is private. */
  mayAsk(peerId: string): boolean;
}

/** What was served since start. */
export interface ServedCounts {
  requests: number;
  refused: number;
  /** Streams that carried content. */
  contentStreams: number;
  bytes: number;
}

const log = logger("sharing");

class Refusal {
  constructor(readonly errorClass: ErrorClass) {}
}

/** Answers peers: lists, manifests and bytes, each on a stream of its own. */
export class PeerServer {
  readonly counts: ServedCounts = { requests: 0, refused: 0, contentStreams: 0, bytes: 0 };
  readonly #components: PeerServerComponents;
  readonly #streams = new Map<string, number>();
  readonly #buffers = new BufferPool(READ_BYTES, KEPT_BUFFERS);
  readonly #answers: KeptAnswers;
  readonly #questions: QuestionLimit;
  readonly #handles: ServedHandles;
  #open = 0;
  #stop: (() => Promise<void>) | undefined;
  #abort = new AbortController();

  constructor(components: PeerServerComponents) {
    this.#components = components;
    this.#answers = new KeptAnswers(components);
    this.#questions = new QuestionLimit(components);
    this.#handles = new ServedHandles(components);
  }

  /** Begins to answer. */
  async start(): Promise<void> {
    this.#abort = new AbortController();
    this.#handles.start();
    // A few more than are served, so that the surplus is told "Busy" instead of being cut off.
    const init = { maxStreams: 2 * MAX_STREAMS_PER_PEER, maxUnreadBytes: 2 * MAX_REQUEST_BYTES };
    const answer = (stream: ByteStream) => this.#serve(stream);
    this.#stop = await this.#components.streams.handle(LIBRARY_PROTOCOL, init, answer);
  }

  /** Ends every answer; safe to call twice. */
  async stop(): Promise<void> {
    this.#abort.abort();
    const stop = this.#stop;
    this.#stop = undefined;
    await stop?.();
    await this.#handles.stop();
    this.#answers.clear();
  }

  async #serve(stream: ByteStream): Promise<void> {
    const { peerId } = stream;
    const count = this.#streams.get(peerId) ?? 0;
    this.counts.requests++;
    this.#streams.set(peerId, count + 1);
    this.#open++;
    const stall = new AbortController();
    const signal = AbortSignal.any([this.#abort.signal, stall.signal]);
    const watch = { touch: () => undefined as void };
    try {
      const isFull = count >= MAX_STREAMS_PER_PEER || this.#open > MAX_STREAMS;
      const ends = armed(stall, REQUEST_TIMEOUT_MS, watch);
      try {
        await this.#answer(stream, isFull, signal, watch.touch);
        await stream.closeWrite(signal);
      } finally {
        ends();
      }
    } catch (error) {
      log.debug("A peer's request failed", { peerId, error });
      stream.abort(error as Error);
    } finally {
      this.#open--;
      const left = (this.#streams.get(peerId) ?? 1) - 1;
      if (left > 0) this.#streams.set(peerId, left);
      else this.#streams.delete(peerId);
    }
  }

  async #answer(
    stream: ByteStream,
    isFull: boolean,
    signal: AbortSignal,
    touch: () => void,
  ): Promise<void> {
    const request = await readRequest(stream, signal);
    touch();
    try {
      if (!request) throw new Refusal("BadRequest");
      if (!this.#components.mayAsk(stream.peerId)) throw new Refusal("Forbidden");
      if (isFull) throw new Refusal("Busy");
      await this.#respond(stream, request, signal, touch);
    } catch (failure) {
      if (!(failure instanceof Refusal)) throw failure;
      this.counts.refused++;
      const { errorClass } = failure;
      const isGame = request && "GetGame" in request && errorClass === "NotFound";
      await stream.write(
        frame(isGame ? { NotFound: {} } : { Error: { class: errorClass } }),
        signal,
      );
    }
  }

  async #respond(
    stream: ByteStream,
    request: Request,
    signal: AbortSignal,
    touch: () => void,
  ): Promise<void> {
    const { items } = this.#components;
    if ("Ping" in request) return await stream.write(frame({ Pong: {} }), signal);
    if ("GetGameFileChunk" in request) {
      return await this.#send(stream, request.GetGameFileChunk, signal, touch);
    }
    if ("GetGameFileData" in request) {
      const { id, path } = request.GetGameFileData;
      return await this.#send(stream, { id, path, offset: 0, length: undefined }, signal, touch);
    }
    if (!this.#questions.take(stream.peerId)) throw new Refusal("Busy");
    const write = async ({ pieces, byteLength }: Answer) => {
      this.#questions.sent(stream.peerId, byteLength);
      touch();
      for (const piece of pieces) {
        await stream.write(piece, signal);
        touch();
      }
    };
    if ("ListGames" in request) {
      return await this.#answers.lend(await items.games(), gamesAnswer, write);
    }
    if ("GetGame" in request) {
      const manifest = await items.manifest(request.GetGame.id);
      if (!manifest) throw new Refusal("NotFound");
      return await this.#answers.lend(manifest, manifestAnswer, write);
    }
    const have = await items.have(request.GetHave.id);
    if (!have) throw new Refusal("NotFound");
    await this.#answers.lend(have, haveAnswer, write);
  }

  async #send(
    stream: ByteStream,
    wanted: { id: string; path: string; offset: number; length: number | undefined },
    signal: AbortSignal,
    touch: () => void,
  ): Promise<void> {
    const { items } = this.#components;
    const served = await items.file(wanted.id, wanted.path);
    if (!served) throw new Refusal("NotFound");
    const length = wanted.length ?? served.size;
    if (wanted.offset + length > served.size) throw new Refusal("BadRequest");
    if (!served.hasRange(wanted.offset, length)) throw new Refusal("NotFound");
    const file = await this.#openServed(wanted.id, served);
    try {
      this.counts.contentStreams++;
      await stream.write(frame({ Data: { size: length } }), signal);
      await this.#sendBytes(stream, { ...wanted, file, length }, signal, touch);
    } catch (failure) {
      await file.close();
      throw failure;
    }
    // One that is still being fetched may be made anew under its name.
    if (served.mtimeMs === undefined) await file.close();
    else await this.#handles.give(served.absolutePath, file);
  }

  // The next piece is read while one is sent.
  async #sendBytes(
    stream: ByteStream,
    { id, file, offset, length }: { id: string; file: OpenFile; offset: number; length: number },
    signal: AbortSignal,
    touch: () => void,
  ): Promise<void> {
    const read = async (at: number, piece: Uint8Array<ArrayBuffer>) => {
      if (await file.read(piece, offset + at) === piece.byteLength) return piece;
      this.#components.items.changed(id);
      throw new TypeError("the file became shorter while it was sent");
    };
    const readAt = (at: number) => {
      const piece = this.#buffers.take().subarray(0, Math.min(READ_BYTES, length - at));
      const reading = read(at, piece);
      reading.catch(() => undefined); // awaited in its turn, unless the peer goes first
      return reading;
    };
    let next: Promise<Uint8Array<ArrayBuffer>> | undefined = readAt(0);
    try {
      for (let sent = 0; next && sent < length;) {
        const piece: Uint8Array<ArrayBuffer> = await next;
        sent += piece.byteLength;
        next = sent < length ? readAt(sent) : undefined;
        await this.#sendPiece(stream, piece, signal, touch);
        touch();
        this.counts.bytes += piece.byteLength;
        // What the stream still has is left to the collector.
        if (await stream.taken()) this.#buffers.give(new Uint8Array(piece.buffer));
      }
    } finally {
      await next?.catch(() => undefined);
    }
  }

  // Under a limit in small pieces: a peer whose turn is long in coming would take us for stalled.
  async #sendPiece(
    stream: ByteStream,
    piece: Uint8Array,
    signal: AbortSignal,
    touch: () => void,
  ): Promise<void> {
    const { uploads } = this.#components;
    const most = uploads.pieceBytes(stream.peerId);
    if (most === Infinity) return await stream.write(piece, signal);
    const step = Math.min(LIMITED_BYTES, most);
    for (let at = 0; at < piece.byteLength; at += step) {
      const part = piece.subarray(at, at + step);
      await uploads.take(stream.peerId, part.byteLength, signal, touch);
      touch();
      await stream.write(part, signal);
    }
  }

  async #openServed(id: string, served: ServedFile): Promise<OpenFile> {
    const { absolutePath, size, mtimeMs } = served;
    try {
      const file = await this.#handles.take(
        absolutePath,
        (facts) =>
          facts.kind === "file" && facts.size === size &&
          (mtimeMs === undefined || facts.mtimeMs === mtimeMs),
      );
      if (file) return file;
    } catch (failure) {
      log.debug("A shared file cannot be read", { path: absolutePath, error: failure });
      throw new Refusal(isMissing(failure) ? "NotFound" : "Io");
    }
    this.#components.items.changed(id);
    throw new Refusal("NotFound");
  }
}
