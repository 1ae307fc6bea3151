/**
 * Long answers as they are sent: made a few milliseconds at a time, in pieces, and remembered for a
 * short while, so that who asks again and again costs next to nothing.
 */
import { Buffer } from "node:buffer";
import type { Clock, Timer } from "../core/mod.ts";
import type { Manifest } from "./manifest.ts";
import { broken, type Game, type Have, MAX_ANSWER_BYTES, varint } from "./messages.ts";
import { inSlices } from "./slices.ts";

const PIECE_CHARACTERS = 65_536;
/** An answer that nobody takes any more is kept for so long. */
const KEEP_MS = 5_000;
/** Bytes of all answers that nobody takes. */
const KEPT_BYTES = MAX_ANSWER_BYTES;

/** A frame in pieces. */
export interface Answer {
  readonly pieces: readonly Uint8Array[];
  readonly byteLength: number;
}

/** Makes what an item consists of. */
export function manifestAnswer({ id, version, files }: Manifest): Promise<Answer> {
  const head = JSON.stringify({ id, version }).slice(0, -1);
  return inSlices(pieced(`{"Game":${head},"files":[`, files, fileText, "]}}"));
}

/** The text of one file of a manifest. */
export function fileText({ path, size, sha256, chunks }: Manifest["files"][number]): string {
  return JSON.stringify({ path, size, sha256, chunks });
}

/** Makes the list of items. */
export function gamesAnswer(games: readonly Game[]): Promise<Answer> {
  return inSlices(pieced('{"Games":[', games, (game) => JSON.stringify(game), "]}"));
}

/** Makes which chunks there are. */
export function haveAnswer({ version, files }: Have): Promise<Answer> {
  const text = ({ path, bitmap }: Have["files"][number]) =>
    JSON.stringify({ path, bitmap: Buffer.from(bitmap).toString("base64") });
  return inSlices(
    pieced(`{"Have":{"version":${JSON.stringify(version)},"files":[`, files, text, "]}}"),
  );
}

// Their bytes are counted before the first is sent.
function* pieced<T>(
  head: string,
  entries: readonly T[],
  textOf: (entry: T) => string,
  tail: string,
): Generator<void, Answer> {
  const bodies: Uint8Array[] = [];
  let length = 0;
  const add = (text: string) => {
    const bytes = Buffer.from(text);
    bodies.push(bytes);
    length += bytes.byteLength;
    if (length > MAX_ANSWER_BYTES) throw broken("it is too long to be sent");
  };
  let text = head;
  for (const [index, entry] of entries.entries()) {
    text += `${index > 0 ? "," : ""}${textOf(entry)}`;
    if (text.length < PIECE_CHARACTERS) continue;
    add(text);
    text = "";
    yield;
  }
  add(text + tail);
  // One piece where one is enough: each costs a frame.
  const first = Buffer.concat([varint(length), bodies[0] ?? new Uint8Array()]);
  const pieces = [first, ...bodies.slice(1)];
  return { pieces, byteLength: length + first.byteLength - (bodies[0]?.byteLength ?? 0) };
}

interface Kept {
  readonly answer: Promise<Answer>;
  users: number;
  byteLength: number;
}

/** Answers by what they are made of. */
export class KeptAnswers {
  readonly #clock: Pick<Clock, "after">;
  readonly #kept = new Map<object, Kept>();
  readonly #timers = new Map<object, Timer>();

  constructor({ clock }: { clock: Pick<Clock, "after"> }) {
    this.#clock = clock;
  }

  /**
   * Lends an answer; it is made once for all who ask of the same thing at about the same time.
   *
   * @param of What does not change once an answer was made of it.
   */
  async lend<T extends object>(
    of: T,
    make: (of: T) => Promise<Answer>,
    use: (answer: Answer) => Promise<void>,
  ): Promise<void> {
    const kept = this.#kept.get(of) ?? { answer: make(of), users: 0, byteLength: 0 };
    this.#kept.set(of, kept);
    this.#timers.get(of)?.cancel();
    this.#timers.delete(of);
    kept.users++;
    try {
      const answer = await kept.answer;
      kept.byteLength = answer.byteLength;
      await use(answer);
    } finally {
      if (--kept.users === 0) this.#left(of, kept);
    }
  }

  /** Forgets everything. */
  clear(): void {
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
    this.#kept.clear();
  }

  // The one that was left longest goes first.
  #left(of: object, { byteLength }: Kept): void {
    if (byteLength === 0) return this.#drop(of); // it could not be made
    this.#timers.set(of, this.#clock.after(KEEP_MS, () => this.#drop(of)));
    let sum = 0;
    for (const idle of [...this.#timers.keys()].reverse()) {
      sum += this.#kept.get(idle)?.byteLength ?? 0;
      if (sum > KEPT_BYTES) this.#drop(idle);
    }
  }

  #drop(of: object): void {
    this.#timers.get(of)?.cancel();
    this.#timers.delete(of);
    this.#kept.delete(of);
  }
}
