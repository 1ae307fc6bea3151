import assert from "node:assert/strict";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { register as webhook } from "../../../src/plugins/webhook/webhook_plugin.ts";
import { nodeNumber, parseAddress } from "../../../src/plugins/mod.ts";
import type {
  Connection,
  HandshakeService,
  Plugin,
  Register,
} from "../../../src/plugins/plugin.ts";
import { testWithLibp2p } from "../../support/libp2p_pair.ts";
import { befriend, PluginNode } from "../../support/plugin_node.ts";
import { tempFolder } from "../../support/temp_folder.ts";
import { waitFor } from "../../support/wait.ts";

async function pair(): Promise<{ ada: PluginNode; bob: PluginNode } & AsyncDisposable> {
  const [ada, bob] = [await PluginNode.start(), await PluginNode.start()];
  await ada.connect(bob);
  return {
    ...{ ada, bob },
    [Symbol.asyncDispose]: async () => {
      await ada.stop();
      await bob.stop();
    },
  };
}

testWithLibp2p("Daemon tells who it is, signs, and checks what others signed", async () => {
  await using nodes = await pair();
  const [ada, bob] = [nodes.ada.daemon, nodes.bob.daemon];
  const message = new TextEncoder().encode("hello");
  const signature = ada.sign(message)!;
  assert.equal(bob.verify(ada.peerId(), message, signature), true);
  assert.equal(bob.verify(bob.peerId(), message, signature), false);
  assert.equal(ada.nodeId(), nodeNumber(ada.peerId()));
  assert.deepEqual(parseAddress(ada.addr()), { network: 0, node: ada.nodeId() });
  assert.equal(ada.identity()!.publicKey.byteLength, 32);
  assert.equal(ada.identityPath(), "");
  assert.equal(ada.registryClient(), null);
  assert.deepEqual(ada.versionInfo(), { version: "1", commit: "c", buildTime: "t" });
  assert.equal(ada.trustAutoApprove(), false);
  await ada.stop();
  assert.equal(nodes.ada.stops.length, 1);
});

testWithLibp2p("Daemon without an identity has no number, no key and no signature", async () => {
  const node = await PluginNode.create({ builtin: [] });
  const { SigningKey } = await import("../../../src/plugins/signing.ts");
  const key = new SigningKey(null);
  assert.equal(key.sign(new Uint8Array(1)), null);
  assert.equal(key.publicKey, null);
  assert.equal(nodeNumber(key.peerId), 0);
  await node.stop();
});

testWithLibp2p("Ports.bind() takes a port once; peers dial it; unbind ends accept", async () => {
  await using nodes = await pair();
  const [ada, bob] = [nodes.ada.daemon, nodes.bob.daemon];
  const listener = bob.ports().bind(2_000);
  assert.equal(listener.port(), 2_000);
  assert.throws(() => bob.ports().bind(2_000), { message: /already bound/ });
  const accepted = listener.accept();
  const outward = await ada.dialConnection(bob.peerId(), 2_000);
  const inward = (await accepted)!;
  assert.equal(Object.isFrozen(inward.info()), true);
  assert.equal(inward.info().localPort, 2_000);
  assert.equal(inward.info().remotePeer, ada.peerId());
  assert.equal(inward.info().remoteAddr, ada.addr());
  assert.equal(outward.info().remotePort, 2_000);
  assert.ok(outward.info().localPort >= 49_152);
  const ending = listener.accept();
  bob.ports().unbind(2_000);
  bob.ports().unbind(2_000);
  assert.equal(await ending, null);
  bob.ports().bind(2_000).close();
  const ephemeral = bob.ports().bind(0);
  assert.ok(ephemeral.port() >= 49_152);
  for (const port of [-1, 65_536, 1.5]) assert.throws(() => bob.ports().bind(port));
});

testWithLibp2p("ConnReadWriter pipes 10 MiB; closeConnection() may be called twice", async () => {
  await using nodes = await pair();
  const [ada, bob] = [nodes.ada.daemon, nodes.bob.daemon];
  const listener = bob.ports().bind(2_001);
  const outward = await ada.dialConnection(bob.nodeId(), 2_001);
  const reader = bob.newConnReadWriter((await listener.accept())!);
  const writer = ada.newConnReadWriter(outward);
  const chunk = new Uint8Array(1_048_576).fill(7);
  const sending = (async () => {
    for (let n = 0; n < 10; n++) await writer.write(chunk);
    await writer.closeWrite();
  })();
  let size = 0;
  for (let bytes = await reader.read(); bytes; bytes = await reader.read()) size += bytes.length;
  await sending;
  assert.equal(size, 10 * 1_048_576);
  ada.closeConnection(outward);
  ada.closeConnection(outward);
  await assert.rejects(ada.sendData(outward, chunk), { code: "failed_precondition" });
});

