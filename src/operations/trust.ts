import * as z from "zod";
import { action, once, query, stream } from "../core/mod.ts";
import type { Components } from "./components.ts";
import { fingerprintWords } from "./fingerprint.ts";

type Parts = Pick<Components, "plugins">;

const NoInput = once(() => z.strictObject({}));
/** A peer id, a number or an address, as contract 4.2 lets callers name peers. */
const Peer = once(() =>
  z.string().min(1).max(128)
    .describe("Peer id, node number, or address such as 0:0000.ABCD.1234")
);
const Justification = once(() =>
  z.string().max(4_096).default("").describe("shown to whoever decides")
);
/** Where trust with a peer stands. */
export const TrustState = once(() => z.enum(["none", "outgoing", "pending", "trusted"]));
const TrustOutput = once(() => z.object({ peer_id: z.string(), state: TrustState() }));

/** Peers this daemon trusts. */
export const listTrust = query({
  name: "trust.list",
  summary: "Peers this daemon trusts, and those it asked",
  input: NoInput,
  output: () =>
    z.object({
      peers: z.array(z.object({
        peer_id: z.string(),
        node_id: z.number(),
        public_key: z.string(),
        approved_at: z.string(),
        mutual: z.boolean().describe("whether the peer trusts this daemon too, as far as it said"),
        network: z.number(),
      })),
      outgoing: z.array(z.object({ peer_id: z.string(), sent_at: z.string(), until: z.string() })),
    }),
  run: (_input, { plugins }: Parts) => {
    const service = plugins.services.find("handshake");
    return {
      peers: (service?.trustedPeers() ?? []).map((record) => ({
        peer_id: record.peerId,
        node_id: record.nodeId,
        public_key: record.publicKey,
        approved_at: record.approvedAt,
        mutual: record.mutual,
        network: record.network,
      })),
      outgoing: (service?.outgoingRequests?.() ?? []).map(({ peerId, sentAt, until }) => ({
        peer_id: peerId,
        sent_at: sentAt,
        until,
      })),
    };
  },
});

/** Requests that wait for a person. */
export const pendingTrust = query({
  name: "trust.pending",
  summary: "Peers that ask for trust and wait for a decision",
  input: NoInput,
  output: () =>
    z.object({
      requests: z.array(z.object({
        peer_id: z.string(),
        node_id: z.number(),
        public_key: z.string(),
        justification: z.string(),
        received_at: z.string(),
        name: z.string().describe("Its short address"),
        words: z.array(z.string()).describe("To compare with what the other side reads"),
        state: z.enum(["new", "later", "ignored"]),
        later_until: z.string().optional(),
      })),
      new_requests: z.number().describe("Those that nobody has put aside"),
    }),
  run: async (_input, { plugins }: Parts) => {
    const pending = plugins.services.find("handshake")?.pendingRequests() ?? [];
    const requests = await Promise.all(pending.map(async (record) => ({
      peer_id: record.peerId,
      node_id: record.nodeId,
      public_key: record.publicKey,
      justification: record.justification,
      received_at: record.receivedAt,
      name: plugins.names.nameOf(record.peerId),
      words: await fingerprintWords(record.peerId),
      ...asideOf(record, Date.now()),
    })));
    return { requests, new_requests: requests.filter(({ state }) => state === "new").length };
  },
});

function asideOf(
  { isIgnored, laterUntil }: { isIgnored?: boolean; laterUntil?: string },
  now: number,
): { state: "new" | "later" | "ignored"; later_until?: string } {
  if (isIgnored) return { state: "ignored" };
  if (laterUntil && Date.parse(laterUntil) > now) {
    return { state: "later", later_until: laterUntil };
  }
  return { state: "new" };
}

/** Asks a peer for trust. */
export const requestTrust = action({
  name: "trust.request",
  summary: "Ask a peer for trust; one that asked already is approved by that",
  positional: ["peer", "justification"],
  input: () =>
    z.strictObject({
      peer: z.string().min(1).max(1_024).describe("Peer id, or multiaddr such as /ip4/…/p2p/…"),
      justification: Justification(),
    }),
  output: TrustOutput,
  run: async (
    { peer, justification },
    { plugins, links }: Parts & Pick<Components, "links">,
    { signal },
  ) => {
    const peerId = peer.startsWith("/")
      ? await links.connect(peer, signal)
      : plugins.names.resolve(refOf(peer));
    await plugins.services.need("handshake").sendRequest(peerId, justification);
    return stateOf(plugins, peerId);
  },
});

/** Approves a request. */
export const approveTrust = action({
  name: "trust.approve",
  summary: "Trust a peer that asked; nothing happens when it did not",
  positional: ["peer"],
  input: () => z.strictObject({ peer: Peer() }),
  output: TrustOutput,
  run: async ({ peer }, { plugins }: Parts) => {
    const peerId = plugins.names.resolve(refOf(peer));
    await plugins.services.need("handshake").approveHandshake(peerId);
    return stateOf(plugins, peerId);
  },
});

/** Rejects a request. */
export const rejectTrust = action({
  name: "trust.reject",
  summary: "Decline a peer that asked; it may ask again",
  positional: ["peer", "reason"],
  input: () => z.strictObject({ peer: Peer(), reason: z.string().max(4_096).default("") }),
  output: TrustOutput,
  run: async ({ peer, reason }, { plugins }: Parts) => {
    const peerId = plugins.names.resolve(refOf(peer));
    await plugins.services.need("handshake").rejectHandshake(peerId, reason);
    return stateOf(plugins, peerId);
  },
});

