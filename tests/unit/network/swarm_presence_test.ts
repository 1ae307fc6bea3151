import assert from "node:assert/strict";
import { testWithLibp2p } from "../../support/libp2p_pair.ts";
import { PluginNode } from "../../support/plugin_node.ts";
import { waitFor } from "../../support/wait.ts";

testWithLibp2p(
  "Swarm.checkPresence() cuts the links that were silent, not one that opened meanwhile",
  async () => {
    await using ada = await PluginNode.start({ builtin: [] });
    await using bob = await PluginNode.start({ builtin: [] });
    await ada.connect(bob);
    const [old] = ada.swarm.node.getConnections();
    ada.swarm.ping = async () => {
      // Bob is back after a restart, while the old link is asked in vain.
      await bob.swarm.node.dial(ada.swarm.node.getMultiaddrs(), { force: true });
      await waitFor("both links", () => ada.swarm.node.getConnections().length === 2);
      throw new TypeError("no answer");
    };
    await ada.swarm.checkPresence(bob.peerId);
    await waitFor("the cut", () => old!.status !== "open");
    assert.equal(ada.swarm.node.getConnections().length, 1);
    assert.equal(ada.peers.isConnected(bob.peerId), true);
    const [left] = ada.swarm.node.getConnections();
    ada.swarm.ping = () => Promise.reject(new TypeError("no answer"));
    await ada.swarm.checkPresence(bob.peerId);
    await waitFor("the end", () => left!.status !== "open");
    assert.equal(ada.peers.isConnected(bob.peerId), false);
  },
);

testWithLibp2p("Swarm.checkPresence() keeps a link on which much arrives", async () => {
  await using ada = await PluginNode.start({ builtin: [] });
  await using bob = await PluginNode.start({ builtin: [] });
  await ada.connect(bob);
  const ping = ada.swarm.ping.bind(ada.swarm);
  ada.swarm.ping = async (peerId, signal) => {
    for (let n = 0; n < 400; n++) await ping(peerId, signal); // as much as on a busy link
    throw new TypeError("no answer in time");
  };
  await ada.swarm.checkPresence(bob.peerId);
  assert.equal(ada.peers.isConnected(bob.peerId), true);
  assert.equal(typeof ada.swarm.node.getConnections()[0]?.rtt, "number", "and its way is measured");
});
