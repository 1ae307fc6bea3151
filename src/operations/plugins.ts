import * as z from "zod";
import { action, DaemonError, query } from "../core/mod.ts";
import type { WebhookStats } from "../plugins/mod.ts";
import type { Components } from "./components.ts";

type Parts = Pick<Components, "plugins">;

/** Plugins and how they fare. */
export const listPlugins = query({
  name: "plugins.list",
  summary: "Plugins, how they fare, what they offer, and the ports they hold",
  input: () => z.strictObject({}),
  output: () =>
    z.object({
      plugins: z.array(z.object({
        name: z.string(),
        origin: z.enum(["builtin", "file"]),
        state: z.enum(["loaded", "refused", "stopped"]),
        is_healthy: z.boolean(),
        failures: z.number(),
        problem: z.string(),
        services: z.array(z.string()),
      })),
      ports: z.array(z.number()),
    }),
  run: (_input, { plugins }: Parts) => ({
    plugins: plugins.list().map(({ isHealthy, services, ...plugin }) => ({
      ...plugin,
      is_healthy: isHealthy,
      services: [...services],
    })),
    ports: plugins.ports.list(),
  }),
});

/** What became of events that go to the webhook. */
export const webhookStats = query({
  name: "webhook.stats",
  summary: "Where events go by HTTP, and what became of them since start",
  input: () => z.strictObject({}),
  output: () =>
    z.looseObject({
      url: z.string().describe("without what stands behind its host; empty when off"),
      dropped: z.number(),
      circuit_skips: z.number(),
      delivered: z.number(),
      failed: z.number(),
      queued: z.number(),
      is_paused: z.boolean().describe("Whether events are skipped, because the receiver fails"),
      last_delivery: z.object({
        time: z.string(),
        event: z.string(),
        status: z.number(),
        ms: z.number(),
      }).optional(),
      last_error: z.object({ time: z.string(), event: z.string(), reason: z.string() }).optional(),
    }),
  run: (_input, { plugins }: Parts) => {
    const manager = plugins.services.find("webhook");
    const off: WebhookStats = { dropped: 0, circuitSkips: 0 };
    const { dropped, circuitSkips, ...stats } = manager?.stats() ?? off;
    const url = manager?.url?.() ?? "";
    // Receivers often carry their word in the path, and queries need no token.
    return {
      ...{ url: url && new URL(url).origin, dropped, circuit_skips: circuitSkips },
      delivered: stats.delivered ?? 0,
      failed: stats.failed ?? 0,
      queued: stats.queued ?? 0,
      is_paused: stats.isPaused ?? false,
      ...(stats.lastDelivery ? { last_delivery: { ...stats.lastDelivery } } : {}),
      ...(stats.lastError ? { last_error: { ...stats.lastError } } : {}),
    };
  },
});

/** Tries the webhook. */
export const testWebhook = action({
  name: "webhook.test",
  summary: "Send one event to the webhook now, and tell what came of it",
  input: () => z.strictObject({}),
  output: () =>
    z.object({
      ok: z.boolean(),
      status: z.number().optional().describe("HTTP status, if the receiver answered"),
      ms: z.number(),
      error: z.string(),
    }),
  run: async (_input, { plugins }: Parts) => {
    const manager = plugins.services.need("webhook");
    if (manager.test) return await manager.test();
    throw new DaemonError("unimplemented", "Cannot test the webhook: its plugin has no test");
  },
});

/** Sends events elsewhere. */
export const setWebhook = action({
  name: "webhook.set",
  summary: "Send every event to a URL from now on; an empty one turns it off",
  positional: ["url"],
  input: () => z.strictObject({ url: z.string().max(2_048) }),
  output: () => z.object({ enabled: z.boolean() }),
  run: async ({ url }, { plugins }: Parts) => {
    await plugins.services.need("webhook").setURL(url);
    return { enabled: url !== "" };
  },
});
