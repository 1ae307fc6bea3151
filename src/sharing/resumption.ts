/** Downloads that an earlier run of the daemon left undone: they go on by themselves, unless cancelled. */
import { backoffMs, type Clock, DaemonError, logger, messageOf, type Timer } from "../core/mod.ts";
import type { ItemActivities } from "./item_activities.ts";
import { compareVersions } from "./names.ts";
import type { PeerItems } from "./peer_items.ts";
import type { Want, WantedFile } from "./wanted_file.ts";

/** Between attempts of one download; a peer that comes to have the item ends the wait. */
export const RETRY = { firstMs: 2_000, maxMs: 300_000, jitter: 0.2 } as const;
/** Starts of the daemon after which an installation that is always cut short is left to the user. */
export const MAX_INSTALLS = 3;

/** What {@link Resumption} uses. */
export interface ResumptionComponents {
  readonly clock: Clock;
  readonly peers: Pick<PeerItems, "latest" | "refresh">;
  readonly activities: Pick<ItemActivities, "get" | "waits" | "ended">;
  readonly file: WantedFile;
  /** Whether it is fetched, and at most to be installed. */
  isHere(want: Want): boolean;
  /**
   * Fetches, or installs, what is wanted; resolves at the end.
   *
   * @param signal Ends it as long as it has not begun to change anything.
   */
  goOn(want: Want, signal: AbortSignal): Promise<void>;
}

/** A download that waits for its next attempt. */
export interface WaitingDownload {
  readonly want: Want;
  readonly problem: string;
  /** Milliseconds since 1970. */
  readonly retryAtMs: number;
}

interface Entry {
  want: Want;
  failures: number;
  isTrying: boolean;
  /** Ends the attempt. */
  abort: AbortController | undefined;
  problem: string;
  retryAtMs: number;
  timer: Timer | undefined;
}

const log = logger("sharing");

/** Remembers downloads on disk while they run, and takes up those that a stop cut short. */
export class Resumption {
  readonly #components: ResumptionComponents;
  readonly #entries = new Map<string, Entry>();
  /** Items that are fetched or installed now. */
  readonly #kept = new Set<string>();
  #isStopped = false;

  constructor(components: ResumptionComponents) {
    this.#components = components;
  }

  /** Takes up what is left of the run before. */
  start(): void {
    for (const want of this.#components.file.list()) {
      if (want.installs >= MAX_INSTALLS) {
        void this.#unlist(want.id);
        continue;
      }
      const entry: Entry = {
        ...{ want, failures: 0, isTrying: false, abort: undefined, problem: "", retryAtMs: 0 },
        timer: undefined,
      };
      this.#entries.set(want.id, entry);
      log.info("A download goes on that was cut short", { id: want.id, version: want.version });
      this.#later(entry, nobodyHas(want));
    }
  }

