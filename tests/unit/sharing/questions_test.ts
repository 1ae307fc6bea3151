/** Peers that ask without end, and for much: through real streams, beside others that ask as they should. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import process from "node:process";
import { systemClock } from "../../../src/core/mod.ts";
import { ProtocolStreams } from "../../../src/network/mod.ts";
import { systemFiles } from "../../../src/sharing/files.ts";
import { type Game, type Have, LIBRARY_PROTOCOL, varint } from "../../../src/sharing/messages.ts";
import { PeerClient } from "../../../src/sharing/peer_client.ts";
import { PeerServer, type ServedItems } from "../../../src/sharing/peer_server.ts";
import { createNode, testWithLibp2p } from "../../support/libp2p_pair.ts";
import { waitFor } from "../../support/wait.ts";

const signal = AbortSignal.timeout(60_000);

/** A server of these items, and clients of it on nodes of their own. */
async function scene(items: Partial<ServedItems>, clients = 1) {
  const stack = new AsyncDisposableStack();
  const node = await createNode();
  stack.defer(() => node.stop());
  const nothing = () => Promise.resolve(undefined);
  const server = new PeerServer({
    ...{
      streams: new ProtocolStreams({ node: () => node }),
      clock: systemClock,
      files: systemFiles,
    },
    uploads: { take: () => Promise.resolve(), pieceBytes: () => Infinity },
    items: {
      ...{ games: () => Promise.resolve([]), manifest: nothing, have: nothing, file: nothing },
      ...{ changed: () => undefined, ...items },
    },
    mayAsk: () => true,
  });
  await server.start();
  stack.defer(() => server.stop());
  const asking: PeerClient[] = [];
  for (let n = 0; n < clients; n++) {
    const other = await createNode();
    stack.defer(() => other.stop());
    await other.dial(node.getMultiaddrs());
    asking.push(
      new PeerClient({
        ...{ streams: new ProtocolStreams({ node: () => other }), clock: systemClock },
        downloads: { take: () => Promise.resolve() },
      }),
    );
  }
  return {
    ...{ server, clients: asking, peerId: node.peerId.toString(), addrs: node.getMultiaddrs() },
    get client(): PeerClient {
      assert.ok(asking[0]);
      return asking[0];
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function haveOf(files: number): Have {
  const bitmap = Uint8Array.of(255);
  return {
    version: "1",
    files: Array.from({ length: files }, (_, n) => ({ path: `some/folder/file${n}.bin`, bitmap })),
  };
}

// Milliseconds of this process's work between two turns of the loop, the most of all.
async function longestTurn(work: () => Promise<unknown>): Promise<number> {
  let [most, isOver] = [0, false];
  let before = process.cpuUsage();
  const look = () => {
    const { user, system } = process.cpuUsage(before);
    most = Math.max(most, (user + system) / 1_000);
    before = process.cpuUsage();
    if (!isOver) setTimeout(look, 0);
  };
  setTimeout(look, 0);
  await work().finally(() => isOver = true);
  look();
  return most;
}

testWithLibp2p("PeerServer tells of 100,000 files without holding the loop", async () => {
  const all = haveOf(100_000);
  await using s = await scene({ have: () => Promise.resolve({ ...all }) });
  const turns: number[] = [];
  for (let n = 0; n < 3; n++) {
    let told: Have | undefined;
    const ask = async () => told = await s.client.getHave(s.peerId, "game", signal);
    turns.push(await longestTurn(ask));
    assert.deepEqual([told?.files.length, told?.files.at(-1)], [100_000, all.files.at(-1)]);
  }
  assert.equal(Math.min(...turns) < 70, true, `${turns} ms in one turn`);
});

const GAMES: readonly Game[] = [{
  ...{ id: "game", name: "Game", version: "1", size: 5, downloaded: true, installed: false },
}];

testWithLibp2p("PeerServer tells one who asks without end to wait, and nobody else", async () => {
  let made = 0;
  const game = {
    ...GAMES[0],
    toJSON: () => (made++, GAMES[0]),
  } as unknown as Game;
  const games = [game];
  await using s = await scene({
    games: () => Promise.resolve(games),
    have: () => Promise.resolve(haveOf(1)),
  }, 2);
  const begun = performance.now();
  let [answered, busy] = [0, 0];
  const ask = async (n: number) => {
    try {
      if (n % 2) await s.client.getHave(s.peerId, "game", signal);
      else await s.client.listGames(s.peerId, signal);
      answered++;
    } catch (failure) {
      assert.match(String(failure), /Busy/);
      busy++;
    }
  };
  for (let n = 0; n < 400; n += 4) await Promise.all([ask(n), ask(n + 1), ask(n + 2), ask(n + 3)]);
  const seconds = (performance.now() - begun) / 1_000;
  assert.equal(answered <= 128 + 32 * (seconds + 1), true, `${answered} in ${seconds} s`);
  assert.equal(answered >= 128, true, `${answered} answers`);
  assert.equal(answered + busy, 400);
  await s.client.ping(s.peerId, signal);
  assert.deepEqual(await s.clients[1]?.listGames(s.peerId, signal), GAMES);
  assert.equal(made, 1, "the list was made anew");
});

/** A node that answers whatever it is asked with the beginning of a list, and no end. */
async function endless(stack: AsyncDisposableStack, bytes: number) {
  const node = await createNode();
  stack.defer(() => node.stop());
  const streams = new ProtocolStreams({ node: () => node });
  await streams.handle(
    LIBRARY_PROTOCOL,
    { maxStreams: 64, maxUnreadBytes: 65_536 },
    async (one) => {
      await one.write(varint(30_000_000), signal);
      const entry = JSON.stringify({ ...GAMES[0], name: "n".repeat(1_000) });
      await one.write(Buffer.from(`{"Games":[${`${entry},`.repeat(bytes / 1_000)}`), signal);
      await new Promise(() => undefined);
    },
  );
  return node;
}

testWithLibp2p(
  "PeerClient gives up the longest of too many long answers, and no others",
  async () => {
    await using stack = new AsyncDisposableStack();
    const node = await createNode();
    stack.defer(() => node.stop());
    const client = new PeerClient({
      ...{ streams: new ProtocolStreams({ node: () => node }), clock: systemClock },
      downloads: { take: () => Promise.resolve() },
    }, { readingBytes: 1_000_000 });
    const stop = new AbortController();
    const ends: string[] = [];
    const asked: Promise<unknown>[] = [];
    for (const bytes of [400_000, 300_000, 500_000]) {
      const other = await endless(stack, bytes);
      await node.dial(other.getMultiaddrs());
      asked.push(
        client.listGames(other.peerId.toString(), stop.signal)
          .catch((failure: Error) => ends.push(`${bytes}: ${failure.message}`)),
      );
    }
    await waitFor("the end of one", () => ends.length > 0);
    await using s = await scene({ games: () => Promise.resolve(GAMES) }, 0);
    await node.dial(s.addrs);
    assert.deepEqual(await client.listGames(s.peerId, signal), GAMES);
    assert.equal(ends.length, 1);
    assert.match(ends[0] ?? "", /bytes of it are too many beside what others send/);
    stop.abort();
    await Promise.all(asked);
  },
);
