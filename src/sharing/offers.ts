import { type Clock, DaemonError, logger } from "../core/mod.ts";
import type { TellLibraryEvent } from "./events.ts";
import { type MergedManifest, mergeManifests, type PeerManifest } from "./manifest_merge.ts";
import type { PeerClient } from "./peer_client.ts";
import type { PeerItems } from "./peer_items.ts";

/** Peers that are asked for a manifest at a time. */
const MAX_ASKED = 16;
/** A merged manifest is used for a download for so long. */
const OFFER_MS = 60_000;

/** What {@link Offers} uses. */
export interface OffersComponents {
  readonly clock: Pick<Clock, "monotonic">;
  readonly client: Pick<PeerClient, "getGame">;
  readonly peers: Pick<PeerItems, "latest" | "refresh">;
  readonly tell: TellLibraryEvent;
}

const log = logger("sharing");

/** What peers offer of an item: their manifests of the newest version, merged. */
export class Offers {
  readonly #components: OffersComponents;
  readonly #known = new Map<string, { offer: MergedManifest; at: number }>();

  constructor(components: OffersComponents) {
    this.#components = components;
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
    const { peers, client, tell } = this.#components;
    if (!peers.latest(id)) await peers.refresh();
    const holders = peers.latest(id)?.peers.slice(0, MAX_ASKED) ?? [];
    const manifests: PeerManifest[] = [];
    await Promise.all(holders.map(async (peerId) => {
      try {
        manifests.push({ peerId, manifest: await client.getGame(peerId, id, signal) });
      } catch (error) {
        log.debug("A peer gave no manifest", { id, peerId, error });
      }
    }));
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
}
