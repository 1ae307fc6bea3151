// @ts-check
/**
 * Uses the daemon's whole surface from inside a daemon, and writes what it found as JSON. Two of them
 * play together: the one with `serve` offers ports, the one with `peer` tries everything.
 * @typedef {import("../../../src/plugins/plugin.ts").Register} Register
 * @typedef {import("../../../src/plugins/plugin.ts").Daemon} Daemon
 */
import { writeFile } from "node:fs/promises";
import process from "node:process";

const ECHO = 2_100;
const DEAF = 2_101;
const WORDS = 2_102;
const MIB = 1_048_576;

/** @type {Register} */
export const register = ({ registerPlugin }) =>
  registerPlugin("probe", () => {
    /** @type {Daemon} */
    let daemon;
    return {
      name: "probe",
      init(given) {
        daemon = given;
        if (daemon.config().serve) serve(daemon);
        const { peer, results, knocks } = daemon.config();
        if (!peer) return;
        if (knocks) return daemon.background("knock", () => knock(daemon, String(results)));
        daemon.background("probe", async () => {
          const links = daemon.bus().subscribe("peer.connected");
          const isThere = daemon.peers().some((one) => one.peerId === peer && one.isConnected);
          if (!isThere) {
            for await (const { payload } of links) if (payload.peerId === peer) break;
          }
          links.cancel();
          await writeFile(String(results), JSON.stringify(await probe(daemon, String(peer))));
        });
      },
      async shutdown() {
        daemon.publishEvent("probe.bye", { still: "here" });
        const { peer, bye } = daemon.config();
        const dial = await outcome(() => daemon.dialConnection(String(peer), ECHO));
        if (bye) await writeFile(String(bye), JSON.stringify({ dial }));
      },
    };
  });

/** @param {Daemon} daemon */
function serve(daemon) {
  const echo = daemon.ports().bind(ECHO);
  daemon.background("echo", async () => {
    for (let next = await echo.accept(); next; next = await echo.accept()) {
      const link = daemon.newConnReadWriter(next);
      daemon.background("echo one", async () => {
        for (let bytes = await link.read(); bytes; bytes = await link.read()) {
          await link.write(bytes);
        }
        await link.closeWrite();
      });
    }
  });
  daemon.ports().bind(DEAF); // takes connections and reads nothing
  daemon.onDatagram(WORDS, ({ data, peerId }) => {
    const word = new TextDecoder().decode(data);
    if (word === "throw") throw new TypeError("as asked");
    daemon.background("answer", () => daemon.sendDatagram(peerId, WORDS, data));
  });
}

/**
 * Asks for one byte again and again until it comes, and notes how often it was refused.
 * @param {Daemon} daemon
 * @param {string} results
 */
