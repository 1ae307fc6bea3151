/** Downloads as others speak of work: what waits, runs, or ended lately. */
import type { ErrorCode, JobStatus } from "../core/mod.ts";
import type { Fetches } from "./fetches.ts";
import type { Resumption } from "./resumption.ts";
import type { IndexStore } from "./store.ts";
import { MAX_TRANSFERS } from "./transfers.ts";
import type { Want } from "./wanted_file.ts";

/** One download; what is installed afterwards is no part of it. */
export interface Download {
  readonly id: string;
  readonly version: string;
  /** `Queued`: it is about to begin, or waits for its next attempt. */
  readonly status: JobStatus;
  /** 0 to 1. */
  readonly progress: number;
  /** Why it waits, or did not come to its end. */
  readonly reason?: string;
  readonly code?: ErrorCode;
  /** Milliseconds since 1970; of one that goes on after a stop, since it goes on. */
  readonly sinceMs: number;
  readonly endedAtMs?: number;
}

/** What {@link Downloads} uses. */
export interface DownloadsComponents {
  readonly fetches: Pick<Fetches, "list" | "ended" | "download">;
  /** Undefined while none is open. */
  folder(): { readonly resumption: Resumption; readonly store: IndexStore } | undefined;
}

/** Every download, made anew at each look from what runs, what waits and what ended. */
export class Downloads {
  readonly #components: DownloadsComponents;

  constructor(components: DownloadsComponents) {
    this.#components = components;
  }

  /** Those that ended lately, and those under way, as many as transfers are told of. */
  list(): Download[] {
    const { fetches, folder } = this.#components;
    const [ended, running] = [fetches.ended(), fetches.list()];
    const known = new Set([...ended, ...running].map(({ id }) => id));
    const waiting = (folder()?.resumption.unfetched() ?? []).map(({ want }) => want.id);
    const underWay = [...running.map(({ id }) => id), ...waiting.filter((id) => !known.has(id))];
    return [...ended, ...underWay.slice(0, MAX_TRANSFERS).flatMap((id) => this.get(id) ?? [])];
  }

  /** One of them; undefined for an item of which nothing is, or lately was, fetched. */
  get(id: string): Download | undefined {
    const known = this.#components.fetches.download(id);
    const folder = this.#components.folder();
    if (known || !folder) return known;
    const entry = folder.resumption.unfetched().find(({ want }) => want.id === id);
    return entry && waitingDownload(entry.want, entry.problem, folder.store);
  }
}

function waitingDownload(want: Want, reason: string, store: IndexStore): Download {
  const { id, version, chunks, since: sinceMs } = want;
  const progress = chunks === 0 ? 0 : Math.min(1, store.countParts(id) / chunks);
  return { id, version, status: "Queued", progress, reason, sinceMs };
}
