/** Relays that are killed and come back, and what a relay gives away. */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { P2pd } from "../support/p2pd_process.ts";
import { waitFor } from "../support/wait.ts";

const PROTOCOL = "/relayed/echo";
/** A stream through a relay that was killed ends within this. */
const END_MS = 5_000;
/** A place at another relay, or at one that came back, is had within this. */
const PLACE_MS = 20_000;

const addressOf = (relay: P2pd) => `${relay.info.addrs[0]}/p2p/${relay.peerId}`;

async function relayWith(flags: readonly string[], hostAddrs?: string): Promise<P2pd> {
  return await P2pd.start("almenad", {
    flags: ["-forceReachabilityPublic", ...flags],
    ...hostAddrs ? { hostAddrs } : {},
  });
}

async function hidden(relays: readonly P2pd[]): Promise<P2pd> {
  const trusted = `-trustedRelays=${relays.map(addressOf)}`;
  const p2pd = await P2pd.start("almenad", {
    flags: ["-noListenAddrs", "-dhtClient", "-autoRelay", trusted, "-forceReachabilityPrivate"],
  });
  await p2pd.client.registerStreamHandler([PROTOCOL], ({ socket }) => {
    socket.on("error", () => undefined);
    socket.pipe(socket);
  });
  return p2pd;
}

async function placeAt(p2pd: P2pd, relay: P2pd): Promise<void> {
  await waitFor("a place at the relay", async () => {
    const { addrs } = await p2pd.client.info();
    return addrs.some((addr) => addr.includes(`/p2p/${relay.peerId}/p2p-circuit`));
  }, PLACE_MS);
}

async function openThrough(caller: P2pd, relay: P2pd, target: P2pd): Promise<Duplex> {
  await caller.client.connect(target.peerId, [`${addressOf(relay)}/p2p-circuit`], 10);
  const { socket } = await caller.client.streamOpen(target.peerId, [PROTOCOL], 10);
  socket.on("error", () => undefined);
  socket.on("end", () => socket.destroy());
  return socket;
}

/** Sends a piece when the one before has come back, until it ends. */
function bounce(socket: Duplex, bytes = Infinity): { received(): number; ended: Promise<void> } {
  const piece = new Uint8Array(16_384);
  let received = 0;
  socket.on("data", (data: Uint8Array) => {
    received += data.byteLength;
    if (received < bytes && received % piece.byteLength === 0) socket.write(piece);
  });
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  socket.once("end", resolve).once("close", resolve);
  socket.write(piece);
  return { received: () => received, ended };
}

async function within(ms: number, what: string, promise: Promise<void>): Promise<number> {
  const begun = performance.now();
  let isDone = false;
  void promise.then(() => isDone = true);
  await waitFor(what, () => Promise.resolve(isDone), ms);
  return performance.now() - begun;
}

function openFiles({ process }: P2pd): number {
  return [...Deno.readDirSync(`/proc/${process.pid}/fd`)].length;
}

Deno.test("p2pd relay: killed in mid-stream, another takes its place, and it again later", async () => {
  const key = join(await Deno.makeTempDir(), "relay.key");
  await using first = await relayWith([`-id=${key}`]);
  await using second = await relayWith([]);
  await using target = await hidden([first, second]);
  await using caller = await P2pd.start("almenad", { flags: ["-dhtClient"] });
  await placeAt(target, first);
  const stream = bounce(await openThrough(caller, first, target));
  await waitFor("bytes through the relay", () => Promise.resolve(stream.received() > 1 << 20));
  const during = openFiles(caller);
  await first.stop("SIGKILL");
  await within(END_MS, "the end of the stream", stream.ended);
  const isFree = () => openFiles(caller) <= during - 2; // the program's socket, the relay's
  await waitFor("both sockets to be closed", () => Promise.resolve(isFree()));
  assert.deepEqual(await caller.client.listPeers(), []);

  await placeAt(target, second);
  const again = bounce(await openThrough(caller, second, target));
  await waitFor("bytes through the other", () => Promise.resolve(again.received() > 1 << 16));
  await second.stop("SIGKILL");
  await within(END_MS, "the end of the second stream", again.ended);
  await waitFor("its saying so", async () => (await target.client.info()).addrs.length === 0);

  await using back = await relayWith([`-id=${key}`], first.info.addrs[0]);
  assert.equal(back.peerId, first.peerId);
  await placeAt(target, back);
  const last = await openThrough(caller, back, target);
  const echoed = bounce(last, 1 << 16);
  await waitFor("bytes once it is back", () => Promise.resolve(echoed.received() >= 1 << 16));
  last.destroy();
});

Deno.test("p2pd relay: places, circuits, bytes and time are bounded as its flags say", async () => {
  await using relay = await relayWith([
    ...["-relayMaxReservations=1", "-relayMaxCircuits=1", "-relayDataLimit=262144"],
  ]);
  await using spare = await relayWith(["-relayTimeLimit=2s"]);
  await using caller = await P2pd.start("almenad");
  {
    await using holder = await hidden([relay]);
    await placeAt(holder, relay);
    await using second = await hidden([relay, spare]);
    await placeAt(second, spare); // the one place is taken

    const only = await openThrough(caller, relay, holder);
    await assert.rejects(
      spare.client.connect(holder.peerId, [`${addressOf(relay)}/p2p-circuit`], 5),
      /PERMISSION_DENIED|status/,
    );
    const stream = bounce(only);
    await within(20_000, "the end of the bytes", stream.ended);
    assert.ok(stream.received() > 65_536, `${stream.received()} bytes came back`);
    assert.ok(stream.received() <= 131_072, `${stream.received()} bytes came back`);

    const timed = bounce(await openThrough(caller, spare, second));
    const kept = await within(20_000, "the end of the time", timed.ended);
    assert.ok(timed.received() > 0, `it was cut after ${kept} ms`);
  }
  await using next = await hidden([relay]);
  await placeAt(next, relay); // the place of one that has gone is free
});
