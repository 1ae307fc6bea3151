import type {
  Connection,
  IdentifyResult,
  Libp2pEvents,
  PeerId,
  StreamHandler,
  StreamHandlerOptions,
  TypedEventTarget,
} from "@libp2p/interface";
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import { Buffer } from "node:buffer";
import { guard, logger } from "../core/mod.ts";
import { formatTcpAddress, isPublic, parseTcpAddress } from "./addresses.ts";
import {
  AUTONAT_PROTOCOL,
  type AutonatMessage,
  encodeAutonat,
  readAutonat,
  STATUS,
} from "./autonat_message.ts";

/** Longest dial on behalf of another. */
const DIAL_MS = 5_000;
/** Longest wait for one on ours; Go's daemon dials for 15 s. */
const ANSWER_MS = 30_000;
/** Dials on behalf of others at a time, and addresses of one request. */
const MAX_DIALS = 4;
const MAX_ADDRESSES = 4;
/** A peer that was asked is asked again after so long. */
const ASK_AGAIN_MS = 15 * 60_000;
/** Peers remembered as asked. */
const MAX_ASKED = 256;

interface Components {
  events: TypedEventTarget<Libp2pEvents>;
  peerId: PeerId;
  registrar: {
    handle(protocol: string, handler: StreamHandler, options?: StreamHandlerOptions): Promise<void>;
    unhandle(protocol: string): Promise<void>;
  };
  connectionManager: {
    openConnection(
      target: Multiaddr,
      options: { force: boolean; signal: AbortSignal },
    ): Promise<Connection>;
  };
  transportManager: { getAddrs(): Multiaddr[] };
}

/** How {@link Autonat} takes part. */
export interface AutonatInit {
  /** Dial others back who ask. */
  isServer: boolean;
  /** Ask others, and be told each answer; nobody is asked when absent. */
  onAnswer?: (isReached: boolean) => void;
}

const log = logger("network");

/**
 * libp2p's AutoNAT: peers on the internet dial each other back on request, so each learns whether
 * strangers reach it. libp2p's own waits for answers from eight networks before it believes one,
 * and its server takes the asking connection for the dialled one, says no, and closes it.
 */
export class Autonat {
  readonly #init: AutonatInit;
  #components: Components | undefined;
  readonly #dialled = new Set<string>();
  readonly #asked = new Map<string, number>();

  constructor(init: AutonatInit) {
    this.#init = init;
  }

  /** The libp2p service. */
  service(): (components: unknown) => { start(): Promise<void>; stop(): Promise<void> } {
    return (components) => {
      const parts = components as Components;
      this.#components = parts;
      parts.events.addEventListener("peer:identify", ({ detail }) => {
        guard("ask whether we are reached", () => this.#identified(detail));
      });
      return {
        start: async () => {
          if (!this.#init.isServer) return;
          await parts.registrar.handle(AUTONAT_PROTOCOL, (stream, connection) => {
            guard("dial a peer back", async () => {
              const request = await readAutonat(stream, DIAL_MS);
              stream.send(encodeAutonat({ dialResponse: await this.#answer(request, connection) }));
              await stream.close();
            });
          }, { maxInboundStreams: 1 });
        },
        stop: () => parts.registrar.unhandle(AUTONAT_PROTOCOL),
      };
    };
  }

  /** Whether an address is dialled for another; from any port then, as a stranger would. */
  isDialled(address: Multiaddr): boolean {
    return this.#dialled.has(plain(address));
  }

  async #identified(
    { peerId, connection, protocols, observedAddr }: IdentifyResult,
  ): Promise<void> {
    const { onAnswer } = this.#init;
    if (!onAnswer || connection.limits || !protocols.includes(AUTONAT_PROTOCOL)) return;
    const addresses = this.#ownAddresses(observedAddr);
    const last = this.#asked.get(peerId.toString()) ?? -Infinity;
    if (addresses.length === 0 || performance.now() - last < ASK_AGAIN_MS) return;
    if (this.#asked.size >= MAX_ASKED) this.#asked.clear();
    this.#asked.set(peerId.toString(), performance.now());
    const stream = await connection.newStream(AUTONAT_PROTOCOL);
    const answer = readAutonat(stream, ANSWER_MS);
    const own = this.#components?.peerId.toMultihash().bytes ?? new Uint8Array();
    const addrs = addresses.map((address) => multiaddr(address).bytes);
    stream.send(encodeAutonat({ dial: { peer: { id: own, addrs } } }));
    const { status = STATUS.ok, statusText } = (await answer).dialResponse ?? {};
    log.debug("A peer told whether it reaches us", { peerId: String(peerId), status, statusText });
    await stream.close();
    if (status === STATUS.ok || status === STATUS.dialError) onAnswer(status === STATUS.ok);
  }

  // Public ones that we listen on; and, as a router may lead there, our ports at the address that
  // the peer sees.
  #ownAddresses(observed: Multiaddr | undefined): string[] {
    const seen = observed && parseTcpAddress(plain(observed));
    const addresses = new Set<string>();
    for (const one of this.#components?.transportManager.getAddrs() ?? []) {
      const listening = parseTcpAddress(plain(one));
      if (!listening) continue;
      addresses.add(formatTcpAddress(listening));
      if (seen?.ip.family !== listening.ip.family) continue;
      addresses.add(formatTcpAddress({ ip: seen.ip, port: listening.port }));
    }
    return [...addresses].filter(isPublic);
  }

  // Only the host that asks is dialled, so that nobody is made to knock at others' doors.
  async #answer(
    { dial }: AutonatMessage,
    { remotePeer, remoteAddr, limits }: Connection,
  ): Promise<NonNullable<AutonatMessage["dialResponse"]>> {
    const id = dial?.peer?.id;
    const isOwn = id && Buffer.compare(id, remotePeer.toMultihash().bytes) === 0;
    if (!isOwn || limits) return { status: STATUS.badRequest, statusText: "not for oneself" };
    const host = hostOf(plain(remoteAddr));
    const targets = (dial.peer?.addrs ?? []).flatMap(readAddress).filter((address) =>
      isPublic(address) && hostOf(address) === host && !this.#dialled.has(address)
    );
    if (targets.length === 0 || this.#dialled.size >= MAX_DIALS) {
      return { status: STATUS.dialRefused, statusText: "no address to dial now" };
    }
    for (const target of targets.slice(0, MAX_ADDRESSES)) {
      if (await this.#reaches(target, remotePeer)) {
        return { status: STATUS.ok, addr: multiaddr(target).bytes };
      }
    }
    return { status: STATUS.dialError, statusText: "no address answers" };
  }

  async #reaches(address: string, peerId: PeerId): Promise<boolean> {
    this.#dialled.add(address);
    try {
      const target = multiaddr(`${address}/p2p/${peerId}`);
      const signal = AbortSignal.timeout(DIAL_MS);
      const connection = await this.#components?.connectionManager.openConnection(target, {
        ...{ force: true, signal },
      });
      await connection?.close();
      return connection !== undefined;
    } catch {
      return false;
    } finally {
      this.#dialled.delete(address);
    }
  }
}

function plain(address: Multiaddr): string {
  return address.toString().replace(/\/p2p\/\w+$/, "");
}

function hostOf(address: string): string | undefined {
  return address.split("/")[2];
}

function readAddress(bytes: Uint8Array): string[] {
  try {
    return [plain(multiaddr(bytes))].filter((address) => parseTcpAddress(address) !== undefined);
  } catch {
    return [];
  }
}
