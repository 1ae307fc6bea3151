/** What policies do besides verdicts, on real links, with a clock that tests move. */
import assert from "node:assert/strict";
import type { PolicyRunner, Register } from "../../../src/plugins/plugin.ts";
import { EVICTION_MS } from "../../../src/plugins/policy/effects.ts";
import { PolicyPlugin } from "../../../src/plugins/policy/policy_plugin.ts";
import { register as handshake } from "../../../src/plugins/trust/handshake_plugin.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { testWithLibp2p } from "../../support/libp2p_pair.ts";
import { befriend, PluginNode } from "../../support/plugin_node.ts";
import { waitFor } from "../../support/wait.ts";

type Action = { readonly type: string; readonly params?: Readonly<Record<string, unknown>> };

/** Ada, whose policies go by a clock of their own, and some others. */
class Scene implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();

  private constructor(
    readonly ada: PluginNode,
    readonly others: readonly PluginNode[],
    readonly clock: FakeClock,
  ) {}

  static async create(count: number): Promise<Scene> {
    const clock = new FakeClock(Date.now());
    const policy: Register = ({ registerPlugin }) =>
      registerPlugin("policy", () => new PolicyPlugin({ clock }));
    const ada = await PluginNode.start({ builtin: [handshake, policy] });
    const others = await Promise.all(Array.from({ length: count }, () => PluginNode.start()));
    const scene = new Scene(ada, others, clock);
    for (const node of [ada, ...others]) scene.#stack.use(node);
    return scene;
  }

  /** Connects everybody to Ada, one after another. */
  async connectAll(): Promise<void> {
    for (const node of this.others) await this.ada.connect(node);
  }

  /** A network of Ada's with all the others in it. */
  async network(name = "home"): Promise<number> {
    const { id } = await this.ada.host.networks.create(name);
    for (const { peerId } of this.others) await this.ada.host.networks.addMember(id, peerId);
    return id;
  }

  async start(
    network: number,
    on: string,
    action: Action,
    config: Readonly<Record<string, unknown>> = {},
  ): Promise<PolicyRunner> {
    const rules = [{ name: "the rule", on, match: "true", actions: [action] }];
    const policy = JSON.stringify({ version: 1, config, rules });
    return await this.ada.host.services.need("policy").start(network, policy);
  }

  /** Who was put out so far. */
  evicted(): unknown[] {
    return this.ada.published.filter(({ topic }) => topic === "policy.evicted")
      .map(({ payload }) => payload["peerId"]);
  }

  /** Whether somebody gets a word through to a port of Ada's. */
  async reaches(node: PluginNode, port: number): Promise<boolean> {
    try {
      const connection = await node.daemon.dialConnection(this.ada.peerId, port);
      return await node.daemon.newConnReadWriter(connection).read() !== null;
    } catch {
      return false;
    }
  }

  /** Serves a word on a port of Ada's. */
  serve(port: number): void {
    const { daemon } = this.ada;
    const listener = daemon.ports().bind(port);
    daemon.background("serve", async () => {
      for (let next = await listener.accept(); next; next = await listener.accept()) {
        await daemon.sendData(next, new Uint8Array(1)).catch(() => undefined);
        daemon.closeConnection(next);
      }
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

testWithLibp2p("prune puts out who was longest unseen, and spares newcomers", async () => {
  await using scene = await Scene.create(3);
  const { ada, others: [bob, cas, dan], clock } = scene;
  await scene.connectAll();
  const network = await scene.network();
  const runner = await scene.start(network, "cycle", { type: "prune", params: { count: 1 } });
  await cas!.stop();
  await waitFor("the end of the link", () => !ada.peers.isConnected(cas!.peerId));
  await clock.advance(5_000); // Bob and Dan are seen again, Cas is not
  runner.forceCycle();
  assert.deepEqual(scene.evicted(), [cas!.peerId]);
  const out = runner.peerList().filter(({ is_evicted }) => is_evicted);
  assert.deepEqual(out.map(({ peer_id }) => peer_id), [cas!.peerId]);
  assert.ok(ada.peers.isConnected(bob!.peerId) && ada.peers.isConnected(dan!.peerId));
  const prune = { type: "prune", params: { count: 3 } };
  const patient = await scene.start(network, "cycle", prune, { grace: "1h" });
  patient.forceCycle();
  assert.deepEqual(scene.evicted(), [cas!.peerId]);
  await clock.advance(3_600_000);
  patient.forceCycle();
  assert.deepEqual(scene.evicted().length, 4);
});

testWithLibp2p("max_peers puts the surplus out at the next cycle", async () => {
  await using scene = await Scene.create(3);
  await scene.connectAll();
  const log = { type: "log", params: { message: "a cycle" } };
  const runner = await scene.start(0, "cycle", log, { max_peers: 2 });
  assert.equal(runner.status()["members"], 3);
  runner.forceCycle();
  assert.equal(scene.evicted().length, 1);
  const left = () => scene.others.filter(({ peerId }) => scene.ada.peers.isConnected(peerId));
  await waitFor("the cut", () => left().length === 2);
  runner.forceCycle();
  assert.equal(scene.evicted().length, 1);
});

testWithLibp2p("fill connects to members that are away", async () => {
  await using scene = await Scene.create(2);
  const { ada, others } = scene;
  await scene.connectAll();
  const runner = await scene.start(await scene.network(), "cycle", {
    type: "fill",
    params: { count: 1 },
  });
  for (const { peerId, swarm } of others) {
    ada.peers.mdnsDiscovered(peerId, swarm.listenAddresses());
    for (const connection of ada.swarm.node.getConnections()) await connection.close();
  }
  const connected = () => others.filter(({ peerId }) => ada.peers.isConnected(peerId)).length;
  await waitFor("nobody there", () => connected() === 0);
  runner.forceCycle();
  await waitFor("one there", () => connected() === 1);
  runner.forceCycle();
  await waitFor("both there", () => connected() === 2);
});

testWithLibp2p("prune_trust revokes a share and leaves the least number", async () => {
  await using scene = await Scene.create(3);
  const { ada, others } = scene;
  for (const node of others) await befriend(node, ada);
  const prune = (min: number) =>
    scene.start(0, "cycle", { type: "prune_trust", params: { percent: 70, min } });
  (await prune(3)).forceCycle();
  assert.equal(ada.trust.trustedPeers().length, 3);
  (await prune(2)).forceCycle(); // 70 % are two, but two must stay
  await waitFor("one less", () => ada.trust.trustedPeers().length === 2);
  await waitFor("the word", () => ada.topics("trust.revoked").length === 1);
});

testWithLibp2p("fill_trust asks as many strangers as are missing", async () => {
  await using scene = await Scene.create(3);
  const { ada, others } = scene;
  await befriend(others[0]!, ada);
  await scene.connectAll();
  (await scene.start(0, "cycle", { type: "fill_trust", params: { target: 2 } })).forceCycle();
  const asked = () => others.filter(({ trust }) => trust.pendingCount() > 0);
  await waitFor("the request", () => asked().length === 1);
  assert.match(asked()[0]!.trust.pendingRequests()[0]!.justification, /policy/);
});

testWithLibp2p("Who was evicted is cut, cannot come back for 60 s, and then can", async () => {
  await using scene = await Scene.create(1);
  const { ada, others: [bob], clock } = scene;
  await scene.connectAll();
  scene.serve(2_030);
  assert.equal(await scene.reaches(bob!, 2_030), true);
  const evict = { type: "evict_where", params: { match: `peer_id == '${bob!.peerId}'` } };
  (await scene.start(0, "cycle", evict)).forceCycle();
  await waitFor("the cut", () => !bob!.peers.isConnected(ada.peerId));
  assert.equal(await scene.reaches(bob!, 2_030), false);
  await clock.advance(EVICTION_MS - 1);
  const signal = () => AbortSignal.timeout(2_000);
  const addresses = ada.swarm.listenAddresses();
  await bob!.swarm.dial(ada.peerId, addresses, signal()).catch(() => undefined);
  assert.equal(await scene.reaches(bob!, 2_030), false);
  await clock.advance(1);
  await waitFor("Bob to be back", async () => {
    await bob!.swarm.dial(ada.peerId, addresses, signal()).catch(() => undefined);
    return await scene.reaches(bob!, 2_030);
  });
});

testWithLibp2p(
  "A gate goes by the tags of a real peer, and a denial by any network wins",
  async () => {
    await using scene = await Scene.create(1);
    const { ada, others: [bob] } = scene;
    await scene.connectAll();
    scene.serve(2_031);
    const [first, second] = [await scene.network("one"), await scene.network("two")];
    const rules = (tag: string) => [{
      name: "tagged alone",
      on: "connect",
      match: `not has_tag(peer_tags, '${tag}')`,
      actions: [{ type: "deny" }],
    }];
    const manager = ada.host.services.need("policy");
    const start = (network: number, tag: string) =>
      manager.start(network, JSON.stringify({ version: 1, rules: rules(tag) }));
    await start(first, "web");
    assert.equal(await scene.reaches(bob!, 2_031), false);
    await ada.host.networks.setTags(first, bob!.peerId, ["web"]);
    assert.equal(await scene.reaches(bob!, 2_031), true);
    await start(second, "web"); // Bob has the tag in the other network only
    assert.equal(await scene.reaches(bob!, 2_031), false);
    await ada.host.networks.setTags(second, bob!.peerId, ["web", "eu"]);
    assert.equal(await scene.reaches(bob!, 2_031), true);
    await ada.host.networks.removeMember(second, bob!.peerId);
    await ada.host.networks.setTags(first, bob!.peerId, []);
    assert.equal(await scene.reaches(bob!, 2_031), false);
  },
);

testWithLibp2p(
  "A policy of a network with 4,096 members begins and runs a cycle at once",
  async () => {
    await using scene = await Scene.create(0);
    const { ada } = scene;
    const { id } = await ada.host.networks.create("large");
    const list = ada.host.networks.list.bind(ada.host.networks);
    const members = Array.from({ length: 4_096 }, (_, n) => ({ peerId: `12D3KooW${n}`, tags: [] }));
    ada.host.networks.list = () => list().map((network) => ({ ...network, members }));
    const records = members.map(({ peerId }) => ({
      ...{ nodeId: 0, peerId, publicKey: "", approvedAt: new Date().toISOString() },
      ...{ mutual: true, network: id },
    }));
    ada.trust.trustedPeers = () => records.map((record) => Object.freeze({ ...record }));
    const begun = performance.now();
    const runner = await scene.start(id, "cycle", { type: "log", params: { message: "x" } });
    runner.forceCycle();
    assert.ok(performance.now() - begun < 1_000, `${performance.now() - begun} ms`);
    assert.equal(runner.status()["members"], 4_096);
  },
);