testWithLibp2p("Daemon.sendData() waits for a reader that does not read", async () => {
  await using nodes = await pair();
  const [ada, bob] = [nodes.ada.daemon, nodes.bob.daemon];
  const listener = bob.ports().bind(2_002);
  const outward = await ada.dialConnection(bob.peerId(), 2_002);
  const inward = (await listener.accept())!;
  let sent = 0;
  const chunk = new Uint8Array(65_536);
  const sending = (async () => {
    for (; sent < 400; sent++) await ada.sendData(outward, chunk);
  })();
  sending.catch(() => undefined); // after a failure below, the end of the node ends it
  await waitFor("back-pressure", async () => {
    const before = sent;
    await new Promise((resolve) => setTimeout(resolve, 100));
    return sent === before && sent > 0;
  });
  assert.ok(sent < 100, `${sent} chunks of 64 KiB were taken from nobody's hands`);
  const reader = bob.newConnReadWriter(inward);
  let size = 0;
  while (size < 400 * 65_536) size += (await reader.read())!.byteLength;
  await sending;
});

testWithLibp2p("Daemon.dialConnection() ends within 100 ms of its signal", async () => {
  await using ada = await PluginNode.start();
  await using bob = await PluginNode.start();
  const abort = new AbortController();
  const sockets: Socket[] = [];
  const silent = createServer((socket) => void sockets.push(socket)); // and says nothing
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  const { port } = silent.address() as AddressInfo;
  ada.peers.mdnsDiscovered(bob.peerId, [`/ip4/127.0.0.1/tcp/${port}`]);
  const dialled = ada.daemon.dialConnection(bob.peerId, 1, { signal: abort.signal });
  dialled.catch(() => undefined);
  await new Promise((resolve) => setTimeout(resolve, 20));
  const begun = performance.now();
  abort.abort();
  await assert.rejects(dialled, { code: "cancelled" });
  assert.ok(performance.now() - begun < 100);
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => silent.close(resolve));
});

testWithLibp2p("Daemon.sendDatagram() arrives, and is no failure where nobody is", async () => {
  await using nodes = await pair();
  const [ada, bob] = [nodes.ada.daemon, nodes.bob.daemon];
  const got: string[] = [];
  const stop = bob.onDatagram(
    9,
    ({ data, peerId }) => void got.push(`${new TextDecoder().decode(data)} from ${peerId}`),
  );
  await ada.sendDatagram(bob.peerId(), 9, new TextEncoder().encode("hi"));
  await waitFor("the datagram", () => got.length === 1);
  assert.deepEqual(got, [`hi from ${ada.peerId()}`]);
  await ada.sendDatagram(bob.peerId(), 10, new Uint8Array(3));
  await assert.rejects(ada.sendDatagram(bob.peerId(), 9, new Uint8Array(65_537)));
  await ada.sendDatagram(bob.peerId(), 9, new Uint8Array(65_536));
  await waitFor("the large one", () => got.length === 2);
  stop();
  await nodes.bob.swarm.stop();
  await ada.sendDatagram(bob.peerId(), 9, new Uint8Array(1));
});

testWithLibp2p(
  "Tunnels.removePeer() cuts every connection, and does nothing for nobody",
  async () => {
    await using nodes = await pair();
    const [ada, bob] = [nodes.ada.daemon, nodes.bob.daemon];
    const listener = bob.ports().bind(2_003);
    await ada.dialConnection(bob.peerId(), 2_003);
    const reader = bob.newConnReadWriter((await listener.accept())!);
    await ada.tunnels().removePeer(bob.peerId());
    await assert.rejects(reader.read());
    await waitFor("the cut", () => !nodes.bob.peers.isConnected(ada.peerId()));
    await ada.tunnels().removePeer(bob.peerId());
  },
);

