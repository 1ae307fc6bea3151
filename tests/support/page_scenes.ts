/** What daemons of scenes tell: as many peers and transfers as wanted, with names as wanted. */
import type { OutputOf } from "../../src/client/mod.ts";
import type { SceneAnswers } from "./page_scene.ts";

type Answer<Name> = OutputOf<"query", Name>;

/** How large a scene is. */
export interface SceneInit {
  /** @default {12} */
  peers?: number;
  /** @default {3} */
  transfers?: number;
  /** Stands in every text that strangers can choose. @default {""} */
  text?: string;
}

const TIME = "2026-01-02T03:04:05.000Z";
const COUNTRIES = ["CH", "JP", "BR", "KE", "NZ"] as const;
/** The daemon of the scene. */
export const SCENE_ID = "12D3KooWSceneSceneSceneSceneSceneSceneSceneSceneSelf";

/** Id of a peer of the scene. */
export function scenePeer(index: number): string {
  return `12D3KooW${String(index).padStart(4, "0").repeat(11)}`;
}

/** The answers of one scene; figures differ each time they are asked. */
export function sceneAnswers(init: SceneInit = {}): SceneAnswers {
  const { peers = 12, transfers = 3, text = "" } = init;
  const ids = Array.from({ length: peers }, (_, index) => scenePeer(index));
  return {
    ...machineAnswers(text),
    ...ruleAnswers(text),
    ...trustAnswers(ids, text),
    "network.peers": () => peersAnswer(ids, text),
    "network.links": () => linksAnswer(ids),
    "network.peer": peerAnswer(ids[0] ?? SCENE_ID),
    "network.why": whyAnswer(ids[0] ?? SCENE_ID, text),
    "network.throughput": () => throughputAnswer(),
    "library.items": itemsAnswer(transfers, text),
    "library.transfers": () => transfersAnswer(ids, transfers, text),
  };
}

function machineAnswers(text: string): SceneAnswers {
  const status: Answer<"core.status"> = {
    status: "degraded",
    version: "2026.1.1",
    grpc_addr: "127.0.0.1:1",
    rest_addr: "127.0.0.1:2",
    peer_id: SCENE_ID,
    uptime_s: 4_000,
    instance: "",
    pid: 7,
    data_dir: "/home/ada/.almena",
    grpc_addrs: ["127.0.0.1:1"],
    p2p_addrs: ["/ip4/192.168.1.5/tcp/4001", "/ip4/8.8.8.8/tcp/4001"],
    control_addr: "/home/ada/.almena/daemon/daemon.sock",
    health: [],
    counters: {},
  };
  const health: Answer<"core.health"> = {
    state: "degraded",
    entries: [
      { component: "grpc", state: "ok", problem: "", remedy: "" },
      { component: "swarm", state: "failing", problem: `deaf ${text}`, remedy: `restart ${text}` },
      { component: "disk", state: "warning", problem: "it is nearly full", remedy: "make room" },
    ],
  };
  const reach: Answer<"network.status"> = {
    ...{ peer_id: SCENE_ID, addresses: [], peers: 1, connected_peers: 1, relayed_peers: 0 },
    ...{ reachability: "private", relay_addresses: [], is_relay: false, is_serving: true },
  };
  return {
    "core.status": status,
    "core.health": health,
    "core.version": { version: "2026.1.1", commit: "c", build_time: TIME, runtime: "deno 2.9.3" },
    "network.status": reach,
    "events.types": { types: [{ name: "DeviceConnected", fields: [] }] },
  };
}

function ruleAnswers(text: string): SceneAnswers {
  const webhook: Answer<"webhook.stats"> = {
    ...{ url: "https://hooks.example", dropped: 1, circuit_skips: 0, delivered: 41, failed: 2 },
    ...{ queued: 3, is_paused: false },
    last_delivery: { time: TIME, event: "peer.connected", status: 200, ms: 12 },
    last_error: { time: TIME, event: "peer.connected", reason: `refused ${text}` },
  };
  const shadow: Answer<"policy.shadow"> = {
    policies: [{ network: 0, allowed: 5, would_deny: 2 }],
    verdicts: [{
      ...{ time: TIME, network: 0, event: "connect", port: 80, peer_id: scenePeer(0) },
      ...{ rule: `no web ${text}`, reason: text, count: 2 },
    }],
  };
  const plugin = { name: `log ${text}`, origin: "file" as const, state: "refused" as const };
  return {
    "webhook.stats": webhook,
    "policy.list": { policies: [{ network: 0, mode: "shadow", rules: 2, allowed: 5, denied: 2 }] },
    "policy.shadow": shadow,
    "plugins.list": {
      plugins: [{
        ...plugin,
        is_healthy: false,
        failures: 2,
        problem: `bad ${text}`,
        services: [],
      }],
      ports: [444],
    },
  };
}

function trustAnswers(ids: readonly string[], text: string): SceneAnswers {
  const request = (peer: string, state: "new" | "later") => ({
    ...{ peer_id: peer, node_id: 1, public_key: "k", received_at: TIME, state },
    justification: `Ada's laptop ${text}`,
    name: `0:0000.ABCD.0001`,
    words: ["awake", "critic", "despair", "seminar", "critic", "domain"],
  });
  const pending: Answer<"trust.pending"> = {
    requests: ids.slice(0, 3).map((peer, index) => request(peer, index === 2 ? "later" : "new")),
    new_requests: Math.min(2, ids.length),
  };
  const trusted: Answer<"trust.list"> = {
    peers: ids.slice(0, 20).map((peer) => ({
      ...{
        peer_id: peer,
        node_id: 1,
        public_key: "k",
        approved_at: TIME,
        mutual: true,
        network: 0,
      },
    })),
    outgoing: [{ peer_id: scenePeer(1), sent_at: TIME, until: TIME }],
  };
  const invite: Answer<"trust.invite"> = {
    ...{ ticket: "ALMENA:ABCDEFGH", peer_id: SCENE_ID, addresses: [], qr: "" },
  };
  return { "trust.pending": pending, "trust.list": trusted, "trust.invite": invite };
}

