/** Every operation through every door that serves it answers the same. */
import { generateKeyPair } from "@libp2p/crypto/keys";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type DefaultServer, startDefaultServer } from "../../src/assembly/default_server.ts";
import type { Operation } from "../../src/core/mod.ts";
import { wireName } from "../../src/core/mod.ts";
import { operations } from "../../src/operations/mod.ts";
import {
  type Answer,
  ControlDoor,
  type Door,
  fieldName,
  GraphqlTestDoor,
  type Input,
  nameOf,
  type OperationFacts,
  RestDoor,
} from "../support/doors.ts";
import { GrpcClient } from "../support/grpc_client.ts";
import { tempFolder } from "../support/temp_folder.ts";
import { waitFor } from "../support/wait.ts";

interface World extends AsyncDisposable {
  readonly server: DefaultServer;
  readonly doors: readonly Door[];
  readonly graphql: GraphqlTestDoor;
  readonly facts: readonly OperationFacts[];
  /** For users' files. */
  readonly files: string;
  /** Peers that ask for trust; each is used once. */
  readonly asking: string[];
  call(name: string, input?: Input): Promise<Record<string, unknown>>;
}

/** How to call one operation. */
interface Example {
  /** What is sent; a number that is new at each call makes names that are free. */
  input(world: World, n: number): Input | Promise<Input>;
  /** What happens once a stream is open, so that it has something to tell. */
  meanwhile?(world: World, n: number): Promise<unknown>;
  /** Fields of the answer that differ from call to call, besides {@link VOLATILE}. */
  readonly varies?: readonly string[];
}

const NONE: Example = { input: () => ({}) };
const CONTENT = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
const PEER = "12D3KooWGRYZDHBembyGJQqMbYDbLAEbkSBFGkLkZpJxSfE5oyjL";

const newLibrary = async ({ call }: World, n: number) =>
  String((await call("libraries.create", { name: `new ${n}` }))["id"]);
const newFolder = async ({ files }: World, n: number) => {
  const path = join(files, `folder-${n}`);
  await mkdir(path);
  return path;
};
const copy = async (world: World, n: number) => {
  const source = join(await newFolder(world, n), "file");
  await writeFile(source, "content");
  const input = { sources: [source], destination: `${source}-copy`, library_id: "default" };
  return String((await world.call("files.copy", input))["job_id"]);
};

/** An item of the shared library, hashed. */
const newItem = async (world: World, n: number) => {
  const folder = await newFolder(world, n);
  await writeFile(join(folder, "file"), "content");
  const { id } = await world.call("library.add", { folder, id: `item-${n}` });
  await world.call("library.scan", { wait: true });
  return String(id);
};
const installedItem = async (world: World, n: number) => {
  const id = await newItem(world, n);
  await world.call("library.install", { id });
  await waitFor("the installed item", async () => {
    const { items } = await world.call("library.items", { id }) as {
      items: { installed: boolean; activity?: string }[];
    };
    return items[0]?.installed && !items[0].activity;
  });
  return id;
};

/** A peer that asks for trust since before the start; each is used up by one call. */
const askingPeer = ({ asking }: World) => asking.pop() ?? assert.fail("too few peers ask");
const trustedPeer = async (world: World) => {
  const peer = askingPeer(world);
  await world.call("trust.approve", { peer });
  return peer;
};
const POLICY = {
  version: 1,
  rules: [{ name: "no web", on: "connect", match: "port == 80", actions: [{ type: "deny" }] }],
};
const newPolicy = async ({ call }: World) =>
  Number((await call("policy.start", { network: 0, policy: POLICY }))["network"]);
const newNetwork = async ({ call }: World, n: number) =>
  Number((await call("network.create", { name: `network ${n}` }))["id"]);

