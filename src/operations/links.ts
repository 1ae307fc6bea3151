/** Live figures of the network: what goes through the links, and why there are none. */
import * as z from "zod";
import { BoundedQueue, DaemonError, once, query, stream } from "../core/mod.ts";
import type { Link, LinkEvent, LinkReport, Sample } from "../network/mod.ts";
import type { Components } from "./components.ts";
import { fingerprintWords } from "./fingerprint.ts";
import { peerInfoOutput } from "./network.ts";
import { PeerInfo } from "./schemas.ts";
import { refOf, stateOf, TrustState } from "./trust.ts";

type Uses = Pick<Components, "links" | "peers" | "plugins" | "traffic" | "linkReports">;

const Peer = once(() =>
  z.string().min(1).max(128)
    .describe("Peer id, node number, or address such as 0:0000.ABCD.1234")
);
const Bytes = once(() => ({ in_bytes: z.number(), out_bytes: z.number() }));
const LinkOutput = once(() =>
  z.object({
    peer_id: z.string(),
    direction: z.enum(["in", "out"]).describe("Who opened it: in is the peer"),
    is_relayed: z.boolean(),
    is_internal: z.boolean().describe("Whether the peer is on the local network"),
    address: z.string(),
    connected_at_ms: z.number(),
    connections: z.number(),
    latency_ms: z.number().optional(),
    ...Bytes(),
    in_bytes_per_second: z.number(),
    out_bytes_per_second: z.number(),
  })
);

function linkOutput(link: Link, isInternal: boolean): z.input<ReturnType<typeof LinkOutput>> {
  return {
    peer_id: link.peerId,
    direction: link.direction,
    is_relayed: link.isRelayed,
    is_internal: isInternal,
    address: link.address,
    connected_at_ms: link.connectedAtMs,
    connections: link.connections,
    ...(link.latencyMs === undefined ? {} : { latency_ms: link.latencyMs }),
    in_bytes: link.inBytes,
    out_bytes: link.outBytes,
    in_bytes_per_second: link.inBytesPerSecond,
    out_bytes_per_second: link.outBytesPerSecond,
  };
}

/** Open links with their figures. */
export const listLinks = query({
  name: "network.links",
  summary: "Connected peers with direction, latency and what goes through",
  input: () => z.strictObject({}),
  output: () => z.object({ links: z.array(LinkOutput()) }),
  run: (_input, { traffic, peers }: Pick<Uses, "traffic" | "peers">) => {
    const inside = new Set(
      peers.list({ connected: true }).flatMap((peer) => peer.isInternal ? [peer.peerId] : []),
    );
    return { links: traffic.links().map((link) => linkOutput(link, inside.has(link.peerId))) };
  },
});

/** Everything about one peer. */
export const showPeer = query({
  name: "network.peer",
  summary: "One peer: where it is, its link, its fingerprint in words, and whether it is trusted",
  positional: ["peer"],
  input: () => z.strictObject({ peer: Peer() }),
  output: () =>
    z.object({
      peer: PeerInfo(),
      name: z.string().describe("Its short address"),
      words: z.array(z.string()).describe("To compare with what the other side reads"),
      trust: TrustState(),
      link: LinkOutput().optional(),
    }),
  run: async ({ peer }, { traffic, peers, plugins }: Uses) => {
    const peerId = plugins.names.resolve(refOf(peer));
    const known = peers.get(peerId);
    if (!known) {
      throw new DaemonError("not_found", `Cannot show peer "${peerId}": nobody heard of it`);
    }
    const link = traffic.link(peerId);
    return {
      peer: peerInfoOutput(known),
      name: plugins.names.nameOf(peerId),
      words: await fingerprintWords(peerId),
      trust: stateOf(plugins, peerId).state,
      ...(link ? { link: linkOutput(link, known.isInternal) } : {}),
    };
  },
});