async function knock(daemon, results) {
  const peer = String(daemon.config().peer);
  let refused = 0;
  let isServed = false;
  while (!isServed) {
    try {
      const signal = AbortSignal.timeout(5_000);
      const link = daemon.newConnReadWriter(await daemon.dialConnection(peer, ECHO, { signal }));
      await link.write(new Uint8Array([7]));
      isServed = (await link.read())?.[0] === 7;
      link.close();
    } catch {
      refused++;
    }
    const isLinked = daemon.peers().some(({ peerId, isConnected }) =>
      peerId === peer && isConnected
    );
    await writeFile(results, JSON.stringify({ refused, isServed, isLinked }));
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/**
 * @param {Daemon} daemon
 * @param {string} peer
 */
async function probe(daemon, peer) {
  return {
    self: self(daemon, peer),
    ports: await ports(daemon),
    link: await link(daemon, peer),
    stalled: await stalled(daemon, peer),
    abortMs: await abortMs(daemon),
    datagrams: await datagrams(daemon, peer),
    bus: await bus(daemon),
    services: await services(daemon, peer),
  };
}

/** @param {Daemon} daemon @param {string} peer */
function self(daemon, peer) {
  const message = new TextEncoder().encode("signed");
  const signature = daemon.sign(message) ?? new Uint8Array();
  return {
    nodeId: daemon.nodeId(),
    peerId: daemon.peerId(),
    addr: daemon.addr(),
    version: daemon.versionInfo(),
    hasIdentity: daemon.identity()?.publicKey.byteLength === 32,
    identityPath: daemon.identityPath(),
    adminTokenLength: daemon.adminToken().length,
    autoApprove: daemon.trustAutoApprove(),
    isSigned: daemon.verify(daemon.peerId(), message, signature),
    isOthers: daemon.verify(peer, message, signature),
    registryClient: daemon.registryClient(),
    start: daemon.start() instanceof Promise,
  };
}

/** @param {Daemon} daemon */
async function ports(daemon) {
  const listener = daemon.ports().bind(2_200);
  const twice = await outcome(() => daemon.ports().bind(2_200));
  const waiting = listener.accept();
  daemon.ports().unbind(2_200);
  daemon.ports().unbind(2_200);
  const again = daemon.ports().bind(2_200);
  const port = again.port();
  again.close();
  again.close();
  return { twice, accepted: await waiting, port };
}

/** @param {Daemon} daemon @param {string} peer */
async function link(daemon, peer) {
  const connection = await daemon.dialConnection(peer, ECHO);
  const info = connection.info();
  const { read, write, closeWrite } = daemon.newConnReadWriter(connection);
  const sending = (async () => {
    for (let n = 0; n < 10; n++) await write(new Uint8Array(MIB).fill(n));
    await closeWrite();
  })();
  let echoed = 0;
  let isRight = true;
  for (let bytes = await read(); bytes; bytes = await read()) {
    isRight &&= bytes[0] === Math.floor(echoed / MIB);
    echoed += bytes.byteLength;
  }
  await sending;
  daemon.closeConnection(connection);
  daemon.closeConnection(connection);
  const afterwards = await outcome(() => daemon.sendData(connection, new Uint8Array(1)));
  return { info, isFrozen: Object.isFrozen(info), echoed, isRight, afterwards };
}

/** What is taken from us by a peer that reads nothing. @param {Daemon} daemon @param {string} peer */
async function stalled(daemon, peer) {
  const connection = await daemon.dialConnection(peer, DEAF);
  const before = process.memoryUsage().rss;
  let sent = 0;
  const sending = (async () => {
    for (; sent < 1_600; sent++) await daemon.sendData(connection, new Uint8Array(65_536));
  })();
  const failure = outcome(() => sending);
  for (let last = -1; last < sent;) {
    last = sent;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  const grown = process.memoryUsage().rss - before;
  const begun = performance.now();
  const isLong = daemon.config().isLong === true;
  if (!isLong) daemon.closeConnection(connection);
  return { sent, grown, failure: isLong ? await failure : null, ms: performance.now() - begun };
}

/** @param {Daemon} daemon */
async function abortMs(daemon) {
  const nobody = "12D3KooWGRYZDHBembyGJQqMbYDbLAEbkSBFGkLkZpJxSfE5oyjL";
  const abort = new AbortController();
  const dialled = outcome(() => daemon.dialConnection(nobody, 1, { signal: abort.signal }));
  abort.abort();
  const begun = performance.now();
  await dialled;
  return performance.now() - begun;
}

/** @param {Daemon} daemon @param {string} peer */
async function datagrams(daemon, peer) {
  const nobody = "12D3KooWGRYZDHBembyGJQqMbYDbLAEbkSBFGkLkZpJxSfE5oyjL";
  const { promise, resolve } = Promise.withResolvers();
  const stop = daemon.onDatagram(WORDS, ({ data }) => resolve(new TextDecoder().decode(data)));
  const word = new TextEncoder().encode("hello");
  await daemon.sendDatagram(peer, WORDS, word);
  const answer = await promise;
  stop();
  for (let n = 0; n < 4; n++) {
    await daemon.sendDatagram(peer, WORDS, new TextEncoder().encode("throw"));
  }
  return {
    answer,
    toNobody: await outcome(() => daemon.sendDatagram(nobody, WORDS, word)),
    tooLarge: await outcome(() => daemon.sendDatagram(peer, WORDS, new Uint8Array(65_537))),
  };
}

/** @param {Daemon} daemon */
async function bus(daemon) {
  const stopped = daemon.bus().subscribe("probe.many");
  const below = daemon.bus().subscribe("probe.*");
  const exact = daemon.bus().subscribe("probe");
  const begun = performance.now();
  for (let n = 0; n < 2_000; n++) daemon.publishEvent("probe.many", { n });
  const publishMs = performance.now() - begun;
  const { dropped } = stopped;
  stopped.cancel();
  stopped.cancel();
  let left = 0;
  for await (const _ of stopped) left++;
  daemon.bus().publish("probe", { n: 1 });
  const [first] = await take(below, 1);
  const [only] = await take(exact, 1);
  for (const subscription of [below, exact]) subscription.cancel();
  return {
    ...{ publishMs, dropped, left, exact: only?.topic, below: first },
    isFrozen: Object.isFrozen(first?.payload),
  };
}

/**
 * @param {AsyncIterable<import("../../../src/plugins/plugin.ts").Event>} events
 * @param {number} count
 */
async function take(events, count) {
  const taken = [];
  for await (const event of events) {
    taken.push(event);
    if (taken.length === count) break;
  }
  return taken;
}

/** @param {Daemon} daemon @param {string} peer */
async function services(daemon, peer) {
  const nobody = "12D3KooWGRYZDHBembyGJQqMbYDbLAEbkSBFGkLkZpJxSfE5oyjL";
  return {
    checker: daemon.getTrustChecker()?.isTrusted(peer),
    pending: daemon.handshakeService()?.pendingCount(),
    trusted: daemon.trustedPeers().length,
    waits: await daemon.handshakeService()?.waitForTrust(daemon.peerId(), 0),
    policies: daemon.policyManager()?.all().length,
    stats: daemon.webhookManager()?.stats(),
    removeNobody: await outcome(() => daemon.tunnels().removePeer(nobody)),
    revokeNobody: await outcome(() => daemon.handshakeRevokeTrust(nobody)),
    wrongToken: await outcome(() => daemon.regConnListNodes(1, "wrong")),
    rightToken: await daemon.regConnListNodes(1, daemon.adminToken()),
    noNetwork: await outcome(() => daemon.setMemberTags(1, ["a"])),
  };
}

/** How something ends: "fine", or the name and code of what it throws. @param {() => unknown} work */
async function outcome(work) {
  try {
    await work();
    return "fine";
  } catch (error) {
    const { name, code } = /** @type {{ name?: string, code?: string }} */ (error);
    return `${name} ${code}`;
  }
}