/** By name; an operation without an example fails the test. */
const EXAMPLES: Readonly<Record<string, Example>> = {
  "core.ping": NONE,
  "core.version": NONE,
  "core.system_info": NONE,
  "core.geolocation": NONE,
  "core.status": NONE,
  "core.operations": NONE,
  "events.types": NONE,
  "events.subscriptions": NONE,
  "events": {
    input: () => ({ event_types: ["LibraryCreated"], filter: { resource_type: "any" } }),
    meanwhile: newLibrary,
  },
  "logs": {
    input: () => ({ filter: { level: "info", target: "api" } }),
    meanwhile: newLibrary,
  },
  "network.peers": { input: () => ({ connected: false }) },
  "network.status": NONE,
  "network.connect": { input: () => ({ peer: "/ip4/127.0.0.1/tcp/9" }) },
  "network.disconnect": { input: () => ({ peer_id: "nobody" }) },
  "network.ping": { input: () => ({ peer_id: PEER }) },
  "libraries.list": NONE,
  "libraries.create": { input: (_world, n) => ({ name: `created ${n}` }) },
  "libraries.open": { input: async (world, n) => ({ id: await newLibrary(world, n) }) },
  "libraries.close": { input: async (world, n) => ({ id: await newLibrary(world, n) }) },
  "libraries.delete": { input: async (world, n) => ({ id: await newLibrary(world, n) }) },
  "locations.list": { input: () => ({ library_id: "default" }) },
  "locations.add": { input: async (world, n) => ({ path: await newFolder(world, n) }) },
  "locations.remove": {
    input: async (world, n) => {
      const { id } = await world.call("locations.add", { path: await newFolder(world, n) });
      return { id };
    },
  },
  "files.copy": {
    input: async (world, n) => {
      const folder = await newFolder(world, n);
      await writeFile(join(folder, "file"), "content");
      return {
        library_id: "default",
        sources: [join(folder, "file")],
        destination: join(folder, "copy"),
        method: "Streaming",
      };
    },
  },
  "jobs.list": { input: () => ({ library_id: "none" }) },
  "jobs.cancel": { input: () => ({ job_id: "none" }) },
  "jobs.watch": { input: async (world, n) => ({ job_id: await copy(world, n) }) },
  "instances.list": NONE,
  // Off by default, which every door says in the same words.
  "dht.put": { input: () => ({ key: "/example/key", value: "AAEC", base64: true }) },
  "dht.get": { input: () => ({ key: "/example/key", timeout_s: 5 }) },
  "dht.find_peer": { input: () => ({ peer_id: PEER, timeout_s: 1 }) },
  "dht.provide": { input: () => ({ cid: CONTENT }) },
  "dht.find_providers": { input: () => ({ cid: CONTENT, count: 1, timeout_s: 5 }) },
  "pubsub.publish": { input: () => ({ topic: "example", data: "hello" }) },
  "pubsub.topics": NONE,
  "pubsub.subscribe": { input: () => ({ topic: "example" }) },
  "network.relay_status": NONE,
  "network.relay_reserve": { input: () => ({ relay: `/ip4/127.0.0.1/tcp/9/p2p/${PEER}` }) },
  "network.relay_release": { input: () => ({ relay: PEER }) },
  "forward.list": NONE,
  "forward.listen": {
    input: (_world, n) => ({ service: `service-${n}`, target: "127.0.0.1:9", keep: true }),
    varies: ["service"],
  },
  "forward.dial": { input: () => ({ peer: PEER, service: "web" }), varies: ["listen"] },
  "forward.close": {
    input: async ({ call }, n) => {
      await call("forward.listen", { service: `closed-${n}`, target: "9" });
      return { name: `closed-${n}` };
    },
    varies: ["closed"],
  },
  "trust.list": NONE,
  "trust.pending": NONE,
  "trust.request": { input: () => ({ peer: PEER, justification: "it is me" }) },
  "trust.approve": { input: (world) => ({ peer: askingPeer(world) }), varies: ["peer_id"] },
  "trust.reject": {
    input: (world) => ({ peer: askingPeer(world), reason: "no" }),
    varies: ["peer_id"],
  },
  "trust.revoke": {
    input: async (world) => ({ peer: await trustedPeer(world) }),
    varies: ["peer_id"],
  },
  "trust.wait": { input: () => ({ peer: PEER, timeout_ms: 0 }) },
  "trust.changes": {
    input: () => ({}),
    meanwhile: (world) => world.call("trust.reject", { peer: askingPeer(world) }),
    varies: ["peer_id", "time"],
  },
  "trust.invite": NONE,
  "trust.accept": {
    input: async ({ call }) => ({ ticket: (await call("trust.invite"))["ticket"] }),
  },
  "policy.start": { input: () => ({ network: 0, policy: JSON.stringify(POLICY) }) },
  "policy.list": {
    input: async (world) => {
      await newPolicy(world);
      return {};
    },
    varies: ["started_at"],
  },
  "policy.show": { input: async (world) => ({ network: await newPolicy(world) }) },
  "policy.explain": {
    input: async (world) => {
      await newPolicy(world);
      return { peer: PEER, port: 80 };
    },
  },
  "policy.cycle": { input: async (world) => ({ network: await newPolicy(world) }) },
  "policy.peers": { input: async (world) => ({ network: await newPolicy(world) }) },
  "policy.stop": { input: async (world) => ({ network: await newPolicy(world) }) },
  "network.members": {
    input: async (world, n) => ({ id: await newNetwork(world, n) }),
  },
  "network.create": { input: (_world, n) => ({ name: `created ${n}` }), varies: ["token"] },
  "network.join": {
    input: (_world, n) => ({ id: 60_000 + n, token: "0123456789abcdef", name: "joined" }),
  },
  "network.leave": { input: async (world, n) => ({ id: await newNetwork(world, n) }) },
  "network.tag": {
    input: async (world, n) => ({ id: await newNetwork(world, n), tags: ["server"] }),
  },
  "webhook.set": { input: () => ({ url: "" }) },
  "webhook.stats": NONE,
  "plugins.list": NONE,
  "network.links": NONE,
  "network.peer": { input: () => ({ peer: PEER }) },
  "network.throughput": { input: () => ({ range: "1h" }), varies: ["points"] },
  "network.throughput_live": {
    input: () => ({ peers: true }),
    varies: ["time_ms", "step_ms"],
  },
  "network.why": { input: () => ({ peer: PEER }) },
  "core.health": NONE,
  "trust.ignore": { input: (world) => ({ peer: askingPeer(world) }), varies: ["peer_id"] },
  "trust.later": {
    input: (world) => ({ peer: askingPeer(world), hours: 1 }),
    varies: ["peer_id"],
  },
  "policy.shadow": {
    input: async ({ call }) => {
      await call("policy.start", { network: 0, policy: POLICY, shadow: true });
      return { network: 0 };
    },
  },
  "webhook.test": NONE,
  "page.code": { input: () => ({}), varies: ["code", "url", "expires_at_ms"] },
  "library.items": { input: () => ({ search: "nobody" }) },
  "library.item": { input: async (world, n) => ({ id: await newItem(world, n) }) },
  "library.latest": { input: () => ({ id: "nobody-has-it" }) },
  "library.download": { input: () => ({ id: "nobody-has-it", install: false }) },
  "library.install": { input: async (world, n) => ({ id: await newItem(world, n) }) },
  "library.uninstall": { input: async (world, n) => ({ id: await installedItem(world, n) }) },
  "library.cancel": { input: async (world, n) => ({ id: await newItem(world, n) }) },
  "library.set_dir": { input: async (world, n) => ({ path: await newFolder(world, n) }) },
  "library.peer_count": NONE,
  "library.connect": { input: () => ({ addr: "/ip4/127.0.0.1/tcp/9" }) },
  "library.scan": { input: () => ({ wait: true }) },
  "library.add": {
    input: async (world, n) => ({ folder: await newFolder(world, n), id: `added-${n}` }),
  },
  "library.repair": { input: async (world, n) => ({ id: await newItem(world, n) }) },
  "library.verify": { input: async (world, n) => ({ id: await newItem(world, n) }) },
  "library.transfers": NONE,
  "library.transfers_live": NONE,
  "library.watch": { input: async (world, n) => ({ id: await newItem(world, n) }) },
};

