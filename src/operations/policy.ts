import * as z from "zod";
import { action, DaemonError, once, query } from "../core/mod.ts";
import type { Components } from "./components.ts";
import { refOf } from "./trust.ts";

type Parts = Pick<Components, "plugins">;

const Network = once(() =>
  z.coerce.number().int().min(0).max(65_535).default(0)
    .describe("network id; 0 concerns every peer")
);
const Anything = once(() => z.record(z.string(), z.unknown()));

/** Running policies. */
export const listPolicies = query({
  name: "policy.list",
  summary: "Running policies, with what they allowed and denied",
  input: () => z.strictObject({}),
  output: () => z.object({ policies: z.array(Anything()) }),
  run: (_input, { plugins }: Parts) => ({
    policies: (plugins.services.find("policy")?.all() ?? []).map((runner) => ({
      ...runner.status(),
    })),
  }),
});

/** The text of a policy. */
export const showPolicy = query({
  name: "policy.show",
  summary: "The document of a running policy",
  positional: ["network"],
  input: () => z.strictObject({ network: Network() }),
  output: () => z.object({ network: z.number(), policy: z.string() }),
  run: ({ network }, { plugins }: Parts) => ({
    network,
    policy: runnerOf(plugins, network).policyJSON(),
  }),
});

/** Starts or replaces a policy. */
export const startPolicy = action({
  name: "policy.start",
  summary: "Run a policy for a network; one that does not compile replaces nothing",
  positional: ["policy"],
  input: () =>
    z.strictObject({
      network: Network(),
      policy: z.union([z.string().max(262_144), Anything()]).describe(
        "the document, or its JSON text",
      ),
      shadow: z.boolean().default(false).describe("deny nothing, and log what would be denied"),
    }),
  output: () => z.object({ network: z.number(), shadow: z.boolean(), rules: z.number() }),
  run: async ({ network, policy, shadow }, { plugins }: Parts) => {
    const manager = plugins.services.need("policy");
    const text = typeof policy === "string" ? policy : JSON.stringify(policy);
    if (shadow && !manager.startShadow) throw unsupported("shadow mode");
    const runner = shadow
      ? await manager.startShadow?.(network, text)
      : await manager.start(network, text);
    return { network, shadow, rules: Number(runner?.status()["rules"] ?? 0) };
  },
});

/** Ends a policy. */
export const stopPolicy = action({
  name: "policy.stop",
  summary: "End the policy of a network, and forget it",
  positional: ["network"],
  input: () => z.strictObject({ network: Network(), shadow: z.boolean().default(false) }),
  output: () => z.object({ network: z.number(), shadow: z.boolean() }),
  run: async ({ network, shadow }, { plugins }: Parts) => {
    const manager = plugins.services.need("policy");
    if (shadow) await manager.stopShadow?.(network);
    else await manager.stop(network);
    return { network, shadow };
  },
});

/** Why a verdict is what it is. */
export const explainPolicy = query({
  name: "policy.explain",
  summary: "Whether a peer may use a port, by which rule, and the values behind it",
  positional: ["peer", "port"],
  input: () =>
    z.strictObject({
      peer: z.string().min(1).max(128),
      port: z.coerce.number().int().min(0).max(65_535),
      event: z.enum(["connect", "dial", "datagram"]).default("connect"),
      size: z.coerce.number().int().min(0).default(0),
      direction: z.enum(["in", "out"]).default("in"),
    }),
  output: () =>
    z.object({
      peer_id: z.string(),
      allowed: z.boolean(),
      policies: z.array(z.object({
        network: z.number(),
        shadow: z.boolean(),
        allowed: z.boolean(),
        rule: z.string(),
        match: z.string(),
        reason: z.string(),
        values: Anything(),
      })),
    }),
  run: ({ peer, ...question }, { plugins }: Parts) => {
    const manager = plugins.services.need("policy");
    const peerId = plugins.names.resolve(refOf(peer));
    if (!manager.explain) throw unsupported("explanations");
    const policies = manager.explain({ ...question, peerId }).map(({ isShadow, ...rest }) => ({
      ...rest,
      shadow: isShadow,
      values: { ...rest.values },
    }));
    const allowed = policies.every((policy) => policy.allowed || policy.shadow);
    return { peer_id: peerId, allowed, policies };
  },
});

/** What policies in shadow mode would have denied. */
export const shadowVerdicts = query({
  name: "policy.shadow",
  summary: "What policies in shadow mode would have denied lately, newest first",
  positional: ["network"],
  input: () => z.strictObject({ network: z.coerce.number().int().min(0).max(65_535).optional() }),
  output: () =>
    z.object({
      verdicts: z.array(z.object({
        time: z.string().describe("The last time"),
        network: z.number(),
        event: z.string(),
        port: z.number(),
        peer_id: z.string(),
        rule: z.string().describe("Empty for the default"),
        reason: z.string(),
        count: z.number(),
      })),
      policies: z.array(z.object({
        network: z.number(),
        allowed: z.number(),
        would_deny: z.number(),
      })),
    }),
  run: ({ network }, { plugins }: Parts) => {
    const manager = plugins.services.find("policy");
    const isMeant = (one: { network: number }) => network === undefined || one.network === network;
    return {
      verdicts: (manager?.shadowVerdicts?.() ?? []).filter(isMeant)
        .map(({ peerId, ...rest }) => ({ ...rest, peer_id: peerId })),
      policies: (manager?.all() ?? []).map((runner) => runner.status())
        .filter(({ mode }) => mode === "shadow")
        .map(({ network, allowed, denied }) => ({
          network: Number(network),
          allowed: Number(allowed),
          would_deny: Number(denied),
        })).filter(isMeant),
    };
  },
});

/** Runs a cycle now. */
export const cyclePolicy = action({
  name: "policy.cycle",
  summary: "Run the cycle rules of a policy now",
  positional: ["network"],
  input: () => z.strictObject({ network: Network() }),
  output: Anything,
  run: ({ network }, { plugins }: Parts) => ({ ...runnerOf(plugins, network).forceCycle() }),
});

/** Members as a policy sees them. */
export const policyPeers = query({
  name: "policy.peers",
  summary: "The members a policy is about, oldest first",
  positional: ["network"],
  input: () => z.strictObject({ network: Network() }),
  output: () => z.object({ peers: z.array(Anything()) }),
  run: ({ network }, { plugins }: Parts) => ({
    peers: runnerOf(plugins, network).peerList().map((peer) => ({ ...peer })),
  }),
});

function runnerOf(plugins: Components["plugins"], network: number) {
  const runner = plugins.services.need("policy").get(network);
  if (runner) return runner;
  throw new DaemonError("not_found", `Cannot find a policy of network ${network}: none runs`);
}

function unsupported(what: string): DaemonError {
  return new DaemonError("unimplemented", `Cannot give ${what}: the policy plugin has none`);
}