  /** Ends all waiting; what is wanted stays on disk. */
  stop(): void {
    this.#isStopped = true;
    for (const id of [...this.#entries.keys()]) this.#forget(id);
  }

  /** Whether a download waits for its next attempt, or asks peers for it. */
  isWaiting(id: string): boolean {
    return this.#entries.has(id) && !this.#kept.has(id);
  }

  /** Downloads that wait. */
  waiting(): WaitingDownload[] {
    return [...this.#entries.values()].filter(({ want }) => this.isWaiting(want.id));
  }

  /** Every download of which something may still be to be fetched: those that begin, run or wait. */
  unfetched(): { readonly want: Want; readonly problem: string }[] {
    return this.#components.file.list().filter(({ installs }) => installs === 0)
      .map((want) => ({ want, problem: this.#entries.get(want.id)?.problem ?? "" }));
  }

  /** Whether a download that failed has another attempt before it, here or after a stop. */
  goesOn(id: string, signal: AbortSignal): boolean {
    const isStop = signal.aborted && codeOf(signal.reason) === "aborted";
    return isStop || this.#entries.has(id);
  }

  /** What peers have changed. */
  peersChanged(): void {
    for (const entry of this.#entries.values()) {
      if (!entry.isTrying && this.#isThere(entry.want)) void this.#try(entry);
    }
  }

  /**
   * Runs a download so that it goes on at the next start if this one is cut short.
   *
   * @param signal Its reason tells a stop of the daemon (`aborted`) from a cancellation.
   * @param work Given a way to note how far it is.
   */
  async keep(
    want: Want,
    signal: AbortSignal,
    work: (note: (want: Want) => Promise<void>) => Promise<void>,
  ): Promise<void> {
    const { file } = this.#components;
    const { id } = want;
    if (!this.#entries.get(id)?.isTrying) this.#forget(id); // begun by somebody who is told of its end
    const note = (now: Want) =>
      file.put(now).catch((error) =>
        log.warn("A download would not go on after a stop", { id, reason: messageOf(error) })
      );
    this.#kept.add(id);
    try {
      await note(want);
      await work(note);
      await this.drop(id);
    } catch (failure) {
      if (!this.goesOn(id, signal)) await this.#unlist(id);
      throw failure;
    } finally {
      this.#kept.delete(id);
    }
  }

  /** Nobody wants it any more. @returns What was waiting, if it was. */
  async drop(id: string): Promise<Want | undefined> {
    const waiting = this.isWaiting(id) ? this.#entries.get(id)?.want : undefined;
    const isTrying = this.#entries.get(id)?.isTrying === true; // the attempt tells its end
    this.#forget(id);
    if (waiting && !isTrying) this.#components.activities.ended(id, cancelled(id));
    await this.#unlist(id);
    return waiting;
  }

  #forget(id: string): void {
    const entry = this.#entries.get(id);
    this.#entries.delete(id);
    entry?.timer?.cancel();
    entry?.abort?.abort(cancelled(id));
  }

  // A disk that is full at the end makes no failure of what has come to its end.
  async #unlist(id: string): Promise<void> {
    await this.#components.file.remove(id).catch((error) =>
      log.warn("A download may be taken up again at the next start", {
        ...{ id, reason: messageOf(error) },
      })
    );
  }

  // What is here already and only to be installed needs no peer.
  #isThere(want: Want): boolean {
    const { id, version } = want;
    if (this.#components.isHere(want)) return true;
    const latest = this.#components.peers.latest(id);
    return latest !== undefined && compareVersions(latest.version, version) >= 0;
  }

  #later(entry: Entry, problem: string): void {
    const { clock, activities } = this.#components;
    const { want } = entry;
    entry.isTrying = false;
    entry.problem = problem;
    const ms = backoffMs(++entry.failures, Math.random(), RETRY);
    entry.retryAtMs = clock.now() + ms;
    entry.timer?.cancel();
    entry.timer = clock.after(ms, () => void this.#look(entry));
    if (activities.get(want.id).status !== "Running") activities.waits(want.id, problem);
  }

  async #look(entry: Entry): Promise<void> {
    const { peers, file } = this.#components;
    const { want } = entry;
    if (!this.#isThere(want)) await peers.refresh();
    if (this.#isStopped || entry.isTrying || this.#entries.get(want.id) !== entry) return;
    // What is complete and only to be installed needs no peer.
    if (this.#isThere(want) || (file.get(want.id)?.installs ?? 0) > 0) {
      return await this.#try(entry);
    }
    this.#later(entry, nobodyHas(want));
  }

  // Never rejects: what goes wrong is the reason to wait.
  async #try(entry: Entry): Promise<void> {
    const { id } = entry.want;
    entry.isTrying = true;
    entry.timer?.cancel();
    entry.abort = new AbortController();
    try {
      await this.#components.goOn(entry.want, entry.abort.signal);
      if (this.#entries.get(id) === entry) this.#forget(id);
      this.#endOfWait(id);
    } catch (failure) {
      if (this.#isStopped) return;
      if (this.#entries.get(id) !== entry) return this.#endOfWait(id, failure);
      if (this.#kept.has(id)) return this.#forget(id); // begun by somebody who is told of its end
      log.info("A download waits for its next attempt", { id, reason: messageOf(failure) });
      const want = this.#components.file.get(id);
      if (codeOf(failure) === "cancelled" || !want || want.installs >= MAX_INSTALLS) {
        this.#forget(id);
        this.#endOfWait(id, failure);
        return void this.#unlist(id);
      }
      this.#later(Object.assign(entry, { want }), messageOf(failure));
    }
  }

  #endOfWait(id: string, ...failure: [failure?: unknown]): void {
    const { activities } = this.#components;
    if (activities.get(id).status === "Waiting") activities.ended(id, ...failure);
  }
}

function cancelled(id: string): DaemonError {
  return new DaemonError("cancelled", `Cannot go on with "${id}": it was cancelled`);
}

function nobodyHas({ version }: Want): string {
  return `no peer that can be reached has version "${version}"`;
}

function codeOf(failure: unknown): string | undefined {
  return failure instanceof DaemonError ? failure.code : undefined;
}
