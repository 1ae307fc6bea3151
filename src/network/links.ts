import { peerIdFromString } from "@libp2p/peer-id";
import { multiaddr } from "@multiformats/multiaddr";
import { DaemonError, messageOf } from "../core/mod.ts";
import type { Dialer } from "./dialer.ts";
import type { PeerBook } from "./peer_book.ts";
import type { Swarm } from "./swarm.ts";

/** Longest wait for a connection that somebody asked for. */
export const CONNECT_TIMEOUT_MS = 10_000;
/** Longest wait for an orderly close. */
export const CLOSE_TIMEOUT_MS = 1_000;
/** Longest wait for the answer to a ping. */
export const PING_TIMEOUT_MS = 5_000;

/** What {@link Links} uses. */
export interface LinksComponents {
  swarm: Pick<Swarm, "dial" | "dialAddress" | "disconnect" | "ping">;
  dialer: Pick<Dialer, "hold" | "release">;
  peers: Pick<PeerBook, "get" | "isConnected">;
}

/** Links to peers as people ask for them: connect, disconnect, ping. */
export class Links {
  readonly #components: LinksComponents;
  readonly #selfId: string;

  constructor(components: LinksComponents, init: { selfId: string }) {
    this.#components = components;
    this.#selfId = init.selfId;
  }

  /**
   * Connects to a peer, by its id if its addresses are known, or by a multiaddr. A peer that was
   * disconnected by an operation is welcome again.
   *
   * @returns The peer id.
   * @throws {DaemonError} `invalid_argument`, `not_found` if no address is known, `unavailable` if
   *   nobody answers, `cancelled`.
   */
  async connect(target: string, signal: AbortSignal): Promise<string> {
    const { peerId, address } = parseTarget(target);
    if (peerId !== undefined) {
      this.#refuseSelf(peerId, "connect to");
      this.#components.dialer.release(peerId);
      if (this.#components.peers.isConnected(peerId)) return peerId;
    }
    const addresses = address ? [address] : this.#components.peers.get(peerId ?? "")?.addresses;
    if (!addresses?.length) {
      throw new DaemonError(
        "not_found",
        `Cannot connect to peer "${target}": no address of it is known; give a multiaddr`,
      );
    }
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(CONNECT_TIMEOUT_MS)]);
    try {
      if (peerId === undefined) return await this.#connectUnknown(addresses[0] ?? "", deadline);
      await this.#components.swarm.dial(peerId, addresses, deadline);
      return peerId;
    } catch (failure) {
      throw linkError(`connect to "${target}"`, failure, deadline);
    }
  }

  /**
   * Closes all connections to a peer and keeps it away until it is connected to again, or the
   * daemon restarts (contract 1.4).
   *
   * @returns Whether it was connected.
   * @throws {DaemonError} `invalid_argument`.
   */
  async disconnect(peerId: string): Promise<boolean> {
    checkPeerId(peerId);
    this.#refuseSelf(peerId, "disconnect from");
    const wasConnected = this.#components.peers.isConnected(peerId);
    this.#components.dialer.hold(peerId);
    await this.#components.swarm.disconnect(peerId, AbortSignal.timeout(CLOSE_TIMEOUT_MS));
    return wasConnected;
  }

  /**
   * Asks a connected peer for an echo.
   *
   * @returns Round-trip time in milliseconds.
   * @throws {DaemonError} `invalid_argument`, `failed_precondition` if it is not connected,
   *   `unavailable` if it does not answer.
   */
  async ping(peerId: string, signal: AbortSignal): Promise<number> {
    checkPeerId(peerId);
    this.#refuseSelf(peerId, "ping");
    if (!this.#components.peers.isConnected(peerId)) {
      throw new DaemonError(
        "failed_precondition",
        `Cannot ping peer "${peerId}": it is not connected; connect to it first`,
      );
    }
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(PING_TIMEOUT_MS)]);
    try {
      return await this.#components.swarm.ping(peerId, deadline);
    } catch (failure) {
      throw linkError(`ping peer "${peerId}"`, failure, deadline);
    }
  }

  async #connectUnknown(address: string, signal: AbortSignal): Promise<string> {
    const peerId = await this.#components.swarm.dialAddress(address, signal);
    this.#components.dialer.release(peerId);
    return peerId;
  }

  #refuseSelf(peerId: string, what: string): void {
    if (peerId !== this.#selfId) return;
    throw new DaemonError(
      "invalid_argument",
      `Cannot ${what} "${peerId}": it is this daemon itself`,
    );
  }
}

function parseTarget(target: string): { peerId?: string; address?: string } {
  if (!target.startsWith("/")) return { peerId: checkPeerId(target) };
  try {
    const components = multiaddr(target).getComponents();
    const last = components.at(-1);
    if (components.some(({ name }) => name === "tcp")) {
      return last?.name === "p2p" && last.value
        ? { address: target, peerId: checkPeerId(last.value) }
        : { address: target };
    }
  } catch (failure) {
    throw badTarget(target, messageOf(failure));
  }
  throw badTarget(target, "it names no TCP port");
}

function checkPeerId(text: string): string {
  try {
    return peerIdFromString(text).toString();
  } catch {
    throw badTarget(text, "it is no peer id");
  }
}

function badTarget(target: string, reason: string): DaemonError {
  return new DaemonError(
    "invalid_argument",
    `Cannot reach "${target.slice(0, 200)}": ${reason}; expected a peer id, or a multiaddr such ` +
      "as /ip4/192.168.1.7/tcp/4001/p2p/12D3Koo…",
  );
}

function linkError(what: string, failure: unknown, signal: AbortSignal): DaemonError {
  if (failure instanceof DaemonError) return failure;
  const isLate = signal.reason instanceof DOMException && signal.reason.name === "TimeoutError";
  if (isLate) {
    return new DaemonError("deadline_exceeded", `Cannot ${what}: nobody answered in time`);
  }
  if (signal.aborted) return new DaemonError("cancelled", `Cannot ${what}: the call was cancelled`);
  return new DaemonError("unavailable", `Cannot ${what}: ${messageOf(failure)}`, {
    cause: failure,
  });
}
