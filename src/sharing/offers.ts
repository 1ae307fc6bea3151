import { type Clock, DaemonError, logger, pause, type Timer } from "../core/mod.ts";
import type { TellLibraryEvent } from "./events.ts";
import type { Manifest } from "./manifest.ts";
import { ManifestPool, type MergedManifest, mergeManifests } from "./manifest_merge.ts";
import type { PeerManifest } from "./manifest_merge.ts";
import { isBusy } from "./messages.ts";
import type { PeerClient } from "./peer_client.ts";
import type { PeerItems } from "./peer_items.ts";
import { inSlices } from "./slices.ts";

/** Peers that are asked for a manifest; a download finds the others by itself. */
const MAX_ASKED = 8;
/** Manifests under way at a time: each may take a hundred megabytes until it is read. */
const AT_ONCE = 3;
const SLOW_MS = 6_000;
/** A peer that has too much to do is asked so often, and again after so long. */
const BUSY_TRIES = 10;
const BUSY_MS = 500;
/** How long the others have once one has answered. */
const LATE_MS = 20_000;
/** A merged manifest is used for a download for so long. */
const OFFER_MS = 60_000;

/** What {@link Offers} uses. */
export interface OffersComponents {
  readonly clock: Pick<Clock, "monotonic" | "after">;
  readonly client: Pick<PeerClient, "getGame">;
  readonly peers: Pick<PeerItems, "latest" | "refresh">;
  readonly tell: TellLibraryEvent;
}

const log = logger("sharing");

/** What peers offer of an item: their manifests of the newest version, merged. */
export class Offers {
  readonly #components: OffersComponents;
  readonly #slowMs: number;
  readonly #busyMs: number;
  readonly #known = new Map<string, { offer: MergedManifest; at: number }>();

  /**
   * @param init.slowMs Whoever takes longer keeps the next one waiting no more. @default {6_000}
   * @param init.busyMs Until one that is busy is asked again. @default {500}
   */
  constructor(components: OffersComponents, init: { slowMs?: number; busyMs?: number } = {}) {
    this.#busyMs = init.busyMs ?? BUSY_MS;
    this.#components = components;
    this.#slowMs = init.slowMs ?? SLOW_MS;
  }

  /** What was asked lately, if it is still the newest version. */
  fresh(id: string): MergedManifest | undefined {
    const { clock, peers } = this.#components;
    const known = this.#known.get(id);
    if (!known || clock.monotonic() - known.at >= OFFER_MS) return undefined;
    return known.offer.manifest.version === peers.latest(id)?.version ? known.offer : undefined;
  }

  /** Asks the peers that have the newest version. @throws {DaemonError} `not_found`. */
  async ask(id: string, signal: AbortSignal): Promise<MergedManifest> {
    const { peers, tell } = this.#components;
    if (!peers.latest(id)) await peers.refresh();
    const holders = peers.latest(id)?.peers.slice(0, MAX_ASKED) ?? [];
    const manifests = await this.#collect(id, holders, signal);
    signal.throwIfAborted();
    if (manifests.length === 0) {
      tell("no-peers-have-game", { id });
      throw new DaemonError("not_found", `Cannot get "${id}": no peer that can be reached has it`);
    }
    manifests.sort((a, b) => (a.peerId < b.peerId ? -1 : 1));
    const offer = await mergeManifests(manifests, signal);
    this.#known.clear(); // one at a time: manifests may be large
    this.#known.set(id, { offer, at: this.#components.clock.monotonic() });
    return offer;
  }

  async #collect(
    id: string,
    holders: readonly string[],
    signal: AbortSignal,
  ): Promise<PeerManifest[]> {
    const { clock } = this.#components;
    const late = new AbortController();
    const all = AbortSignal.any([signal, late.signal]);
    const pool = new ManifestPool();
    const manifests: PeerManifest[] = [];
    let deadline: Timer | undefined;
    const ask = async (peerId: string) => {
      try {
        const given = await this.#getGame(peerId, id, all);
        const manifest = await inSlices(pool.share(given), all);
        if (!manifest) {
          return log.warn("A peer's manifest is too different from others", { peerId });
        }
        manifests.push({ peerId, manifest });
        deadline ??= clock.after(LATE_MS, () => late.abort());
      } catch (error) {
        log.debug("A peer gave no manifest", { id, peerId, error });
      }
    };
    const asking = new Set<Promise<void>>();
    for (const peerId of holders) {
      if (all.aborted) break;
      const task = ask(peerId).finally(() => asking.delete(task));
      asking.add(task);
      if (asking.size < AT_ONCE) continue;
      const enough = new AbortController();
      await Promise.race([
        ...asking,
        pause(this.#slowMs, AbortSignal.any([all, enough.signal])),
      ]);
      enough.abort();
    }
    await Promise.all(asking);
    deadline?.cancel();
    return manifests;
  }

  async #getGame(peerId: string, id: string, signal: AbortSignal): Promise<Manifest> {
    for (let tries = 1;; tries++) {
      try {
        return await this.#components.client.getGame(peerId, id, signal);
      } catch (failure) {
        if (!isBusy(failure) || tries >= BUSY_TRIES) throw failure;
        await pause(this.#busyMs, signal);
        signal.throwIfAborted();
      }
    }
  }
}