/** What differs from call to call, wherever it stands. */
const VOLATILE = new Set([
  ...["uptime_s", "counters", "id", "name", "dir", "path", "job_id", "timestamp", "message"],
  ...["created_at", "finished_at", "request_id", "status", "progress", "ms", "changed"],
]);

function settled(value: unknown, varies: readonly string[] = []): unknown {
  if (Array.isArray(value)) return value.map((one) => settled(one, varies));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).filter(([key]) => key !== "request_id" && key !== "finished_at")
      .map(([key, one]) => {
        const isVolatile = VOLATILE.has(key) || varies.includes(key);
        return [key, isVolatile ? typeof one : settled(one, varies)];
      }),
  );
}

/** Writes who is trusted and who asks, as a daemon finds it at its start. */
async function peersThatAsk(dataDir: string): Promise<string[]> {
  const peerIds = await Promise.all(Array.from({ length: 24 }, async () => {
    const key = await generateKeyPair("Ed25519");
    return peerIdFromPrivateKey(key).toString();
  }));
  const time = new Date().toISOString();
  const pending = peerIds.map((peerId) => ({ peerId, receivedAt: time, justification: "please" }));
  const trusted = [{ peerId: PEER, approvedAt: time }];
  await mkdir(join(dataDir, "data"), { recursive: true, mode: 0o700 });
  await writeFile(join(dataDir, "data", "trust.json"), JSON.stringify({ trusted, pending }));
  return peerIds;
}

