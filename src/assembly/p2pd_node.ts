/** The p2pd program: a node without discovery, driven over the control protocol alone. */
import type { PrivateKey } from "@libp2p/interface";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { ConnectionPlaces } from "../api/connection_places.ts";
import {
  Daemon,
  EventBus,
  guard,
  logger,
  Metrics,
  pause,
  type Service,
  systemClock,
} from "../core/mod.ts";
import { isLan, parseBootstrapPeers, PeerBook, Swarm } from "../network/mod.ts";
import { dhtMode, type Flags, listOf, P2pdServer } from "../p2pd/mod.ts";
import { DEFAULT_CAPS, fitCaps, openFileLimit, versionInfo } from "../system/mod.ts";
import { libp2pMetrics } from "./libp2p_metrics.ts";
import { MetricsPort } from "./p2pd_metrics.ts";
import { P2pdStack } from "./p2pd_stack.ts";

/** Where the public network is entered when -b names no peers. */
const PUBLIC_BOOTSTRAP_PEERS = [
  "/dnsaddr/bootstrap.libp2p.io/p2p/QmNnooDu7bfjPFoTZYxMNLWUQJyrVwtbZg5gBMjTezGAJN",
  "/dnsaddr/bootstrap.libp2p.io/p2p/QmQCU2EcMqAqQPR2i9bChDtGNJchTbq5TbXJJ16u19uLTa",
  "/dnsaddr/bootstrap.libp2p.io/p2p/QmbLHAnMoJPWSCR5Zhtx6BHJX9KiKNN6tpvbUcqanj75Nb",
  "/dnsaddr/bootstrap.libp2p.io/p2p/QmcZf59bWwK5XFi76CZX8cbJ4BhTzzA3gU1ZjYZcYW3dwt",
].join();
/** Listeners when none are named. */
const DEFAULT_HOST_ADDRS = ["/ip4/0.0.0.0/tcp/0", "/ip6/::/tcp/0"];
/** Longest try to reach a bootstrap peer, and the wait before the next. */
const BOOTSTRAP_MS = 10_000;

/** A p2pd that is made but not started. */
export interface P2pdNode {
  readonly service: Service;
  readonly peerId: string;
  /** Where the control socket is. */
  controlAddress(): string;
  /** Where other peers find it. */
  addresses(): string[];
  /** Routing table, connections and streams, for people. */
  report(): string[];
}

/** What {@link assembleP2pd} uses. */
export interface P2pdNodeInput {
  readonly flags: Flags;
  readonly privateKey: PrivateKey;
  /** Told about things that were asked for and cannot be had. */
  note(text: string): void;
  onPersistent(change: 1 | -1): void;
}

const log = logger("p2pd");

/** Makes every part of a p2pd. */
export function assembleP2pd(input: P2pdNodeInput): P2pdNode {
  const { flags } = input;
  const peerId = peerIdFromPrivateKey(input.privateKey).toString();
  const metrics = new Metrics();
  const stack = new P2pdStack(
    { swarm: () => swarm, onPersistent: (change) => input.onPersistent(change) },
    flags,
  );
  const help = "Refused and dropped things";
  metrics.counts("almenad_dropped_total", help, () => stack.counts());
  const swarm = createSwarm(input, { peerId, metrics, stack });
  const server = new P2pdServer({
    parts: () => stack.parts(),
    places: (init) => new ConnectionPlaces(init),
  }, { listen: flags.listen });
  const datastore: Service = {
    name: "datastore",
    start: () => Promise.resolve(),
    stop: () => Promise.resolve(stack.close()),
  };
  const port = flags.metricsAddr
    ? [new MetricsPort({ metrics }, { address: flags.metricsAddr })]
    : [];
  return {
    service: new Daemon([datastore, swarm, stack, bootstrap(swarm, flags), ...port, server]),
    peerId,
    controlAddress: () => server.address(),
    addresses: () => swarm.listenAddresses(),
    report: () => report(swarm, stack),
  };
}

function createSwarm(
  { flags, privateKey, note }: P2pdNodeInput,
  parts: { peerId: string; metrics: Metrics; stack: P2pdStack },
): Swarm {
  const { peerId, stack } = parts;
  const peers = new PeerBook(
    { events: new EventBus(() => peerId), isLan, monotonic: () => systemClock.monotonic() },
    { selfId: peerId },
  );
  return new Swarm({
    clock: systemClock,
    peers,
    privateKey,
    ...flags.metricsAddr ? { metrics: libp2pMetrics(parts.metrics) } : {},
    onConnected: () => undefined,
    onDisconnected: () => undefined,
    onAddressesChanged: () => undefined,
  }, {
    listen: listenAddresses(flags, note),
    isListenOptional: flags.hostAddrs === "",
    maxConnections: fitCaps(DEFAULT_CAPS, openFileLimit()).swarm,
    agentVersion: `almenad/${versionInfo().version}`,
    extras: () => stack.extras(),
  });
}

function listenAddresses(flags: Flags, note: (text: string) => void): string[] {
  if (flags.noListenAddrs) return [];
  const wanted = listOf(flags.hostAddrs);
  if (wanted.length === 0) return DEFAULT_HOST_ADDRS;
  return wanted.filter((address) => {
    const isKnown = /\/tcp\/\d+$/.test(address);
    if (!isKnown) note(`${address} is passed over: only TCP is listened on`);
    return isKnown;
  });
}

function bootstrap(swarm: Swarm, flags: Flags): Service {
  const ended = new AbortController();
  const peers = flags.b ? parseBootstrapPeers(flags.bootstrapPeers || PUBLIC_BOOTSTRAP_PEERS) : [];
  return {
    name: "bootstrap",
    start: () => {
      for (const { peerId, address } of peers) {
        guard("reach a bootstrap peer", async () => {
          while (!ended.signal.aborted) {
            try {
              const signal = AbortSignal.any([ended.signal, AbortSignal.timeout(BOOTSTRAP_MS)]);
              return await swarm.dial(peerId, [address], signal);
            } catch (failure) {
              log.debug("Bootstrap peer does not answer", { peerId, failure });
              await pause(BOOTSTRAP_MS, ended.signal);
            }
          }
        });
      }
      return Promise.resolve();
    },
    stop: () => Promise.resolve(ended.abort()),
  };
}

function report({ node }: Swarm, { dht, reachability }: P2pdStack): string[] {
  const connections = node.getConnections().map(({ remotePeer, remoteAddr, streams, limits }) =>
    `  ${remotePeer} ${remoteAddr} streams=${streams.length}${limits ? " relayed" : ""}`
  );
  return [
    `routing table: ${dht ? `${dht.size} peers` : "off"}`,
    `reachability: ${reachability?.state ?? "unknown"}`,
    `connections: ${connections.length}`,
    ...connections,
  ];
}

/** Warnings about flags that do nothing here. */
export function notesOn(flags: Flags, given: Partial<Flags>): string[] {
  return [
    ...given.tls ? ["TLS is not available here; connections are secured by Noise"] : [],
    ...flags.pprof ? ["-pprof has no effect here"] : [],
    ...flags.b && dhtMode(flags) === "off" && !flags.bootstrapPeers
      ? ["-b without a DHT only connects to the public network's entry peers"]
      : [],
  ];
}
