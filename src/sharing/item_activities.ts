import { messageOf } from "../core/mod.ts";
import type { ItemActivity } from "./operation_gate.ts";

/** How far an activity is. */
export interface ActivityProgress {
  readonly doneBytes: number;
  /** Missing where it is not known beforehand. */
  readonly totalBytes?: number | undefined;
  readonly bytesPerSecond?: number | undefined;
  readonly secondsLeft?: number | undefined;
  readonly peers?: number | undefined;
  /** Files that were found to be damaged. */
  readonly damaged?: readonly string[] | undefined;
}

/** What an item is busy with, or how the last activity ended. */
export interface ItemState extends Omit<ActivityProgress, "doneBytes"> {
  readonly doneBytes?: number | undefined;
  readonly id: string;
  /** `Waiting`: it goes on by itself. */
  readonly status: "Idle" | "Running" | "Waiting" | "Completed" | "Failed";
  readonly activity?: ItemActivity;
  /** Why it failed, or waits. */
  readonly reason?: string;
}

/** Ends that are remembered. */
const REMEMBERED = 256;

/** What items are busy with, for those who watch. */
export class ItemActivities {
  readonly #states = new Map<string, ItemState>();
  readonly #watchers = new Set<(id: string) => void>();

  /** An activity begins, or turns into the next one. */
  began(id: string, activity: ItemActivity): void {
    this.#set({ id, status: "Running", activity });
  }

  /** The activity of an item got further. */
  progress(id: string, progress: ActivityProgress): void {
    const { status, activity } = this.get(id);
    if (status === "Running" && activity) this.#set({ id, status, activity, ...progress });
  }

  /** A download waits for its next attempt. */
  waits(id: string, reason: string): void {
    this.#set({ id, status: "Waiting", activity: "downloading", reason });
  }

  /** It is over. */
  ended(id: string, ...failure: [failure?: unknown]): void {
    const { activity, totalBytes, damaged } = this.get(id);
    if (!activity) return;
    this.#set(
      failure.length > 0
        ? { id, status: "Failed", activity, reason: messageOf(failure[0]) }
        : { id, status: "Completed", activity, doneBytes: totalBytes, totalBytes, damaged },
    );
  }

  /** The state of an item now. */
  get(id: string): ItemState {
    return this.#states.get(id) ?? { id, status: "Idle" };
  }

  /** The state now, then after changes, until the item is no longer busy. */
  async *watch(id: string, signal: AbortSignal): AsyncGenerator<ItemState> {
    let wake: () => void = () => undefined;
    const told = (changed: string) => {
      if (changed === id) wake();
    };
    const end = () => wake();
    this.#watchers.add(told);
    signal.addEventListener("abort", end, { once: true });
    try {
      while (!signal.aborted) {
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        const state = this.get(id);
        yield state; // a slow reader gets the newest state, not all of them
        if (state.status !== "Running" && state.status !== "Waiting") return;
        if (this.get(id) === state && !signal.aborted) await promise;
      }
    } finally {
      this.#watchers.delete(told);
      signal.removeEventListener("abort", end);
    }
  }

  #set(state: ItemState): void {
    this.#states.delete(state.id);
    this.#states.set(state.id, state);
    if (this.#states.size > REMEMBERED) this.#forgetOne();
    for (const tell of this.#watchers) tell(state.id);
  }

  #forgetOne(): void {
    for (const { id, status } of this.#states.values()) {
      if (status === "Running" || status === "Waiting") continue;
      this.#states.delete(id);
      return;
    }
  }
}
