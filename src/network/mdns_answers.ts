import type { Clock, Timer } from "../core/mod.ts";

/** Between two answers to the same question on the same link, reliability R12, RFC 6762 section 6. */
export const ANSWER_INTERVAL_MS = 1_000;

/** What {@link AnswerPacer} uses. */
export interface AnswerPacerComponents {
  clock: Clock;
}

interface Pace {
  lastAt: number;
  pending: Timer | undefined;
}

/**
 * Spaces answers out. A question that comes too early is not lost: all that come in the meantime
 * share one answer, given as soon as the interval allows, so a newcomer waits a second at most.
 */
export class AnswerPacer {
  readonly #clock: Clock;
  readonly #paces = new Map<string, Pace>();

  constructor(components: AnswerPacerComponents) {
    this.#clock = components.clock;
  }

  /** Answers now or as soon as the interval allows. */
  answer(question: string, give: () => void): void {
    const pace = this.#paceOf(question);
    if (pace.pending) return;
    const wait = pace.lastAt + ANSWER_INTERVAL_MS - this.#clock.monotonic();
    const giveNow = () => {
      pace.pending = undefined;
      pace.lastAt = this.#clock.monotonic();
      give();
    };
    if (wait <= 0) giveNow();
    else pace.pending = this.#clock.after(wait, giveNow);
  }

  /** Whether an answer may be given now; if so, it counts as given. */
  tryAnswer(question: string): boolean {
    const pace = this.#paceOf(question);
    const now = this.#clock.monotonic();
    if (now - pace.lastAt < ANSWER_INTERVAL_MS) return false;
    pace.lastAt = now;
    return true;
  }

  /** Forgets questions that are not kept; what waits for them is not given. */
  retain(isKept: (question: string) => boolean): void {
    for (const [question, pace] of this.#paces) {
      if (isKept(question)) continue;
      pace.pending?.cancel();
      this.#paces.delete(question);
    }
  }

  #paceOf(question: string): Pace {
    const pace = this.#paces.get(question) ??
      { lastAt: Number.NEGATIVE_INFINITY, pending: undefined };
    this.#paces.set(question, pace);
    return pace;
  }
}
