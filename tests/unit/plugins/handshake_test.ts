import assert from "node:assert/strict";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { PolicyPlugin } from "../../../src/plugins/policy/policy_plugin.ts";
import { HandshakePlugin } from "../../../src/plugins/trust/handshake_plugin.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { befriend, PluginNode } from "../../support/plugin_node.ts";
import { testWithLibp2p } from "../../support/libp2p_pair.ts";
import { tempFolder } from "../../support/temp_folder.ts";
import { waitFor } from "../../support/wait.ts";

testWithLibp2p(
  "Handshake: request, pending with its justification, approval, mutual trust",
  async () => {
    await using ada = await PluginNode.start();
    await using bob = await PluginNode.start();
    await ada.connect(bob);
    await ada.trust.sendRequest(bob.peerId, "Ada\u001b[31m from\n the desk");
    assert.equal(bob.trust.pendingCount(), 1);
    const [request] = bob.trust.pendingRequests();
    assert.equal(request!.peerId, ada.peerId);
    assert.equal(request!.justification, "Ada[31m from the desk");
    assert.equal(request!.nodeId, ada.daemon.nodeId());
    assert.equal(bob.trust.isTrusted(ada.peerId), false);
    const waiting = ada.trust.waitForTrust(bob.peerId, 5_000);
    await bob.trust.approveHandshake(ada.peerId);
    assert.equal(await waiting, true);
    assert.equal(bob.trust.isTrusted(ada.peerId), true);
    await waitFor("mutual trust", () => bob.trust.trustedPeers()[0]!.mutual);
    const [record] = ada.trust.trustedPeers();
    assert.deepEqual(Object.keys(record!).sort(), [
      "approvedAt",
      "mutual",
      "network",
      "nodeId",
      "peerId",
      "publicKey",
    ]);
    assert.equal(record!.mutual, true);
    assert.deepEqual(bob.topics("handshake."), [
      "handshake.received",
      "handshake.pending",
      "handshake.approved",
    ]);
    assert.deepEqual(bob.topics("trust."), ["trust.changed"]);
    assert.deepEqual(ada.topics("trust."), ["trust.changed"]);
  },
);

testWithLibp2p(
  "Handshake.revokeTrust() tells the peer, cuts its links and cools down",
  async () => {
    await using ada = await PluginNode.start();
    await using bob = await PluginNode.start();
    await befriend(ada, bob);
    const begun = performance.now();
    await ada.trust.revokeTrust(bob.peerId);
    assert.equal(ada.trust.isTrusted(bob.peerId), false);
    await waitFor("bob to know", () => !bob.trust.isTrusted(ada.peerId));
    await waitFor("the cut", () => !bob.peers.isConnected(ada.peerId));
    assert.ok(performance.now() - begun < 1_000);
    assert.ok(ada.topics("trust.").includes("trust.revoked"));
    assert.ok(bob.topics("trust.").includes("trust.revoked_by_peer"));
    await ada.trust.processRelayedApproval(bob.peerId);
    assert.equal(ada.trust.isTrusted(bob.peerId), false);
    await assert.rejects(ada.trust.revokeTrust(bob.peerId), { code: "failed_precondition" });
    await befriend(ada, bob); // asking oneself ends the cool-down
  },
);

testWithLibp2p(
  "Handshake brings A and C together by way of B, though they never meet",
  async () => {
    await using folderA = await tempFolder();
    await using folderC = await tempFolder();
    await using bob = await PluginNode.start();
    let ada = await PluginNode.start({ folder: folderA.path });
    let cas = await PluginNode.start({ folder: folderC.path });
    await befriend(ada, bob);
    await befriend(cas, bob);
    const [keyA, keyC] = [ada.privateKey, cas.privateKey];
    const [idA, idC] = [ada.peerId, cas.peerId];
    await cas.stop();
    await ada.trust.sendRequest(idC, "by way of Bob");
    await ada.stop();
    cas = await PluginNode.start({ folder: folderC.path, privateKey: keyC });
    await cas.connect(bob);
    await waitFor("the relayed request", () => cas.trust.pendingCount() === 1);
    await cas.trust.approveHandshake(idA);
    await waitFor("the answer to leave", () => cas.trust.isTrusted(idA));
    await cas.stop();
    ada = await PluginNode.start({ folder: folderA.path, privateKey: keyA });
    await ada.connect(bob);
    await waitFor("the relayed answer", () => ada.trust.isTrusted(idC));
    await ada.stop();
    const file = JSON.parse(await readFile(join(folderA.path, "trust.json"), "utf8"));
    assert.equal(file.trusted.length, 2);
  },
);

testWithLibp2p("Built-in plugins leave no timer behind", async () => {
  const clock = new FakeClock();
  await using ada = await PluginNode.start({
    builtin: [
      ({ registerPlugin }) => registerPlugin("handshake", () => new HandshakePlugin({ clock })),
      ({ registerPlugin }) => registerPlugin("policy", () => new PolicyPlugin({ clock })),
    ],
  });
  const rules = [{ name: "r", on: "connect", match: "true", actions: [{ type: "deny" }] }];
  await ada.host.services.need("policy").start(0, JSON.stringify({ version: 1, rules }));
  assert.equal(clock.pending, 3);
  await ada.stop();
  assert.equal(clock.pending, 0);
});

testWithLibp2p("Trust is told again over a link that is older than the plugin", async () => {
  await using folder = await tempFolder();
  await using bob = await PluginNode.start();
  const before = await PluginNode.start({ folder: folder.path });
  const { privateKey } = before;
  await befriend(before, bob);
  await before.stop();
  await waitFor("the end of the link", () => !bob.peers.isConnected(before.peerId));
  await bob.trust.revokeTrust(before.peerId); // nobody is there to hear it
  const ada = await PluginNode.create({ folder: folder.path, privateKey });
  await ada.swarm.start();
  await ada.connect(bob);
  await ada.host.start();
  await waitFor("ada to learn it", () => ada.topics("trust.revoked_by_peer").length === 1);
  await ada.stop();
});

testWithLibp2p(
  "Trust is told again when a link comes back; who no longer trusts says so",
  async () => {
    await using folder = await tempFolder();
    await using ada = await PluginNode.start();
    let bob = await PluginNode.start({ folder: folder.path });
    const { privateKey } = bob;
    await befriend(ada, bob);
    await bob.stop();
    await rm(join(folder.path, "trust.json")); // Bob forgot everything
    bob = await PluginNode.start({ folder: folder.path, privateKey });
    await ada.connect(bob);
    await waitFor("ada to learn it", () => !ada.trust.isTrusted(bob.peerId));
    assert.ok(ada.topics("trust.").includes("trust.revoked_by_peer"));
    await bob.stop();
  },
);
