import type { LinkHistory } from "./link_history.ts";
import type { Swarm } from "./swarm.ts";

type Dials = Pick<Swarm, "dial" | "dialAddress" | "disconnect" | "ping">;

/** What {@link notedDials} uses. */
export interface NotedDialsComponents {
  swarm(): Dials;
  history: Pick<LinkHistory, "note">;
  /** Addresses that stand for none given. */
  addressesOf(peerId: string): readonly string[];
}

/** The swarm's dials, each failure noted with the addresses that were tried. */
export function notedDials(
  { swarm, history, addressesOf }: NotedDialsComponents,
): Dials {
  const noting = async <T>(
    peerId: string | undefined,
    addresses: readonly string[],
    signal: AbortSignal,
    dial: () => Promise<T>,
  ): Promise<T> => {
    try {
      return await dial();
    } catch (error) {
      // Who lost interest has learnt nothing of the peer.
      if (peerId && (!signal.aborted || isLate(signal))) {
        history.note(peerId, { kind: "dialled", addresses, isOurs: true, error });
      }
      throw error;
    }
  };
  return {
    dial: (peerId, addresses, signal) => {
      const tried = addresses.length > 0 ? addresses : addressesOf(peerId);
      return noting(peerId, tried, signal, () => swarm().dial(peerId, addresses, signal));
    },
    dialAddress: (address, signal) => {
      const [, peerId] = /\/p2p\/([^/]+)$/.exec(address) ?? [];
      return noting(peerId, [address], signal, () => swarm().dialAddress(address, signal));
    },
    disconnect: (peerId, signal) => swarm().disconnect(peerId, signal),
    ping: (peerId, signal) => swarm().ping(peerId, signal),
  };
}

function isLate({ reason }: AbortSignal): boolean {
  return reason instanceof DOMException && reason.name === "TimeoutError";
}