testWithLibp2p("Daemon.regConnListNodes() wants the admin token; tags are seen", async () => {
  await using node = await PluginNode.start();
  const { daemon, host } = node;
  const { id, token } = await host.networks.create("home");
  assert.ok(token.length >= 22);
  await daemon.setMemberTags(id, ["server", "server"]);
  await assert.rejects(daemon.regConnListNodes(id, "wrong"), { code: "permission_denied" });
  await assert.rejects(daemon.regConnListNodes(id, ""), { code: "permission_denied" });
  assert.deepEqual(await daemon.regConnListNodes(id, "right-word"), {
    network: id,
    nodes: [{ node_id: daemon.nodeId(), peer_id: daemon.peerId(), tags: ["server"] }],
  });
  await assert.rejects(daemon.setMemberTags(id, ["bad tag"]), { code: "invalid_argument" });
});

testWithLibp2p(
  "Daemon without plugins: getters give null, trust is empty, calls say why",
  async () => {
    await using node = await PluginNode.start({ builtin: [] });
    const { daemon } = node;
    assert.equal(daemon.getTrustChecker(), null);
    assert.equal(daemon.handshakeService(), null);
    assert.equal(daemon.policyManager(), null);
    assert.deepEqual(daemon.trustedPeers(), []);
    await daemon.setWebhookURL("http://127.0.0.1/");
    await assert.rejects(daemon.handshakeRevokeTrust(daemon.peerId()), { name: "NoServiceError" });
    await assert.rejects(daemon.handshakeSendRequest(daemon.peerId(), ""), /no plugin offers it/);
  },
);

testWithLibp2p("Two handshake plugins swap without any other change", async () => {
  const trusting: HandshakeService = {
    isTrusted: () => true,
    trustedPeers: () => [],
    pendingRequests: () => [],
    pendingCount: () => 0,
    sendRequest: () => Promise.resolve(),
    approveHandshake: () => Promise.resolve(),
    rejectHandshake: () => Promise.resolve(),
    revokeTrust: () => Promise.resolve(),
    waitForTrust: () => Promise.resolve(true),
    processRelayedRequest: () => Promise.resolve(),
    processRelayedApproval: () => Promise.resolve(),
    processRelayedRejection: () => Promise.resolve(),
    stop: () => Promise.resolve(),
  };
  const register: Register = ({ registerPlugin }) =>
    registerPlugin("handshake", () => ({
      name: "handshake",
      init: (daemon) => daemon.registerHandshakeService(trusting),
      shutdown: () => undefined,
    }));
  await using node = await PluginNode.start({ builtin: [register], isPrivate: true });
  assert.equal(node.host.mayUse("12D3KooWx", "/almena/port/1/1.0"), true);
});

testWithLibp2p(
  "Private mode refuses untrusted dials and datagrams until trust is there",
  async () => {
    await using ada = await PluginNode.start({ isPrivate: true });
    await using bob = await PluginNode.start();
    await ada.connect(bob);
    const listener = ada.daemon.ports().bind(2_004);
    const got: number[] = [];
    ada.daemon.onDatagram(5, ({ data }) => void got.push(data.byteLength));
    const tryRead = async () => {
      const connection = await bob.daemon.dialConnection(ada.peerId, 2_004);
      await bob.daemon.sendData(connection, new Uint8Array(1));
      return await bob.daemon.newConnReadWriter(connection).read();
    };
    await assert.rejects(tryRead());
    await bob.daemon.sendDatagram(ada.peerId, 5, new Uint8Array(1));
    await befriend(bob, ada);
    await bob.daemon.sendDatagram(ada.peerId, 5, new Uint8Array(2));
    await waitFor("the datagram", () => got.length > 0);
    assert.deepEqual(got, [2]);
    const dialled = bob.daemon.dialConnection(ada.peerId, 2_004);
    const accepted: Connection | null = await listener.accept();
    assert.equal(accepted!.info().remotePeer, bob.peerId);
    await dialled;
  },
);

