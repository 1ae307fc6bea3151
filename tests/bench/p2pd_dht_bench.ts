/**
 * DHT GET of a key that is there, in a network of p2pds on this machine, against the same network of Go p2pds: each node
 * asks in turn, the two networks one after the other. Go's takes no open keys, so both get a /pk/ record; what an open
 * key costs us stands beside it. Promised: p50 within 2 x of the Go daemon's.
 *
 * `ALMENAD_BENCH_NODES` (20, as promised) in each network; every node but the first asks `ALMENAD_BENCH_ROUNDS` (5) times.
 */
import { publicKeyToProtobuf } from "@libp2p/crypto/keys";
import type { Ed25519PeerId } from "@libp2p/interface";
import { peerIdFromString } from "@libp2p/peer-id";
import { Buffer } from "node:buffer";
import process from "node:process";
import { isPrepared } from "../support/foreign_peers.ts";
import { GO_P2PD } from "../support/go_p2pd.ts";
import { P2pd, type P2pdKind } from "../support/p2pd_process.ts";
import { waitFor } from "../support/wait.ts";
import { interleave, median, percentile, printReport, ratio, type Row } from "./report.ts";

const NODES = Number(process.env["ALMENAD_BENCH_NODES"] ?? 20);
const ROUNDS = Number(process.env["ALMENAD_BENCH_ROUNDS"] ?? 5);
/** Processes that start at the same time. */
const STARTING = 2;
const TIMEOUT_S = 30;
/** Whose newest value has to be looked for, where a public key's record is the only one there can be. */
const OPEN_KEY = Buffer.from("/bench/key");

/** Nodes that know each other, with one record among them. */
class Network implements AsyncDisposable {
  readonly #nodes: readonly P2pd[];
  readonly #key: Uint8Array;

  private constructor(nodes: readonly P2pd[], key: Uint8Array) {
    this.#nodes = nodes;
    this.#key = key;
  }

  static async start(kind: P2pdKind): Promise<Network> {
    const nodes: P2pd[] = [];
    while (nodes.length < NODES) {
      const count = Math.min(STARTING, NODES - nodes.length);
      const start = () => P2pd.start(kind, { flags: ["-dhtServer"] });
      nodes.push(...await Promise.all(Array.from({ length: count }, start)));
    }
    const [first] = nodes;
    if (!first) throw new TypeError("a network needs nodes");
    for (const [at, node] of nodes.entries()) {
      for (const other of new Set([first, nodes[Math.floor(at / 2)] ?? first])) {
        if (other !== node) await node.client.connect(other.peerId, other.info.addrs, TIMEOUT_S);
      }
    }
    // The only kind of record that the Go daemon takes.
    const id = peerIdFromString(first.peerId) as Ed25519PeerId;
    const key = Buffer.concat([Buffer.from("/pk/"), id.toMultihash().bytes]);
    for (const node of nodes) {
      await waitFor(
        "a routing table",
        async () => (await node.client.dhtClosestPeers(key, TIMEOUT_S)).length > 0,
        60_000,
      );
    }
    await first.client.dhtPutValue(key, publicKeyToProtobuf(id.publicKey), TIMEOUT_S);
    if (kind === "almenad") await first.client.dhtPutValue(OPEN_KEY, OPEN_KEY, TIMEOUT_S);
    return new Network(nodes, key);
  }

  /** Milliseconds of one GET at each node but the one that has put the record. */
  async ask(key = this.#key): Promise<number[]> {
    const times: number[] = [];
    for (const { client } of this.#nodes.slice(1)) {
      const begun = performance.now();
      await client.dhtGetValue(key, TIMEOUT_S);
      times.push(performance.now() - begun);
    }
    return times;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node[Symbol.asyncDispose]()));
  }
}

const kinds: P2pdKind[] = isPrepared(GO_P2PD) ? ["almenad", "go"] : ["almenad"];
await using stack = new AsyncDisposableStack();
const networks = new Map<P2pdKind, Network>();
for (const kind of kinds) networks.set(kind, stack.use(await Network.start(kind)));
const ours = networks.get("almenad")!;
for (const network of networks.values()) await network.ask(); // warm
await ours.ask(OPEN_KEY);
const measured = await interleave(
  ROUNDS,
  new Map([
    ...[...networks].map(([kind, network]) => [kind, () => network.ask()] as const),
    ["almenad, open key", () => ours.ask(OPEN_KEY)],
  ]),
);
const medians = (kind: string) => measured.get(kind)?.map(median) ?? [];
const rows = [...measured].map(([kind, rounds]): Row => ({
  program: kind,
  gets: rounds.flat().length,
  "p50 ms": median(rounds.flat()),
  "p99 ms": percentile(rounds.flat(), 0.99),
  "p50 x Go": ratio(medians(kind), medians("go")),
}));
printReport(`DHT GET among ${NODES} nodes, ${ROUNDS} rounds`, rows, [
  "Promised: almenad's p50 at most 2 x Go's.",
]);
