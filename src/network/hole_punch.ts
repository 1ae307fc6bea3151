import { dcutr } from "@libp2p/dcutr";
import type {
  Connection,
  Libp2pEvents,
  PeerId,
  StreamHandler,
  StreamHandlerOptions,
  Topology,
  TypedEventTarget,
} from "@libp2p/interface";
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import { randomInt } from "node:crypto";
import { guard, pause } from "../core/mod.ts";
import { formatTcpAddress, isPublic, parseTcpAddress } from "./addresses.ts";
import type { DialFrom } from "./tcp_transport.ts";

/** IANA's range for ports that nobody owns. */
const FIRST_PORT = 49_152;
const LAST_PORT = 65_535;
/** Addresses that peers saw us under and that we remember. */
const MAX_OBSERVED = 32;
/** How often a relayed connection that has become needless is looked at. */
const UNUSED_INTERVAL_MS = 500;
/** Streams that nobody misses when they end with their connection. */
const HOUSEKEEPING = ["/ipfs/id/1.0.0", "/ipfs/id/push/1.0.0", "/ipfs/ping/1.0.0", "/libp2p/dcutr"];

interface Registrar {
  register(protocol: string, topology: Topology): Promise<string>;
  unregister(id: string): void;
  handle(
    protocol: string,
    handler: StreamHandler,
    options?: StreamHandlerOptions,
  ): Promise<void>;
  unhandle(protocol: string): Promise<void>;
}

interface PunchComponents {
  registrar: Registrar;
  events: TypedEventTarget<Libp2pEvents>;
  addressManager: { getAddresses(): Multiaddr[] };
  connectionManager: {
    getConnections(peerId: PeerId): Connection[];
    openConnection(
      target: PeerId | Multiaddr | Multiaddr[],
      options?: { initiator?: boolean; signal?: AbortSignal },
    ): Promise<Connection>;
  };
}

/**
 * A direct connection between two hosts that are both behind a router: each dials the other at the
 * same moment, so each router takes the other's packets for answers (TCP simultaneous open).
 *
 * libp2p's DCUtR agrees on the moment over a relay. What it lacks is here: a router lets a stranger
 * in only at the port that our own packets left from, so everything public is dialled from one port
 * that we do not listen on (a dial from a listening port fails), and DCUtR tells the address that a
 * peer saw behind that port. One of the two must answer as if it had been dialled, too.
 */
export class HolePunch {
  #port = randomInt(FIRST_PORT, LAST_PORT + 1);
  /** Whether something was dialled from the port; peers know it from then on. */
  #isUsed = false;
  /** Public address that we dialled from the port, and the address we were seen under. */
  readonly #seenAs = new Map<string, Multiaddr | undefined>();
  /** Addresses that are punched now, and whether we speak first. */
  readonly #punched = new Map<string, boolean>();

  /** The libp2p service. */
  service(): ReturnType<typeof dcutr> {
    const create = dcutr() as (components: unknown) => ReturnType<ReturnType<typeof dcutr>>;
    return (components) => {
      const { events, addressManager, connectionManager, registrar } =
        components as unknown as PunchComponents;
      events.addEventListener("peer:identify", ({ detail: { connection, observedAddr } }) => {
        if (connection.direction === "outbound") this.#observed(connection, observedAddr);
      });
      events.addEventListener("connection:close", ({ detail: { remotePeer, remoteAddr } }) => {
        const left = connectionManager.getConnections(remotePeer);
        if (left.some((other) => other.remoteAddr.equals(remoteAddr))) return;
        this.#seenAs.delete(plain(remoteAddr));
      });
      return create(withParts(components, {
        registrar: sparing(registrar),
        addressManager: {
          getAddresses: () => [...addressManager.getAddresses(), ...this.addresses()],
        },
        connectionManager: {
          getConnections: (peerId) => connectionManager.getConnections(peerId),
          openConnection: (target, options) =>
            this.#punch(target, options, () => connectionManager.openConnection(target, options)),
        },
      }));
    };
  }

  /** Where a peer behind another router should dial. */
  addresses(): Multiaddr[] {
    const seen = new Map<string, Multiaddr>();
    for (const address of this.#seenAs.values()) if (address) seen.set(plain(address), address);
    return [...seen.values()];
  }

  /** How the transport shall dial an address; undefined for its own way. */
  dialFrom(address: Multiaddr): DialFrom | undefined {
    const target = plain(address);
    if (!isPublic(target)) return undefined;
    const initiator = this.#punched.get(target);
    return {
      localPort: this.#port,
      ...initiator === undefined ? {} : { initiator },
      used: () => {
        this.#isUsed = true;
        if (this.#seenAs.size < MAX_OBSERVED) this.#seenAs.set(target, undefined);
      },
      refused: () => {
        if (!this.#isUsed) this.#port = randomInt(FIRST_PORT, LAST_PORT + 1);
      },
    };
  }

  #observed(connection: Connection, observed: Multiaddr | undefined): void {
    const target = plain(connection.remoteAddr);
    // A second connection to the same address has another port.
    if (!observed || !this.#seenAs.has(target) || this.#seenAs.get(target)) return;
    const tcp = parseTcpAddress(plain(observed));
    if (!tcp || !isPublic(plain(observed))) return;
    this.#seenAs.set(target, multiaddr(formatTcpAddress(tcp)));
  }

  async #punch(
    target: PeerId | Multiaddr | Multiaddr[],
    options: { initiator?: boolean } | undefined,
    open: () => Promise<Connection>,
  ): Promise<Connection> {
    const addresses = (Array.isArray(target) ? target : []).map(plain);
    for (const address of addresses) this.#punched.set(address, options?.initiator !== false);
    try {
      return await open();
    } finally {
      for (const address of addresses) this.#punched.delete(address);
    }
  }
}

function plain(address: Multiaddr): string {
  return address.toString().replace(/\/p2p\/\w+$/, "");
}

// The components of libp2p are a proxy that tells of missing parts, so they are not spread.
function withParts(components: object, parts: Partial<PunchComponents>): unknown {
  return new Proxy(components, {
    get: (target, name) => Reflect.get(parts, name) ?? Reflect.get(target, name),
  });
}

// DCUtR closes the relayed connection as soon as there is a direct one, and with it what programs
// have begun on it. Here it ends with the last of their streams.
function sparing(registrar: Registrar): Registrar {
  return {
    register: (protocol, topology) =>
      registrar.register(protocol, {
        ...topology,
        onConnect: (peerId, connection) => topology.onConnect?.(peerId, spared(connection)),
      }),
    unregister: (id) => registrar.unregister(id),
    handle: (protocol, handler, options) =>
      registrar.handle(
        protocol,
        (stream, connection) => handler(stream, spared(connection)),
        options,
      ),
    unhandle: (protocol) => registrar.unhandle(protocol),
  };
}

function spared(connection: Connection): Connection {
  const close = () => {
    guard("close a relayed connection", () => closeWhenUnused(connection));
    return Promise.resolve();
  };
  return new Proxy(connection, {
    get(target, name) {
      if (name === "close") return close;
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

async function closeWhenUnused(connection: Connection): Promise<void> {
  const isUsed = () => connection.streams.some(({ protocol }) => !HOUSEKEEPING.includes(protocol));
  while (connection.status === "open" && isUsed()) await pause(UNUSED_INTERVAL_MS);
  await connection.close();
}
