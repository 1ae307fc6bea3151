/**
 * A process that attacks, or calls honestly, from wherever it is started: commands as JSON lines on
 * stdin, answers on stdout. `attacker_process.ts` is the other end of it.
 */
import { createInterface } from "node:readline";
import process from "node:process";
import { connectAndClose, grpcCycles, peerCycles, restCycles, strangerCycles } from "./cycles.ts";
import { callEveryDoor, type Doors } from "./honest.ts";
import { openHostileStreams } from "./hostile_streams.ts";
import { RawYamux, YAMUX_ATTACKS } from "./hostile_yamux.ts";
import { flood, HTTP2_FLOODS, RAPID_RESETS } from "./http2_floods.ts";
import { http2Input } from "./http2_inputs.ts";
import { httpInput } from "./http_inputs.ts";
import { BusyPeer, connectionsOfOnePeer, manyIdentities, streamsOfOnePeer } from "./loads.ts";
import { type Endpoint, HeldConnections, visit, visitMany } from "./raw_connections.ts";
import { joined, Seeded } from "./seeded.ts";
import { swarmInput } from "./swarm_inputs.ts";

/** Arguments of every command; each uses some of them. */
export interface AttackArguments {
  readonly doors: Doors;
  readonly target: Endpoint;
  readonly address: string;
  readonly name: string;
  readonly text: string;
  readonly count: number;
  readonly atOnce: number;
  readonly perSecond: number;
  readonly lingerMs: number;
  readonly seed: number;
}

type Command = (input: AttackArguments) => Promise<object> | object;

const INPUTS: Readonly<Record<string, (random: Seeded) => Uint8Array>> = {
  swarm: swarmInput,
  http: httpInput,
  http2: http2Input,
};
let held = new HeldConnections();
const busy: BusyPeer[] = [];

const COMMANDS: Readonly<Record<string, Command>> = {
  honest: ({ doors }) => callEveryDoor(doors),
  /** One connection, as told. */
  visit: ({ target, text, lingerMs }) => visit(target, { bytes: joined(text), lingerMs }),
  /** One fetch over HTTP, its whole body. */
  get: async ({ target, name }) => {
    const response = await fetch(`http://${target.host}:${target.port}${name}`);
    return { status: response.status, body: await response.text() };
  },
  /** Hostile connections to one listener. */
  inputs: async ({ target, name, count, atOnce, seed }) => {
    const random = new Seeded(seed);
    const make = INPUTS[name];
    if (!make) throw new TypeError(`no inputs called "${name}"`);
    await visitMany(target, { count, atOnce }, () => ({
      bytes: make(random),
      parts: random.pick([1, 1, 1, 3]),
      lingerMs: random.pick([0, 0, 0, 20]),
    }));
    return { count };
  },
  yamux: async ({ address, name, seed }) => {
    const attack = YAMUX_ATTACKS[name];
    if (!attack) throw new TypeError(`no Yamux attack called "${name}"`);
    await using peer = await RawYamux.dial(address);
    return { count: await attack(peer, new Seeded(seed)), wasOpen: peer.isOpen };
  },
  streams: async ({ address, count, seed }) => ({
    opened: await openHostileStreams(address, count, new Seeded(seed)),
  }),
  flood: async ({ target, name }) => {
    const made = name === "rapidResets" ? RAPID_RESETS : HTTP2_FLOODS[name];
    if (!made) throw new TypeError(`no flood called "${name}"`);
    return { bytes: await flood(target, made) };
  },
  /** Opens connections and keeps them. */
  hold: async ({ target, text, count }) => {
    await Promise.all(Array.from({ length: count }, () => held.add(target, joined(text))));
    return { open: held.openCount, closed: held.closedCount };
  },
  held: () => ({ open: held.openCount, closed: held.closedCount }),
  release: () => {
    held.close();
    held = new HeldConnections();
    return {};
  },
  /** Opens silent connections at a steady rate and keeps them. */
  storm: async ({ target, perSecond, lingerMs }) => {
    const startedAt = performance.now();
    let opened = 0;
    while (performance.now() < startedAt + lingerMs) {
      const due = Math.floor(((performance.now() - startedAt) / 1_000) * perSecond);
      for (; opened < due; opened++) void held.add(target);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return { opened, closed: held.closedCount };
  },
  pause: async ({ lingerMs }) => {
    await new Promise((resolve) => setTimeout(resolve, lingerMs));
    return {};
  },
  connectAndClose: ({ target, count, atOnce }) => connectAndClose(target, count, atOnce),
  grpcCycles: ({ target, count, atOnce }) => grpcCycles(target, count, atOnce),
  restCycles: ({ target, count, atOnce }) => restCycles(target, count, atOnce),
  peerCycles: ({ address, count, atOnce }) => peerCycles(address, count, atOnce),
  strangerCycles: ({ address, count, atOnce }) => strangerCycles(address, count, atOnce),
  connectionsOfOnePeer: ({ address, count }) => connectionsOfOnePeer(address, count),
  streamsOfOnePeer: ({ address, name, count }) => streamsOfOnePeer(address, name, count),
  manyIdentities: ({ address, count }) => manyIdentities(address, count),
  busy: async ({ address, target, count }) => {
    const peer = await BusyPeer.start(address, target, count);
    busy.push(peer);
    return peer.counts();
  },
};

const lines = createInterface({ input: process.stdin });
process.stdout.write(`${JSON.stringify({ event: "ready" })}\n`);
for await (const line of lines) answer(line);
process.exit(0);

async function answer(line: string): Promise<void> {
  const { id, cmd, ...input } = JSON.parse(line) as AttackArguments & { id: number; cmd: string };
  const reply = (fields: object) =>
    void process.stdout.write(`${JSON.stringify({ event: "answer", id, ...fields })}\n`);
  try {
    reply({ result: await COMMANDS[cmd]?.(input as AttackArguments) });
  } catch (failure) {
    reply({ failure: failure instanceof Error ? failure.stack : String(failure) });
  }
}
