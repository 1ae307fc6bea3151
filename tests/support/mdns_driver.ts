/**
 * Runs the discovery alone, for tests in network namespaces: `mdns_driver.ts [multiaddr...]`.
 *
 * The multiaddrs are those announced (default `/ip4/0.0.0.0/tcp/4001` and `/ip6/::/tcp/4001`).
 * Writes one JSON object a line: `ready`, `discovered`, `expired`, `log`, and `status` for each
 * line `status` on standard input; a line `known <peer id>` makes a peer count as connected once.
 * Ends, with a goodbye, on SIGTERM and when standard input ends.
 */
import { generateKeyPair } from "@libp2p/crypto/keys";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { configureSync } from "@logtape/logtape";
import { createInterface } from "node:readline";
import process from "node:process";
import { systemClock, systemRandom } from "../../src/core/mod.ts";
import { MdnsDiscovery } from "../../src/network/mdns.ts";

const startedAt = performance.now();
const tell = (event: string, details: object) => {
  const atMs = Math.round(performance.now() - startedAt);
  process.stdout.write(`${JSON.stringify({ event, atMs, epochMs: Date.now(), ...details })}\n`);
};
configureSync({
  sinks: {
    lines: ({ level, message, properties }) => {
      tell("log", { level, message: message.join(""), properties });
    },
  },
  loggers: [
    { category: "almenad", sinks: ["lines"], lowestLevel: "debug" },
    { category: ["logtape", "meta"], lowestLevel: "error" },
  ],
});

const ownAddresses = process.argv.length > 2
  ? process.argv.slice(2)
  : ["/ip4/0.0.0.0/tcp/4001", "/ip6/::/tcp/4001"];
const peerId = peerIdFromPrivateKey(await generateKeyPair("Ed25519")).toString();
const known = new Set<string>();
const mdns = new MdnsDiscovery({
  clock: systemClock,
  random: systemRandom,
  peerId,
  ownAddresses: () => ownAddresses,
  isKnown: (id) => known.has(id),
  onDiscovered: (peer) => tell("discovered", peer),
  onExpired: (peer) => tell("expired", peer),
});

/** How late a timer of 5 ms fires: what a busy event loop does to everybody. */
const delaysMs: number[] = [];
let expectedAt = performance.now() + 5;
const probe = setInterval(() => {
  const now = performance.now();
  delaysMs.push(Math.max(0, now - expectedAt));
  expectedAt = now + 5;
}, 5);

await mdns.start();
tell("ready", { peerId });
const commands = createInterface({ input: process.stdin });
process.on("SIGTERM", () => commands.close());
for await (const line of commands) {
  const [command, argument] = line.split(" ");
  if (command === "known" && argument) known.add(argument);
  if (command !== "status") continue;
  delaysMs.sort((a, b) => a - b);
  const loopDelayP99Ms = delaysMs[Math.floor(delaysMs.length * 0.99)] ?? 0;
  const loopDelayMaxMs = delaysMs.at(-1) ?? 0;
  delaysMs.length = 0;
  const cpuMs = process.cpuUsage().user / 1_000 + process.cpuUsage().system / 1_000;
  tell("status", { ...mdns.status(), loopDelayP99Ms, loopDelayMaxMs, cpuMs });
}
clearInterval(probe);
await mdns.stop();
tell("stopped", {});
process.exit(0); // standard input may still be open
