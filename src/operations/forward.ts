import { peerIdFromString } from "@libp2p/peer-id";
import * as z from "zod";
import { action, DaemonError, once, query } from "../core/mod.ts";
import type { Components } from "./components.ts";

type Uses = Pick<Components, "forwards" | "links">;

const Service = once(() =>
  z.string().regex(/^[A-Za-z0-9][\w.-]{0,63}$/, {
    error: "expected a name of letters, digits, dots and dashes, at most 64 characters",
  }).describe("Its name, the same on both sides")
);
const Address = once(() => z.string().min(1).max(256));
const Keep = once(() => z.boolean().default(false).describe("Whether it outlives a restart"));
const Allowed = once(() =>
  z.string().max(128).refine(isAllowed, {
    error: 'expected a peer id, "trusted" or "anyone"',
  })
);
const Counts = once(() => ({
  keep: z.boolean(),
  open: z.number().describe("Connections open now"),
  total: z.number(),
  refused: z.number().describe("Who may not, or found no place"),
  failed: z.number().describe("Whose other end was not reached, or that broke"),
}));
const Listening = once(() =>
  z.object({
    service: z.string(),
    target: z.string(),
    allow: z.array(z.string()),
    ...Counts(),
  })
);
const Dialling = once(() =>
  z.object({
    listen: z.string(),
    peer_id: z.string(),
    service: z.string(),
    problem: z.string().describe("Why the last connection failed; empty if it did not"),
    ...Counts(),
  })
);

function isAllowed(who: string): boolean {
  if (who === "trusted" || who === "anyone") return true;
  try {
    return peerIdFromString(who).toString() === who;
  } catch {
    return false;
  }
}

interface Kept {
  readonly isKept: boolean;
}

function wire<T extends Kept>({ isKept, ...rest }: T): Omit<T, "isKept"> & { keep: boolean } {
  return { ...rest, keep: isKept };
}

function listening(status: ReturnType<Uses["forwards"]["list"]>["services"][number]) {
  return { ...wire(status), allow: [...status.allow] };
}

function dialling(status: ReturnType<Uses["forwards"]["list"]>["ports"][number]) {
  const { peerId, address: _address, ...rest } = wire(status);
  return { ...rest, peer_id: peerId };
}

/** Lets peers reach a program here. */
export const forwardListen = action({
  name: "forward.listen",
  summary: "Let trusted peers reach a TCP port that this machine reaches, by a name",
  positional: ["service", "target"],
  input: () =>
    z.strictObject({
      service: Service(),
      target: Address().describe("Port, or host:port"),
      allow: z.array(Allowed()).min(1).max(256).default(["trusted"])
        .describe('Peer ids, "trusted" or "anyone"'),
      keep: Keep(),
    }),
  output: Listening,
  run: async ({ service, target, allow, keep }, { forwards }: Pick<Uses, "forwards">) =>
    listening(await forwards.listen({ service, target, allow, isKept: keep })),
});

/** Opens a port here that leads to a peer. */
export const forwardDial = action({
  name: "forward.dial",
  summary: "Open a TCP port of this machine that leads to a peer's service",
  positional: ["peer", "service", "listen"],
  input: () =>
    z.strictObject({
      peer: z.string().max(1_024).describe("Peer id, or multiaddr such as /ip4/…/tcp/…/p2p/…"),
      service: Service(),
      listen: Address().default("127.0.0.1:0").describe("Port, or host:port; 0 for a free port"),
      keep: Keep(),
    }),
  output: Dialling,
  run: async ({ peer, service, listen, keep }, { forwards, links }: Uses, { signal }) => {
    const isAddress = peer.startsWith("/");
    const peerId = isAddress ? await links.connect(peer, signal) : checkedId(peer);
    const address = isAddress ? peer : "";
    return dialling(await forwards.dial({ peerId, address, service, listen, isKept: keep }));
  },
});

function checkedId(peer: string): string {
  try {
    return peerIdFromString(peer).toString();
  } catch (cause) {
    const expected = "expected a peer id, or a multiaddr such as /ip4/…/tcp/…/p2p/12D3Koo…";
    const message = `Cannot forward to "${peer.slice(0, 200)}": it is no peer id; ${expected}`;
    throw new DaemonError("invalid_argument", message, { cause });
  }
}

/** Everything that is forwarded. */
export const listForwards = query({
  name: "forward.list",
  summary: "Services that peers reach here, and ports here that lead to services of peers",
  input: () => z.strictObject({}),
  output: () => z.object({ listening: z.array(Listening()), dialling: z.array(Dialling()) }),
  run: (_input, { forwards }: Pick<Uses, "forwards">) => {
    const { services, ports } = forwards.list();
    return { listening: services.map(listening), dialling: ports.map(dialling) };
  },
});

/** Ends forwards. */
export const closeForward = action({
  name: "forward.close",
  summary: "End a service or a port and its connections, for good",
  positional: ["name"],
  input: () =>
    z.strictObject({
      name: Address().describe('Name of a service, address of a port, or "all"'),
    }),
  output: () => z.object({ closed: z.array(z.string()) }),
  run: async ({ name }, { forwards }: Pick<Uses, "forwards">) => {
    const closed = await forwards.close(name);
    if (closed.length > 0 || name === "all") return { closed };
    throw new DaemonError(
      "not_found",
      `Cannot close "${name}": there is no such service or port; almenad forward list shows them`,
    );
  },
});
