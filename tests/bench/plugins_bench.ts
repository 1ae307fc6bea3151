/**
 * Plugins' figures: a publisher with 100 subscribers of whom one stands still, verdicts a second of a
 * policy with 50 rules, and a trust handshake from request to mutual trust over loopback.
 */
import process from "node:process";
import { EventBus } from "../../src/core/mod.ts";
import { PluginNode } from "../support/plugin_node.ts";
import { waitFor } from "../support/wait.ts";
import { median, percentile, printReport } from "./report.ts";

const ROUNDS = Number(process.env["ALMENAD_BENCH_ROUNDS"] ?? 20);
const EVENTS = 20_000;
const SUBSCRIBERS = 100;
const RULES = 50;
const VERDICTS = 20_000;

async function measurePublish() {
  const bus = new EventBus(() => "12D3KooWbench");
  const subscriptions = Array.from({ length: SUBSCRIBERS }, () => bus.subscribe("bench.*"));
  const [still, ...readers] = subscriptions;
  const reading = readers.map(async (reader) => {
    for await (const _ of reader);
  });
  const times: number[] = [];
  for (let n = 0; n < EVENTS; n++) {
    const begun = performance.now();
    bus.publishOpen("bench.event", { n, text: "some words" });
    times.push(performance.now() - begun);
    if (n % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  }
  for (const subscription of subscriptions) subscription.cancel();
  await Promise.all(reading);
  return { times, dropped: still?.dropped ?? 0 };
}

async function measureVerdicts(): Promise<number[]> {
  await using node = await PluginNode.start();
  const rules = Array.from({ length: RULES }, (_, n) => ({
    name: `rule ${n}`,
    on: "connect",
    match: `port == ${n} and has_tag(peer_tags, 'tag${n}') or peer_age_s > duration('${
      n + 1000
    }h')`,
    actions: [{ type: n % 2 ? "allow" : "deny" }],
  }));
  const policy = JSON.stringify({ version: 1, rules });
  const runner = await node.host.services.need("policy").start(0, policy);
  const tags = ["web", "eu", "home"];
  const rates: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const begun = process.cpuUsage();
    for (let n = 0; n < VERDICTS; n++) {
      runner.evaluatePortGate("connect", 1_000 + n % 64, node.peerId, 0, "in", tags, tags);
    }
    const { user, system } = process.cpuUsage(begun); // what neighbours take counts for nothing
    rates.push(VERDICTS / (user + system) * 1_000_000);
  }
  return rates;
}

async function measureHandshake(): Promise<{ times: number[]; cpu: number[] }> {
  const times: number[] = [];
  const cpu: number[] = [];
  await using bob = await PluginNode.start({ trustAutoApprove: true });
  for (let round = 0; round < ROUNDS; round++) {
    await using ada = await PluginNode.start();
    await ada.connect(bob);
    const [begun, used] = [performance.now(), process.cpuUsage()];
    await ada.trust.sendRequest(bob.peerId, "bench");
    await ada.trust.waitForTrust(bob.peerId, 5_000);
    await waitForMutual(bob, ada.peerId);
    times.push(performance.now() - begun);
    const { user, system } = process.cpuUsage(used);
    cpu.push((user + system) / 1_000);
  }
  return { times, cpu };
}

async function waitForMutual(node: PluginNode, peerId: string): Promise<void> {
  const isMutual = () =>
    node.trust.trustedPeers().some((record) => record.peerId === peerId && record.mutual);
  const ends = performance.now() + 5_000;
  while (!isMutual()) {
    if (performance.now() > ends) await waitFor("mutual trust", isMutual, 0);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

async function main(): Promise<void> {
  const { times, dropped } = await measurePublish();
  const rates = await measureVerdicts();
  const { times: handshakes, cpu } = await measureHandshake();
  printReport("Plugins", [
    { figure: `publish, ${SUBSCRIBERS} subscribers, p50 ms`, measured: percentile(times, 0.5) },
    { figure: "publish, p99 ms", measured: percentile(times, 0.99), promised: 1 },
    { figure: "events the stalled one lost", measured: dropped },
    { figure: `verdicts a CPU second, ${RULES} rules`, measured: median(rates), promised: 50_000 },
    { figure: "handshake to mutual trust, p50 ms", measured: median(handshakes), promised: 50 },
    { figure: "handshake, p90 ms", measured: percentile(handshakes, 0.9) },
    { figure: "handshake, CPU ms of both sides, p50", measured: median(cpu) },
  ], ["Promised: publish and handshake at most, verdicts at least."]);
  process.exit(0);
}

await main();
