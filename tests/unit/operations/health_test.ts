import assert from "node:assert/strict";
import { Health } from "../../../src/core/mod.ts";
import type { Components } from "../../../src/operations/mod.ts";
import { health } from "../../../src/operations/health.ts";

type Uses = Parameters<typeof health.run>[1];

function run(change: {
  plugins?: object[];
  webhook?: object;
  addresses?: string[];
  failing?: boolean;
} = {}) {
  const parts = new Health(["rest", "swarm"]);
  parts.serving("rest");
  parts.serving("swarm");
  if (change.failing) parts.failing("swarm", "it is deaf", "restart it");
  const components = {
    health: parts,
    daemon: { p2pAddresses: () => change.addresses ?? ["/ip4/192.168.1.2/tcp/1"] },
    plugins: {
      list: () => change.plugins ?? [],
      services: { find: () => change.webhook && { stats: () => change.webhook } },
    },
  } as unknown as Components;
  const { signal } = new AbortController();
  return health.run({}, components as Uses, { signal }) as {
    state: string;
    entries: { component: string; state: string; problem: string; remedy: string }[];
  };
}

Deno.test("core.health is ok when everything is, and names the worst otherwise", () => {
  assert.deepEqual(run(), {
    state: "ok",
    entries: ["rest", "swarm"].map((component) => ({
      ...{ component, state: "ok", problem: "", remedy: "" },
    })),
  });
  const plugin = { name: "p", isHealthy: false, state: "loaded", failures: 3, problem: "boom" };
  const webhook = { isPaused: true, lastError: { reason: "the receiver answered 500" } };
  const mild = run({ plugins: [plugin], webhook, addresses: ["/ip4/127.0.0.1/tcp/1"] });
  assert.equal(mild.state, "warning");
  const warnings = mild.entries.filter(({ state }) => state === "warning");
  assert.deepEqual(warnings.map(({ component }) => component), [
    ...["plugin p", "webhook", "addresses"],
  ]);
  for (const { problem, remedy } of warnings) assert.ok(problem && remedy);
  assert.match(warnings[1]?.problem ?? "", /answered 500/);
  const bad = run({ failing: true, plugins: [plugin] });
  assert.equal(bad.state, "degraded");
  assert.deepEqual(bad.entries[1], {
    ...{ component: "swarm", state: "failing", problem: "it is deaf", remedy: "restart it" },
  });
});
