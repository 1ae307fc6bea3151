import type { Clock } from "../core/mod.ts";
import type { DownloadPlan } from "./download_plan.ts";
import { bitmapsOf } from "./holdings.ts";
import type { Manifest } from "./manifest.ts";
import { isBusy, PeerRefusal } from "./messages.ts";
import type { PeerClient } from "./peer_client.ts";

/** Peers that are asked which chunks they have. */
const MAX_POLLED_PEERS = 16;
/** A peer that does not fetch the item itself is asked again after so long. */
const REPOLL_MS = 1_000;
/** An answer about so many files costs both sides a millisecond and more; it is asked for as much less often. */
const FILES_PER_MS = 20;
/** Longest time between two questions. */
const MOST_REPOLL_MS = 5_000;

/** What {@link HolderSearch} uses. */
export interface HolderSearchComponents {
  readonly clock: Pick<Clock, "monotonic">;
  readonly client: Pick<PeerClient, "getHave">;
  readonly plan: DownloadPlan;
  /** Peers that speak the protocol now; those that have this version are named. */
  peers(): readonly { readonly peerId: string; readonly hasVersion: boolean }[];
}

/** Looks, while a download runs, for peers that came to have the item or some chunks of it. */
export class HolderSearch {
  readonly #components: HolderSearchComponents;
  readonly #manifest: Manifest;
  readonly #sources: ReadonlyMap<string, unknown>;
  readonly #fileIndex: ReadonlyMap<string, number>;
  readonly #polledAt = new Map<string, number>();

  /** @param init.sources Peers that are in the plan from its beginning. */
  constructor(
    components: HolderSearchComponents,
    { manifest, sources }: { manifest: Manifest; sources: ReadonlyMap<string, unknown> },
  ) {
    this.#components = components;
    this.#manifest = manifest;
    this.#sources = sources;
    this.#fileIndex = new Map(manifest.files.map(({ path }, index) => [path, index]));
  }

  /** Puts those that are found into the plan, and takes those out that have nothing more. */
  async look(signal: AbortSignal): Promise<void> {
    const { clock, peers, plan } = this.#components;
    const now = clock.monotonic();
    const known = new Set(plan.peers);
    const due: string[] = [];
    const there = peers();
    plan.setHere(new Set(there.map(({ peerId }) => peerId)));
    for (const { peerId, hasVersion } of there) {
      if (this.#sources.has(peerId)) continue;
      if (hasVersion) plan.setPeer(peerId);
      else if (now >= (this.#polledAt.get(peerId) ?? 0) && due.length < MAX_POLLED_PEERS) {
        due.push(peerId);
      }
    }
    await Promise.all(due.map((peerId) => this.#ask(peerId, known.has(peerId), now, signal)));
  }

  async #ask(peerId: string, isKnown: boolean, now: number, signal: AbortSignal): Promise<void> {
    const { client, plan } = this.#components;
    this.#polledAt.set(peerId, now + (isKnown ? 0 : REPOLL_MS));
    try {
      const have = await client.getHave(peerId, this.#manifest.id, signal);
      if (have.version !== this.#manifest.version) return plan.removePeer(peerId);
      const restMs = Math.min(MOST_REPOLL_MS, this.#manifest.files.length / FILES_PER_MS);
      this.#polledAt.set(peerId, now + restMs);
      plan.setPeer(peerId, { bitmaps: bitmapsOf(have, this.#manifest, this.#fileIndex) });
    } catch (failure) {
      if (isBusy(failure)) this.#polledAt.set(peerId, now + REPOLL_MS); // what it told before counts
      else if (failure instanceof PeerRefusal && isKnown) plan.removePeer(peerId);
    }
  }
}