function peersAnswer(ids: readonly string[], text: string): Answer<"network.peers"> {
  const self = { is_internal: true, is_connected: true, is_self: true };
  return {
    peers: [
      { peer_id: SCENE_ID, addresses: [], ...self },
      ...ids.map((id, index) => ({
        ...{ peer_id: id, is_internal: index % 3 === 0, is_connected: index % 7 !== 6 },
        addresses: [`/ip4/10.0.${index >> 8}.${index & 255}/tcp/4001`],
        is_self: false,
        geo: {
          ...{ ip: "8.8.8.8", city: `Bern ${text}`, region: "", country_name: text, timezone: "" },
          ...{ country_code: COUNTRIES[index % COUNTRIES.length] ?? "", latitude: 0, longitude: 0 },
        },
      })),
    ],
  };
}

function linksAnswer(ids: readonly string[]): Answer<"network.links"> {
  return {
    links: ids.map((id, index) => ({
      ...{ peer_id: id, direction: "in" as const, is_relayed: index % 5 === 4, connections: 1 },
      ...{ is_internal: index % 3 === 0, address: "/ip4/10.0.0.1/tcp/1", connected_at_ms: 1 },
      latency_ms: Math.random() * 300,
      ...{ in_bytes: 1, out_bytes: 1 },
      in_bytes_per_second: Math.random() * 10 ** (index % 8),
      out_bytes_per_second: Math.random() * 1_000,
    })),
  };
}

function peerAnswer(id: string): Answer<"network.peer"> {
  const words = ["awake", "critic", "despair", "seminar", "critic", "domain"];
  const flags = { is_internal: true, is_connected: true, is_self: false };
  const peer = { peer_id: id, addresses: [], ...flags };
  return { peer, name: "0:0000.ABCD.0001", words, trust: "none" };
}

function whyAnswer(id: string, text: string): Answer<"network.why"> {
  return {
    ...{ peer_id: id, state: "waiting", summary: `Three dials failed ${text}` },
    ...{ remedy: `Start it ${text}`, next_try_in_ms: 9_000 },
    history: [{
      ...{ time: TIME, last_time: TIME, count: 3, event: "dialled", ok: false },
      ...{ addresses: ["/ip4/10.0.0.1/tcp/1"], reason: text, words: `3 dials failed: ${text}` },
    }],
  };
}

function throughputAnswer(): Answer<"network.throughput"> {
  const now = Math.floor(Date.now() / 1_000) * 1_000;
  return {
    step_ms: 1_000,
    points: Array.from({ length: 300 }, (_, index) => ({
      time_ms: now - (299 - index) * 1_000,
      in_bytes: Math.round(2e6 * (1.2 + Math.sin((now / 1_000 + index) / 9))),
      out_bytes: Math.round(6e5 * (1.5 + Math.cos((now / 1_000 + index) / 14))),
    })),
  };
}

function itemsAnswer(transfers: number, text: string): Answer<"library.items"> {
  const item = (id: string, state: Partial<Answer<"library.items">["items"][number]>) => ({
    ...{ id, name: `${id} ${text}`, version: "7", size: 12_345_678_901, peers: 2 },
    ...{ downloaded: false, installed: false, can_update: false, ...state },
  });
  const left = { count: 2, files: [{ path: `link ${text}`, reason: "a symbolic link" }] };
  const here = { installed: true, downloaded: true, local_version: "6", not_shared: left };
  return {
    ...{ dir: "/home/ada/library", peers: 4 },
    items: [
      item("atlas", { ...here, can_update: true }),
      item("blocked", { downloaded: true, problem: `The log cannot be read ${text}` }),
      item("winter", {}),
      ...Array.from(
        { length: transfers },
        (_, n) => item(`item-${n}`, { activity: "downloading" }),
      ),
    ],
  };
}

function transfersAnswer(
  ids: readonly string[],
  count: number,
  text: string,
): Answer<"library.transfers"> {
  const from = ids.slice(0, 6).map((peer_id) => ({
    ...{ peer_id, bytes_per_second: 1e6, chunks: Math.floor(Math.random() * 90), streams: 2 },
    ...{ status: "Fetching" as const, is_partial: false },
  }));
  const runs = (done: number) => [
    ...Array.from({ length: 60 }, (_, index) => ({
      ...{ cells: 8, state: index * 8 < done ? "Done" as const : "Missing" as const },
      ...(index * 8 < done ? { peer: index % from.length } : {}),
    })),
  ];
  return {
    more: 0,
    transfers: Array.from({ length: count }, (_, index) => {
      const done = Math.floor((Date.now() / 100 + index * 37) % 480);
      return {
        ...{ id: `item-${index}`, version: "7", chunk_bytes: 4_194_304, chunks_total: 480 },
        status: index % 9 === 8 ? "Waiting" as const : "Running" as const,
        ...{ bytes_total: 480 * 4_194_304, bytes_done: done * 4_194_304, chunks_done: done },
        ...{ bytes_per_second: 31_000_000, seconds_left: 42, peers: from },
        map: { cell_chunks: 1, runs: runs(done) },
        ...(index % 9 === 8 ? { problem: `no peer has it ${text}` } : {}),
      };
    }),
  };
}
