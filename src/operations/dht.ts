import { peerIdFromString } from "@libp2p/peer-id";
import { CID } from "multiformats/cid";
import { Buffer } from "node:buffer";
import * as z from "zod";
import { action, DaemonError, once, query } from "../core/mod.ts";
import type { Dht } from "../network/mod.ts";
import type { Components } from "./components.ts";

type Uses = Pick<Components, "dht">;

const Seconds = once(() => z.number().positive().max(3_600).default(60));
const Key = once(() => z.string().min(1).max(4_096).describe("Such as /my-namespace/my-key"));
const Found = once(() => z.object({ peer_id: z.string(), addresses: z.array(z.string()) }));
/** Most providers asked for. */
const MAX_COUNT = 100;

function running(dht: Uses["dht"]): Dht {
  const part = dht();
  if (part) return part;
  const remedy = 'set dht = "server" in config.toml, or start with --p2pd-listen';
  throw new DaemonError("failed_precondition", `Cannot use the DHT: it is off; ${remedy}`);
}

function within(seconds: number, signal: AbortSignal): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(seconds * 1_000)]);
}

function cidOf(text: string): CID {
  try {
    return CID.parse(text);
  } catch (cause) {
    throw new DaemonError("invalid_argument", `Cannot read the content id ${text}`, { cause });
  }
}

/** Stores a value in the DHT. */
export const dhtPut = action({
  name: "dht.put",
  summary: "Store a value in the DHT, here and at the peers closest to its key",
  positional: ["key", "value"],
  input: () =>
    z.strictObject({
      key: Key(),
      value: z.string().max(1_500_000).describe("Text, or base64 with base64: true"),
      base64: z.boolean().default(false),
      timeout_s: Seconds(),
    }),
  output: () => z.object({ key: z.string(), bytes: z.number() }),
  run: async ({ key, value, base64, timeout_s }, { dht }: Uses, { signal }) => {
    const bytes = Buffer.from(value, base64 ? "base64" : "utf8");
    await running(dht).putValue(Buffer.from(key), bytes, within(timeout_s, signal));
    return { key, bytes: bytes.length };
  },
});

/** Finds a value in the DHT. */
export const dhtGet = query({
  name: "dht.get",
  summary: "The best value of a key in the DHT",
  positional: ["key"],
  input: () => z.strictObject({ key: Key(), timeout_s: Seconds() }),
  output: () => z.object({ key: z.string(), value: z.string(), base64: z.string() }),
  run: async ({ key, timeout_s }, { dht }: Uses, { signal }) => {
    const found = await running(dht).getValue(Buffer.from(key), within(timeout_s, signal));
    if (!found) throw new DaemonError("not_found", `Cannot find ${key} in the DHT`);
    const bytes = Buffer.from(found);
    return { key, value: bytes.toString("utf8"), base64: bytes.toString("base64") };
  },
});

/** Finds a peer by the DHT. */
export const dhtFindPeer = query({
  name: "dht.find_peer",
  summary: "Where a peer is, by the DHT",
  positional: ["peer_id"],
  input: () => z.strictObject({ peer_id: z.string().max(128), timeout_s: Seconds() }),
  output: Found,
  run: async ({ peer_id, timeout_s }, { dht }: Uses, { signal }) => {
    const found = await running(dht).findPeer(
      peerIdFromString(peer_id),
      within(timeout_s, signal),
    );
    if (!found) throw new DaemonError("not_found", `Cannot find peer ${peer_id} by the DHT`);
    return { peer_id, addresses: found.multiaddrs.map(String) };
  },
});

/** Announces content. */
export const dhtProvide = action({
  name: "dht.provide",
  summary: "Tell the DHT that this daemon has some content",
  positional: ["cid"],
  input: () => z.strictObject({ cid: z.string().max(256), timeout_s: Seconds() }),
  output: () => z.object({ cid: z.string() }),
  run: async ({ cid, timeout_s }, { dht }: Uses, { signal }) => {
    await running(dht).provide(cidOf(cid), within(timeout_s, signal));
    return { cid };
  },
});

/** Finds who has content. */
export const dhtFindProviders = query({
  name: "dht.find_providers",
  summary: "Peers that have some content, by the DHT",
  positional: ["cid"],
  input: () =>
    z.strictObject({
      cid: z.string().max(256),
      count: z.number().int().min(1).max(MAX_COUNT).default(20),
      timeout_s: Seconds(),
    }),
  output: () => z.object({ providers: z.array(Found()) }),
  run: async ({ cid, count, timeout_s }, { dht }: Uses, { signal }) => {
    const providers: z.input<ReturnType<typeof Found>>[] = [];
    const deadline = within(timeout_s, signal);
    for await (const peer of running(dht).findProviders(cidOf(cid), count, deadline)) {
      providers.push({ peer_id: peer.id.toString(), addresses: peer.multiaddrs.map(String) });
    }
    return { providers };
  },
});