async function openWorld(): Promise<World> {
  const temp = await tempFolder();
  const [dataDir, files] = [join(temp.path, "data-dir"), join(temp.path, "files")];
  await mkdir(join(dataDir, "config"), { recursive: true });
  await mkdir(files);
  await writeFile(
    join(dataDir, "config", "config.toml"),
    'grpc_addr = "127.0.0.1:0"\nrest_addr = "127.0.0.1:0"\n[geolocation]\nurl = "http://127.0.0.1:9/"\n',
  );
  const asking = await peersThatAsk(dataDir);
  const server = await startDefaultServer(join(dataDir, "daemon", "daemon.sock"), dataDir);
  const token = (await readFile(join(dataDir, "daemon", "admin_token"), "utf8")).trim();
  const base = `http://${server.state.restAddress()}`;
  const control = new ControlDoor(server.state.controlAddress());
  const graphql = new GraphqlTestDoor(base, token);
  const listed = await control.call({
    ...{ method: "query:core.operations.v1", kind: "query", scope: "core" },
  }, {}) as { value: { operations: OperationFacts[] } };
  const facts = listed.value.operations;
  const world: World = {
    server,
    doors: [control, new RestDoor(base, token), graphql],
    graphql,
    facts,
    files,
    asking,
    call: async (name, input = {}) => {
      const answer = await control.call(facts.find((one) => nameOf(one) === name)!, input);
      assert.ok("value" in answer, JSON.stringify(answer));
      return answer.value as Record<string, unknown>;
    },
    [Symbol.asyncDispose]: async () => {
      await server.stop();
      await temp[Symbol.asyncDispose]();
    },
  };
  return world;
}

let calls = 0;

async function callThrough(world: World, door: Door, facts: OperationFacts): Promise<Answer> {
  const example = EXAMPLES[nameOf(facts)]!;
  const n = ++calls;
  const input = await example.input(world, n);
  if (facts.kind !== "stream") return await door.call(facts, input);
  return await door.first(facts, input, async () => void await example.meanwhile?.(world, n));
}

Deno.test({
  name: "every operation answers the same through every door that serves it",
  // Streams that were left take a moment to end.
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async (context) => {
    await using world = await openWorld();
    await context.step("core.operations lists what the registry was given", () => {
      const declared = (operations as readonly Operation[]).map(wireName);
      assert.deepEqual(world.facts.map(({ method }) => method), declared);
      assert.deepEqual(world.facts.map(nameOf).filter((name) => !(name in EXAMPLES)), []);
    });
    await context.step("GraphQL has one field an operation and no other", async () => {
      const roots = { query: "Query", action: "Mutation", stream: "Subscription" } as const;
      for (const [kind, root] of Object.entries(roots)) {
        const wanted = world.facts.filter((one) => one.kind === kind).map(fieldName);
        assert.deepEqual(await world.graphql.fields(root), wanted);
      }
    });
    for (const facts of world.facts) {
      await context.step(facts.method, async () => {
        const answers: [string, Answer][] = [];
        for (const door of world.doors) {
          answers.push([door.name, await callThrough(world, door, facts)]);
        }
        const [[, first] = []] = answers;
        for (const [name, answer] of answers) {
          const { varies } = EXAMPLES[nameOf(facts)]!;
          assert.deepEqual(settled(answer, varies), settled(first, varies), name);
        }
      });
    }
    await context.step("gRPC answers what the operations behind its methods do", async () => {
      using grpc = new GrpcClient(world.server.state.grpcAddresses()[0] ?? "");
      for (const { rpc, name } of operations as readonly Operation[]) {
        if (!rpc) continue;
        const facts = world.facts.find((one) => nameOf(one) === name)!;
        const expected = await world.doors[0]!.call(facts, {});
        const answer = await grpc.call(rpc).then(
          (value): Answer => ({ value }),
          ({ details }): Answer => ({ error: details }),
        );
        compareFields(answer, expected, rpc);
      }
    });
  },
});

// A message has the fields of its .proto file, which are some of the operation's, all of them set.
function compareFields(actual: unknown, expected: unknown, place: string): void {
  if (Array.isArray(actual) && Array.isArray(expected)) {
    assert.equal(actual.length, expected.length, place);
    return actual.forEach((one, index) => compareFields(one, expected[index], `${place}.${index}`));
  }
  if (typeof actual !== "object" || actual === null || expected === undefined) {
    return assert.deepEqual(actual ?? undefined, expected, place);
  }
  for (const [key, value] of Object.entries(actual)) {
    compareFields(value, (expected as Record<string, unknown>)[key], `${place}.${key}`);
  }
}

Deno.test({
  name: "startDefaultServer() without networking opens no port of the swarm",
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    await using world = await openWorld();
    assert.deepEqual(world.server.state.p2pAddresses(), []);
    const status = await world.call("network.status");
    assert.equal(status["is_serving"], false);
    await assert.rejects(
      startDefaultServer(world.server.state.controlAddress(), world.server.state.dataDir),
      { code: "already_exists" },
    );
  },
});

Deno.test({
  name: "startDefaultServer() hands on the wish of a client that it ends",
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    await using world = await openWorld();
    const control = await import("../support/control_client.ts");
    using client = await control.ControlClient.connect(world.server.state.controlAddress());
    assert.deepEqual(await client.ask("Shutdown"), { Ok: [] });
    await world.server.shutDownAsked;
  },
});
