import * as z from "zod";
import { once, query } from "../core/mod.ts";
import type { Components } from "./components.ts";

type Uses = Pick<Components, "health" | "plugins" | "daemon">;

const Entry = once(() =>
  z.object({
    component: z.string(),
    state: z.enum(["ok", "warning", "failing"]),
    problem: z.string().describe("Empty when all is well"),
    remedy: z.string().describe("What to do about it"),
  })
);
type EntryOutput = z.input<ReturnType<typeof Entry>>;

/** What works, what does not, and what to do. */
export const health = query({
  name: "core.health",
  summary: "What works and what does not, each with what to do about it",
  input: () => z.strictObject({}),
  output: () =>
    z.object({
      state: z.enum(["ok", "warning", "degraded"])
        .describe("degraded: a part that others rely on fails; warning: something less"),
      entries: z.array(Entry()),
    }),
  run: (_input, components: Uses) => {
    const entries = [
      ...components.health.list().map((entry): EntryOutput => ({
        component: entry.component,
        state: entry.serving ? "ok" : "failing",
        problem: entry.problem,
        remedy: entry.remedy,
      })),
      ...pluginEntries(components),
      ...webhookEntries(components),
      ...reachEntries(components),
    ];
    const is = (state: EntryOutput["state"]) => entries.some((entry) => entry.state === state);
    const mild = is("warning") ? "warning" as const : "ok" as const;
    return { state: is("failing") ? "degraded" as const : mild, entries };
  },
});

function pluginEntries({ plugins }: Uses): EntryOutput[] {
  return plugins.list().filter(({ isHealthy, state }) => !isHealthy || state === "refused")
    .map(({ name, problem, failures, state }) => ({
      component: `plugin ${name}`,
      state: "warning",
      problem: state === "refused"
        ? `it was not loaded: ${problem}`
        : `it failed ${failures} times; last: ${problem}`,
      remedy: "look at its lines in the log: almenad logs --target plugins",
    }));
}

function webhookEntries({ plugins }: Uses): EntryOutput[] {
  const stats = plugins.services.find("webhook")?.stats();
  if (!stats?.isPaused) return [];
  return [{
    component: "webhook",
    state: "warning",
    problem: `its receiver failed too often, so events are skipped: ${stats.lastError?.reason}`,
    remedy: "see whether the receiver runs, then: almenad webhook test",
  }];
}

function reachEntries({ daemon, health }: Uses): EntryOutput[] {
  const hasSwarm = health.list().some(({ component }) => component === "swarm");
  if (!hasSwarm || daemon.p2pAddresses().some((one) => !/^\/ip(4\/127\.|6\/::1\/)/.test(one))) {
    return [];
  }
  return [{
    component: "addresses",
    state: "warning",
    problem: "no other machine can reach this one: it has no address but loopback",
    remedy: "connect this machine to a network; see --p2p-listen if it is",
  }];
}