/** Bytes by time. */
export const throughput = query({
  name: "network.throughput",
  summary: "What went in and out of the swarm: 5 minutes by the second, 1 hour, 24 hours",
  positional: ["range"],
  input: () => z.strictObject({ range: z.enum(["5m", "1h", "24h"]).default("5m") }),
  output: () =>
    z.object({
      step_ms: z.number(),
      points: z.array(z.object({ time_ms: z.number(), ...Bytes() }))
        .describe("Oldest first; a step in which the daemon did not run is missing"),
    }),
  run: ({ range }, { traffic }: Pick<Uses, "traffic">) => {
    const { stepMs, points } = traffic.throughput(range);
    return {
      step_ms: stepMs,
      points: points.map(({ timeMs, inBytes, outBytes }) => ({
        ...{ time_ms: timeMs, in_bytes: inBytes, out_bytes: outBytes },
      })),
    };
  },
});

/** Samples that wait for one slow reader. */
const QUEUE = 16;

/** Bytes of each second, as they go. */
export const throughputLive = stream({
  name: "network.throughput_live",
  summary: "What goes in and out of the swarm, once a second",
  input: () =>
    z.strictObject({
      peers: z.boolean().default(false).describe("Tell each peer with traffic as well"),
    }),
  output: () =>
    z.object({
      time_ms: z.number(),
      step_ms: z.number(),
      ...Bytes(),
      peers: z.array(z.object({ peer_id: z.string(), ...Bytes() })),
    }),
  run: async function* ({ peers: wantsPeers }, { traffic }: Pick<Uses, "traffic">, { signal }) {
    const queue = new BoundedQueue<Sample>(QUEUE, () => stop());
    const stop = traffic.listen((sample) => queue.push(sample));
    const end = () => queue.cancel();
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
    for await (const { timeMs, stepMs, inBytes, outBytes, peers } of queue) {
      yield {
        ...{ time_ms: timeMs, step_ms: stepMs, in_bytes: inBytes, out_bytes: outBytes },
        peers: wantsPeers
          ? peers.map((one) => ({
            ...{ peer_id: one.peerId, in_bytes: one.inBytes, out_bytes: one.outBytes },
          }))
          : [],
      };
    }
  },
});

/** What happened to the link, in words. */
const WORDS: Readonly<Record<LinkEvent["kind"], (event: LinkEvent) => string>> = {
  heard: () => "It was heard on the local network",
  silent: () => "It was not heard on the local network for a minute",
  dialled: ({ count }) => count === 1 ? "A dial failed" : `${count} dials in a row failed`,
  connected: ({ isOurs }) => isOurs ? "It was dialled and answered" : "It connected to us",
  disconnected: ({ isOurs }) => isOurs ? "We closed the connection" : "The connection ended",
  held: () => "It was disconnected on purpose, and is kept away",
  released: () => "It may be connected to again",
};

function eventOutput(event: LinkEvent) {
  const words = WORDS[event.kind](event);
  return {
    time: new Date(event.firstMs).toISOString(),
    last_time: new Date(event.lastMs).toISOString(),
    count: event.count,
    event: event.kind,
    ok: event.isOk,
    addresses: [...event.addresses],
    reason: event.reason,
    words: event.reason ? `${words}: ${event.reason}` : words,
  };
}

function reportOutput({ peerId, state, summary, remedy, nextTryInMs, history }: LinkReport) {
  return {
    ...{ peer_id: peerId, state, summary, remedy },
    ...(nextTryInMs === undefined ? {} : { next_try_in_ms: Math.round(nextTryInMs) }),
    history: history.map(eventOutput),
  };
}

/** Why a peer is connected, or is not. */
export const why = query({
  name: "network.why",
  summary: "Why a peer is connected or not: what was tried, what failed, what to do",
  positional: ["peer"],
  input: () => z.strictObject({ peer: Peer() }),
  output: () =>
    z.object({
      peer_id: z.string(),
      state: z.enum(["connected", "dialling", "waiting", "held", "not_sought", "unknown"]),
      summary: z.string(),
      remedy: z.string(),
      next_try_in_ms: z.number().optional(),
      history: z.array(z.object({
        time: z.string(),
        last_time: z.string(),
        count: z.number().describe("How often in a row"),
        event: z.enum([
          ...["heard", "silent", "dialled", "connected", "disconnected"] as const,
          ...["held", "released"] as const,
        ]),
        ok: z.boolean(),
        addresses: z.array(z.string()),
        reason: z.string(),
        words: z.string(),
      })).describe("Newest first"),
    }),
  run: ({ peer }, { linkReports, plugins }: Uses) =>
    reportOutput(linkReports.of(plugins.names.resolve(refOf(peer)))),
});