testWithLibp2p("A plugin that throws, hangs, leaks and shouts harms nobody else", async () => {
  const timers: ReturnType<typeof setInterval>[] = [];
  const bad: Plugin = {
    name: "bad",
    init: (daemon) => {
      daemon.onDatagram(6, () => {
        throw new TypeError("slip");
      });
      timers.push(setInterval(() => undefined, 1_000));
      for (let n = 0; n < 5_000; n++) daemon.publishEvent("bad.loop", { n });
      daemon.publishEvent("Not A Topic", {});
      daemon.publishEvent("bad.function", { f: () => undefined });
      daemon.bus().subscribe("*");
      daemon.ports().bind(3_000);
    },
    shutdown: () => new Promise(() => {}),
  };
  const register: Register = ({ registerPlugin }) => registerPlugin("bad", () => bad);
  const told: string[] = [];
  const last: Register = ({ registerPlugin }) =>
    registerPlugin("a-good", () => ({
      name: "a-good",
      init: () => undefined,
      shutdown: () => void told.push("ended"),
    }));
  const ada = await PluginNode.start({ builtin: [register, last] });
  await using bob = await PluginNode.start({ builtin: [] });
  await ada.connect(bob);
  for (let n = 0; n < 4; n++) await bob.daemon.sendDatagram(ada.peerId, 6, new Uint8Array(1));
  await waitFor("three failures", () => ada.topics("plugin.bad.panic").length === 4);
  assert.equal(ada.topics("plugin.bad.unhealthy").length, 1);
  assert.equal(ada.host.list().find(({ name }) => name === "bad")?.isHealthy, false);
  const begun = performance.now();
  const stopped = [ada.host.stop(), ada.host.stop(), ada.host.stop()];
  const results = await Promise.allSettled(stopped);
  assert.ok(performance.now() - begun < 6_000);
  assert.ok(results.every(({ status }) => status === "rejected"));
  assert.match(String((results[0] as PromiseRejectedResult).reason), /1 plugin shutdown error/);
  assert.deepEqual(told, ["ended"]);
  assert.deepEqual(ada.host.ports.list(), []);
  await ada.swarm.stop();
  timers.forEach(clearInterval);
});

testWithLibp2p("What plugins publish while they shut down still reaches the webhook", async () => {
  const bodies: string[] = [];
  const server = createHttpServer((request, response) => {
    request.setEncoding("utf8").on("data", (text) => bodies.push(text));
    request.on("end", () => response.end());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  let daemon: Parameters<Plugin["init"]>[0];
  const first: Register = ({ registerPlugin }) =>
    registerPlugin("a-first", () => ({ // the first to start is the last to end
      name: "a-first",
      init: (given) => void (daemon = given),
      shutdown: () => daemon.publishEvent("first.bye", {}),
    }));
  const node = await PluginNode.start({ builtin: [first, webhook] });
  await node.host.services.need("webhook").setURL(`http://127.0.0.1:${port}/`);
  await node.stop();
  assert.ok(bodies.some((body) => JSON.parse(body).event === "first.bye"));
  await new Promise((resolve) => server.close(resolve));
});

testWithLibp2p("While plugins shut down, publishing works and dialling is refused", async () => {
  const outcome: unknown[] = [];
  const register: Register = ({ registerPlugin }) => {
    registerPlugin("late", () => {
      let daemon: Parameters<Plugin["init"]>[0];
      return {
        name: "late",
        init: (given) => void (daemon = given),
        shutdown: async () => {
          daemon.publishEvent("late.word", {});
          outcome.push(await daemon.dialConnection(daemon.peerId(), 1).catch((e) => e.code));
        },
      };
    });
  };
  await using folder = await tempFolder();
  const node = await PluginNode.start({ builtin: [register], folder: folder.path });
  await node.stop();
  assert.deepEqual(outcome, ["unavailable"]);
  assert.deepEqual(node.topics("late."), ["late.word"]);
});

testWithLibp2p(
  "A plugin that fails to start ends the start, and those before it are ended",
  async () => {
    const told: string[] = [];
    const plugins: Plugin[] = [
      { name: "a", init: () => undefined, shutdown: () => void told.push("a ended") },
      {
        name: "b",
        init: () => Promise.reject(new TypeError("no luck")),
        shutdown: () => undefined,
      },
      { name: "c", init: () => void told.push("c began"), shutdown: () => undefined },
    ];
    const builtin = plugins.map((plugin): Register => ({ registerPlugin }) =>
      registerPlugin(plugin.name, () => plugin)
    );
    await assert.rejects(PluginNode.start({ builtin }), {
      code: "failed_precondition",
      message: 'Cannot load plugin "b": no luck',
    });
    assert.deepEqual(told, ["a ended"]);
  },
);