/** Puts a request aside for good. */
export const ignoreTrust = action({
  name: "trust.ignore",
  summary: "Put a request aside for good, without an answer; it can still be approved",
  positional: ["peer"],
  input: () => z.strictObject({ peer: Peer() }),
  output: TrustOutput,
  run: async ({ peer }, { plugins }: Parts) => {
    const peerId = plugins.names.resolve(refOf(peer));
    await plugins.services.need("handshake").putAside?.(peerId);
    return stateOf(plugins, peerId);
  },
});

/** Puts a request aside for a while. */
export const postponeTrust = action({
  name: "trust.later",
  summary: "Put a request aside for some hours, without an answer",
  positional: ["peer", "hours"],
  input: () =>
    z.strictObject({ peer: Peer(), hours: z.coerce.number().min(0).max(720).default(24) }),
  output: TrustOutput,
  run: async ({ peer, hours }, { plugins }: Parts) => {
    const peerId = plugins.names.resolve(refOf(peer));
    await plugins.services.need("handshake").putAside?.(peerId, hours * 3_600_000);
    return stateOf(plugins, peerId);
  },
});

/** Takes trust back. */
export const revokeTrust = action({
  name: "trust.revoke",
  summary: "Take trust back: the peer is told, and every link to it is cut",
  positional: ["peer"],
  input: () => z.strictObject({ peer: Peer() }),
  output: TrustOutput,
  run: async ({ peer }, { plugins }: Parts) => {
    const peerId = plugins.names.resolve(refOf(peer));
    await plugins.services.need("handshake").revokeTrust(peerId);
    return stateOf(plugins, peerId);
  },
});

/** Waits until a peer is trusted. */
export const waitForTrust = query({
  name: "trust.wait",
  summary: "Wait until a peer is trusted, or the time is over",
  positional: ["peer"],
  input: () =>
    z.strictObject({
      peer: Peer(),
      timeout_ms: z.coerce.number().int().min(0).max(25_000).default(20_000)
        .describe("at most 25 s a call; call again to wait longer"),
    }),
  output: () => z.object({ peer_id: z.string(), trusted: z.boolean() }),
  run: async ({ peer, timeout_ms: timeoutMs }, { plugins }: Parts) => {
    const peerId = plugins.names.resolve(refOf(peer));
    const trusted = await plugins.services.need("handshake").waitForTrust(peerId, timeoutMs);
    return { peer_id: peerId, trusted };
  },
});

/** What happens to trust. */
export const trustChanges = stream({
  name: "trust.changes",
  summary: "Requests for trust and what becomes of them, as they happen",
  input: NoInput,
  output: () =>
    z.object({
      event: z.string(),
      peer_id: z.string(),
      time: z.string(),
      data: z.record(z.string(), z.unknown()),
    }),
  run: async function* (_input, { events }: Pick<Components, "events">, { signal }) {
    const subscription = events.subscribe("*");
    const cancel = () => subscription.cancel();
    signal.addEventListener("abort", cancel);
    if (signal.aborted) cancel();
    try {
      for await (const { topic, time, payload } of subscription) {
        if (!topic.startsWith("handshake.") && !topic.startsWith("trust.")) continue;
        const { peerId, ...data } = payload;
        yield { event: topic, peer_id: String(peerId), time, data };
      }
    } finally {
      signal.removeEventListener("abort", cancel);
    }
  },
});

/** A ticket for another machine. */
export const inviteTrust = query({
  name: "trust.invite",
  summary: "A ticket, also as a QR code, that leads another machine to this daemon",
  input: NoInput,
  output: () =>
    z.object({
      ticket: z.string(),
      peer_id: z.string(),
      addresses: z.array(z.string()),
      qr: z.string().describe("the ticket as a QR code of block letters, for a terminal"),
    }),
  run: async (_input, { invitations }: Pick<Components, "invitations">) => {
    const { ticket, peerId, addresses, qr } = await invitations.invite();
    return { ticket, peer_id: peerId, addresses: [...addresses], qr };
  },
});

/** Uses a ticket. */
export const acceptInvite = action({
  name: "trust.accept",
  summary: "Connect to the daemon that a ticket leads to, and ask it for trust",
  positional: ["ticket", "justification"],
  input: () =>
    z.strictObject({ ticket: z.string().min(1).max(1_024), justification: Justification() }),
  output: TrustOutput,
  run: async (
    { ticket, justification },
    { invitations, plugins }: Parts & Pick<Components, "invitations">,
    { signal },
  ) => stateOf(plugins, await invitations.accept(ticket, justification, signal)),
});

/** A number given as text is a node number. */
export function refOf(text: string): string | number {
  return /^\d{1,10}$/.test(text) ? Number(text) : text;
}

/** Where trust with a peer stands now. */
export function stateOf(
  plugins: Components["plugins"],
  peerId: string,
): { peer_id: string; state: z.output<ReturnType<typeof TrustState>> } {
  const service = plugins.services.need("handshake");
  const isIn = (list: readonly { readonly peerId: string }[] | undefined) =>
    list?.some((entry) => entry.peerId === peerId) ?? false;
  const pending = isIn(service.pendingRequests()) ? "pending" : "none";
  const asked = isIn(service.outgoingRequests?.()) ? "outgoing" : pending;
  return { peer_id: peerId, state: service.isTrusted(peerId) ? "trusted" : asked };
}
