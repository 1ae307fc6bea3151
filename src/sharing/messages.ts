/** The transfer protocol `/almena/library/1.0`: requests, answers and their frames, contract 5.2. */
import { Buffer } from "node:buffer";
import * as z from "zod";
import { DaemonError, once } from "../core/mod.ts";
import type { ByteStream } from "../network/mod.ts";
import { CHUNK_BYTES, isItemId, itemPathProblem } from "./names.ts";

/** Protocol id; there is one wire version, others are refused by the swarm. */
export const LIBRARY_PROTOCOL = "/almena/library/1.0";
/** Largest request, contract 5.2. */
export const MAX_REQUEST_BYTES = 65_536;
/** Largest answer, contract 5.2. */
export const MAX_ANSWER_BYTES = 32 * 1_024 * 1_024;
/** Largest answer that is no list. */
export const MAX_SMALL_ANSWER_BYTES = 65_536;

const Id = once(() => z.string().refine(isItemId));
const Path = once(() =>
  z.string().max(1_024).refine((path) => itemPathProblem(path) === undefined)
);
const Length = once(() => z.number().int().min(1).max(CHUNK_BYTES));
const Offset = once(() => z.number().int().min(0).max(Number.MAX_SAFE_INTEGER));

/** What may be asked, externally tagged. */
export const RequestJson = once(() =>
  z.union([
    z.strictObject({ Ping: z.strictObject({}) }),
    z.strictObject({ ListGames: z.strictObject({}) }),
    z.strictObject({ GetGame: z.strictObject({ id: Id() }) }),
    z.strictObject({ GetHave: z.strictObject({ id: Id() }) }),
    z.strictObject({ GetGameFileData: z.strictObject({ id: Id(), path: Path() }) }),
    z.strictObject({
      GetGameFileChunk: z.strictObject({
        id: Id(),
        path: Path(),
        offset: Offset(),
        length: Length(),
      }),
    }),
  ])
);
/** A request. */
export type Request = z.output<ReturnType<typeof RequestJson>>;

/** Classes of refusal. */
export const ERROR_CLASSES = ["BadRequest", "NotFound", "Busy", "Forbidden", "Io"] as const;
/** One of {@link ERROR_CLASSES}. */
export type ErrorClass = (typeof ERROR_CLASSES)[number];

/** An item as a peer lists it. */
export const GameJson = once(() =>
  z.object({
    id: Id(),
    name: z.string().max(1_024),
    version: z.string().max(256),
    size: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
    downloaded: z.boolean(),
    installed: z.boolean(),
  })
);
/** An item as a peer lists it. */
export type Game = z.output<ReturnType<typeof GameJson>>;

/** Which chunks a peer has of one file. */
export interface HaveFile {
  readonly path: string;
  /** One bit a chunk, the lowest bit of each byte first. */
  readonly bitmap: Uint8Array;
}

/** Which chunks a peer has of an item. */
export interface Have {
  readonly version: string;
  readonly files: readonly HaveFile[];
}

/** A refusal of the peer. */
export class PeerRefusal extends DaemonError {
  constructor(readonly errorClass: ErrorClass) {
    super(
      errorClass === "NotFound" ? "not_found" : "unavailable",
      `The peer refused: ${errorClass}`,
    );
  }
}

/** Whether a peer has too much to do for the moment. */
export function isBusy(failure: unknown): boolean {
  return failure instanceof PeerRefusal && failure.errorClass === "Busy";
}

/** Writes one message: its length as a varint, then JSON. */
export function frame(message: unknown): Uint8Array {
  const body = Buffer.from(JSON.stringify(message));
  return new Uint8Array(Buffer.concat([varint(body.byteLength), body]));
}

/** A length as a varint of 7 bits a byte, lowest first. */
export function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Uint8Array.of(...bytes, rest);
}

const CUT_OFF = "it ended before it was complete";

/** Reads messages and raw bytes from a stream, never more than was allowed. */
export class FrameReader {
  readonly #stream: Pick<ByteStream, "read" | "fill">;
  #rest: Uint8Array = new Uint8Array();

  constructor(stream: Pick<ByteStream, "read" | "fill">) {
    this.#stream = stream;
  }

  /** One message. @throws {DaemonError} `data_loss` if it is no JSON, too long or cut off. */
  async message(maxBytes: number, signal: AbortSignal): Promise<unknown> {
    const length = await this.length(maxBytes, signal);
    const bytes = new Uint8Array(length);
    await this.fill(bytes, signal);
    return parseJson(bytes);
  }

  /** The length before a message. */
  async length(maxBytes: number, signal: AbortSignal): Promise<number> {
    let length = 0;
    for (let digit = 1;; digit *= 128) {
      const byte = (await this.#some(signal))[0] ?? 0;
      this.#rest = this.#rest.subarray(1);
      length += (byte & 127) * digit;
      if (length > maxBytes || digit > 2 ** 28) {
        throw broken(`its message is longer than ${maxBytes} bytes`);
      }
      if (byte < 128) return length;
    }
  }

  /** Fills a buffer. @param onPart Told how long each part is, as it comes. */
  async fill(
    buffer: Uint8Array,
    signal: AbortSignal,
    onPart?: (bytes: number) => void,
  ): Promise<void> {
    const part = this.#rest.subarray(0, buffer.byteLength);
    this.#rest = this.#rest.subarray(part.byteLength);
    buffer.set(part);
    if (part.byteLength > 0) onPart?.(part.byteLength);
    const left = buffer.subarray(part.byteLength);
    if (left.byteLength === 0) return;
    const filled = await this.#stream.fill(left, signal, onPart);
    if (filled < left.byteLength) throw broken(CUT_OFF);
  }

  /** Up to so many bytes, at least one. */
  async part(maxBytes: number, signal: AbortSignal): Promise<Uint8Array> {
    const some = await this.#some(signal);
    const part = some.subarray(0, maxBytes);
    this.#rest = some.subarray(part.byteLength);
    return part;
  }

  /** Waits for the end. @throws {DaemonError} `data_loss` if more comes. */
  async end(signal: AbortSignal): Promise<void> {
    const more = this.#rest.byteLength > 0 ? this.#rest : await this.#stream.read(signal);
    if (more) throw broken("it sent more than it said");
  }

  async #some(signal: AbortSignal): Promise<Uint8Array> {
    while (this.#rest.byteLength === 0) {
      const bytes = await this.#stream.read(signal);
      if (!bytes) throw broken(CUT_OFF);
      this.#rest = bytes;
    }
    return this.#rest;
  }
}

/** A peer that does not keep to the protocol. */
export function broken(reason: string): DaemonError {
  return new DaemonError("data_loss", `Cannot use the peer's answer: ${reason}`);
}

// One for all: a manifest has 100,000 entries, and each would make another one.
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** JSON in UTF-8. @throws {DaemonError} `data_loss`. */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(bytes));
  } catch {
    throw broken("it is no JSON");
  }
}

/** Throws the refusal an answer is, if it is one. */
export function checkRefusal(answer: unknown): void {
  const fields = (answer ?? {}) as Record<string, unknown>;
  if ("NotFound" in fields) throw new PeerRefusal("NotFound");
  if (!("Error" in fields)) return;
  const given = (fields["Error"] as { class?: unknown } | null)?.class;
  throw new PeerRefusal(ERROR_CLASSES.find((known) => known === given) ?? "BadRequest");
}
