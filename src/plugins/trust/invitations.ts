import type { HandshakeService } from "../plugin.ts";
import { formatTicket, MAX_ADDRESSES, parseTicket } from "./ticket.ts";

/** What {@link Invitations} uses. */
export interface InvitationsComponents {
  readonly peerId: string;
  /** Own multiaddrs. */
  addresses(): readonly string[];
  /** Connects to a peer on one address. @returns Its peer id. */
  connect(multiaddr: string, signal: AbortSignal): Promise<string>;
  handshake(): HandshakeService;
}

/** An invitation, for eyes, fingers and cameras. */
export interface Invitation {
  readonly ticket: string;
  readonly peerId: string;
  readonly addresses: readonly string[];
  /** The ticket as a QR code of block letters. */
  readonly qr: string;
}

/** Pairing for people: a ticket on one machine, typed or scanned on the other. */
export class Invitations {
  readonly #components: InvitationsComponents;

  constructor(components: InvitationsComponents) {
    this.#components = components;
  }

  /** A ticket that leads to this daemon. */
  async invite(): Promise<Invitation> {
    const { peerId } = this.#components;
    const all = this.#components.addresses();
    // Loopback helps nobody on another machine, but is all there is on a machine without a network.
    const outside = all.filter((address) => !/^\/ip[46]\/(127\.|::1\/)/.test(address));
    const addresses = (outside.length > 0 ? outside : all).slice(0, MAX_ADDRESSES);
    const ticket = formatTicket({ peerId, addresses });
    const { qrCode } = await import("./qr_code.ts");
    return { ticket, peerId, addresses, qr: qrCode(ticket) };
  }

  /**
   * Connects to the peer of a ticket and asks it for trust.
   *
   * @returns Its peer id.
   * @throws {DaemonError} `invalid_argument` for a bad ticket, `unavailable` if no address answers.
   */
  async accept(ticket: string, justification: string, signal: AbortSignal): Promise<string> {
    const { peerId, addresses } = parseTicket(ticket);
    let failure: unknown;
    for (const address of addresses) {
      try {
        await this.#components.connect(`${address}/p2p/${peerId}`, signal);
        failure = undefined;
        break;
      } catch (cause) {
        failure = cause;
      }
    }
    // A peer that cannot be reached may be known otherwise, or a relay may keep the request.
    try {
      await this.#components.handshake().sendRequest(peerId, justification);
    } catch (cause) {
      throw failure ?? cause;
    }
    return peerId;
  }
}
