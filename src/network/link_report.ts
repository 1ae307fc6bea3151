import type { Dialer } from "./dialer.ts";
import type { LinkEvent, LinkHistory } from "./link_history.ts";
import type { PeerBook } from "./peer_book.ts";

/** Where a link to a peer stands. */
export type LinkState =
  | "connected"
  | "dialling"
  | "waiting"
  | "held"
  | "not_sought"
  | "unknown";

/** Why a peer is connected, or is not. */
export interface LinkReport {
  readonly peerId: string;
  readonly state: LinkState;
  /** One sentence. */
  readonly summary: string;
  /** What a person can do; empty when nothing is wrong. */
  readonly remedy: string;
  /** Until the next dial. */
  readonly nextTryInMs: number | undefined;
  /** Newest first. */
  readonly history: readonly LinkEvent[];
}

/** What {@link LinkReports} uses. */
export interface LinkReportsComponents {
  history: Pick<LinkHistory, "of">;
  dialer: Pick<Dialer, "isHeld" | "stateOf">;
  peers: Pick<PeerBook, "get" | "isConnected">;
}

/** Says why a peer is connected or not: what was tried, what failed, what to do. */
export class LinkReports {
  readonly #components: LinkReportsComponents;

  constructor(components: LinkReportsComponents) {
    this.#components = components;
  }

  /** The report on one peer; one that nobody has heard of is `unknown`. */
  of(peerId: string): LinkReport {
    const { history, dialer } = this.#components;
    const events = history.of(peerId);
    const dialling = dialer.stateOf(peerId);
    const state = this.#stateOf(peerId);
    const nextTryInMs = state === "waiting" ? dialling?.nextTryInMs : undefined;
    return {
      ...{ peerId, state, nextTryInMs, history: events },
      ...wordsFor(state, events, nextTryInMs),
    };
  }

  #stateOf(peerId: string): LinkState {
    const { dialer, peers } = this.#components;
    if (peers.isConnected(peerId)) return "connected";
    if (dialer.isHeld(peerId)) return "held";
    const dialling = dialer.stateOf(peerId);
    if (dialling?.isDialling) return "dialling";
    if (dialling?.nextTryInMs !== undefined) return "waiting";
    return peers.get(peerId) ? "not_sought" : "unknown";
  }
}

function wordsFor(
  state: LinkState,
  events: readonly LinkEvent[],
  nextTryInMs: number | undefined,
): { summary: string; remedy: string } {
  const failed = events.find(({ kind, isOk }) => kind === "dialled" && !isOk);
  const tried = failed
    ? `${failed.count === 1 ? "1 dial" : `${failed.count} dials in a row`} failed: ${failed.reason}`
    : "";
  switch (state) {
    case "connected":
      return { summary: "It is connected.", remedy: "" };
    case "held":
      return {
        summary: "It was disconnected on purpose and is kept away.",
        remedy: "connect to it again: almenad connect <peer>",
      };
    case "dialling":
      return {
        summary: `It is being dialled${tried ? `; ${tried}` : ""}.`,
        remedy: failed?.remedy ?? "",
      };
    case "waiting": {
      const seconds = Math.max(1, Math.round((nextTryInMs ?? 0) / 1_000));
      const next = `the next dial is in ${seconds} s`;
      return {
        summary: `${tried ? `${tried}; ` : "Not connected; "}${next}.`,
        remedy: failed?.remedy ?? "",
      };
    }
    case "not_sought":
      return {
        summary: `It is not connected, and nobody looks for it${lastWords(events)}.`,
        remedy: failed?.remedy ||
          "start it on the local network, or connect to it: almenad connect <peer>",
      };
    case "unknown":
      return {
        summary: "Nothing was heard of it since this daemon started.",
        remedy: "give its address: almenad connect /ip4/…/tcp/…/p2p/<peer id>",
      };
  }
}

function lastWords(events: readonly LinkEvent[]): string {
  const ended = events.find(({ kind }) => kind === "disconnected");
  return ended?.reason ? `; the last link ended because ${ended.reason}` : "";
}
