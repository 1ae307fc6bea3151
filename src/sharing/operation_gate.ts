import { DaemonError } from "../core/mod.ts";
import { ItemActivities } from "./item_activities.ts";
import { twinKey } from "./names.ts";

/** What an item may be busy with. */
export type ItemActivity =
  | "downloading"
  | "installing"
  | "updating"
  | "uninstalling"
  | "adding"
  | "verifying"
  | "repairing";

/** An item that is busy. */
export interface ItemOperation {
  readonly id: string;
  readonly activity: ItemActivity;
  readonly signal: AbortSignal;
}

interface Running extends ItemOperation {
  activity: ItemActivity;
  readonly abort: AbortController;
  readonly done: Promise<void>;
}

/** At most one operation an item, contract 5.3; whoever watches the folder waits for its end. */
export class OperationGate {
  /** What each item is busy with, and how that ended. */
  readonly activities = new ItemActivities();
  readonly #running = new Map<string, Running>();
  readonly #onEnd: (id: string) => void;

  /** @param onEnd Told after an operation of an item ended, whatever its outcome. */
  constructor(onEnd: (id: string) => void = () => undefined) {
    this.#onEnd = onEnd;
  }

  /** What an item is busy with. */
  activityOf(id: string): ItemActivity | undefined {
    return this.#running.get(id)?.activity;
  }

  /** Items that are busy. */
  list(): { readonly id: string; readonly activity: ItemActivity }[] {
    return [...this.#running.values()].map(({ id, activity }) => ({ id, activity }));
  }

  /** @throws {DaemonError} `failed_precondition` (Busy) if the item, or what may be its folder, is. */
  checkFree(id: string): void {
    const key = twinKey(id); // ids that differ only in case may be one folder
    const busy = [...this.#running.values()].find((other) => twinKey(other.id) === key);
    if (!busy) return;
    const remedy = "wait for its end or cancel it";
    throw new DaemonError(
      "failed_precondition",
      `Busy: "${busy.id}" is ${busy.activity}; ${remedy}`,
    );
  }

  /**
   * Runs an operation of an item.
   *
   * @param work May name another activity as it goes on.
   * @throws {DaemonError} `failed_precondition` (Busy) if the item has one already.
   */
  async run<T>(
    id: string,
    activity: ItemActivity,
    work: (signal: AbortSignal, goOn: (activity: ItemActivity) => void) => Promise<T>,
  ): Promise<T> {
    this.checkFree(id);
    const abort = new AbortController();
    const { promise: done, resolve } = Promise.withResolvers<void>();
    const running: Running = { id, activity, abort, done, signal: abort.signal };
    this.#running.set(id, running);
    this.activities.began(id, activity);
    const end = (...failure: [failure?: unknown]) => {
      this.#running.delete(id);
      this.activities.ended(id, ...failure);
      resolve();
      this.#onEnd(id);
    };
    const goOn = (next: ItemActivity) => {
      running.activity = next;
      this.activities.began(id, next);
    };
    try {
      const result = await work(abort.signal, goOn);
      end();
      return result;
    } catch (failure) {
      end(failure);
      throw failure;
    }
  }

  /** Aborts the operation of an item and waits for its end. @returns Whether there was one. */
  async cancel(id: string): Promise<boolean> {
    return await this.#end(
      id,
      new DaemonError("cancelled", `Cannot go on with "${id}": it was cancelled`),
    );
  }

  /** Aborts everything and waits. */
  async cancelAll(): Promise<void> {
    const stop = (id: string) =>
      new DaemonError("aborted", `Cannot go on with "${id}": the daemon stops`);
    await Promise.all([...this.#running.keys()].map((id) => this.#end(id, stop(id))));
  }

  async #end(id: string, reason: DaemonError): Promise<boolean> {
    const running = this.#running.get(id);
    if (!running) return false;
    running.abort.abort(reason);
    await running.done;
    return true;
  }
}
