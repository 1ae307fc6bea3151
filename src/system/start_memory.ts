import { type Clock, guard, logger, type Service, type Timer } from "../core/mod.ts";

/** After so long the codecs are loaded and the first peers are dialled. */
export const GIVE_BACK_AFTER_MS = 2_000;

/** Collects everything that can be, and returns the free pages to the system. */
export type Collect = () => void;

/** What {@link StartMemory} uses. */
export interface StartMemoryComponents {
  clock: Clock;
  /** Undefined where the runtime does not offer it. @default {exposedCollect()} */
  collect?: Collect | undefined;
}

const log = logger("system");

/**
 * Gives back, once, the memory that starting took. The engine collects only when its heap grows, so
 * a daemon with nothing to do would keep the garbage of its start for ever: 7 MiB, measured. The
 * one pause of about 80 ms falls when nobody waits for anything yet.
 */
export class StartMemory implements Service {
  readonly name = "start-memory";
  readonly #clock: Clock;
  readonly #collect: Collect | undefined;
  #timer: Timer | undefined;

  constructor(components: StartMemoryComponents) {
    this.#clock = components.clock;
    this.#collect = "collect" in components ? components.collect : exposedCollect();
  }

  start(): Promise<void> {
    const collect = this.#collect;
    if (!collect) return Promise.resolve();
    this.#timer = this.#clock.after(
      GIVE_BACK_AFTER_MS,
      () => guard("give back the memory of the start", () => this.#run(collect)),
    );
    return Promise.resolve();
  }

  stop(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    return Promise.resolve();
  }

  #run(collect: Collect): void {
    const started = this.#clock.monotonic();
    collect();
    const tookMs = Math.round(this.#clock.monotonic() - started);
    log.debug("Memory of the start is given back", { tookMs });
  }
}

/** The engine's collector; executables are compiled with `--expose-gc`, source runs without. */
function exposedCollect(): Collect | undefined {
  const { gc } = globalThis as { gc?: (options: Record<string, string>) => void };
  // "last-resort" is V8's word for: also shrink the heap.
  return gc && (() => gc({ type: "major", execution: "sync", flavor: "last-resort" }));
}
