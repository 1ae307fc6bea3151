/** Bad input on the control socket and on protocol streams. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import process from "node:process";
import { P2pd } from "../support/p2pd_process.ts";
import { waitFor } from "../support/wait.ts";
import { Request } from "../../src/p2pd/wire/messages.ts";

const FRAMES = 10_000;
const AT_ONCE = 32;

function badFrame(at: number): Uint8Array {
  switch (at % 7) {
    case 0:
      return randomBytes(1 + at % 200);
    case 1:
      return Uint8Array.from([...Array<number>(11).fill(0xff), 1]); // no end of the length
    case 2:
      return Uint8Array.from([0x81, 0x80, 0x80, 0x02, 8, 0]); // 4 MiB and one
    case 3:
      return Request.encode({ type: 11 + at % 100 });
    case 4: {
      const whole = Request.encode({ type: 1, connect: { peer: randomBytes(38) } });
      return whole.subarray(0, 1 + at % (whole.length - 1)); // cut off
    }
    case 5:
      return Request.encode({ type: at % 11, connect: { peer: randomBytes(at % 60) } });
    default:
      return Uint8Array.from([at % 128, ...randomBytes(at % 128)]);
  }
}

Deno.test("p2pd outlives 10,000 bad frames, and its memory is bounded", async () => {
  await using p2pd = await P2pd.start("almenad", { flags: ["-dht", "-pubsub"] });
  const throwAll = async (from: number, to: number) => {
    for (let at = from; at < to; at += AT_ONCE) {
      const wave = Array.from({ length: Math.min(AT_ONCE, to - at) }, (_, n) => at + n);
      await Promise.all(wave.map(async (n) => {
        const path = p2pd.listen.slice("/unix".length);
        // The system refuses for a moment when more wait than it lets.
        const connection = await waitFor(
          "a place in the queue",
          () => Deno.connect({ transport: "unix", path }).catch(() => undefined),
        );
        await connection.write(badFrame(n)).catch(() => 0);
        await connection.closeWrite().catch(() => undefined);
        connection.close();
      }));
    }
  };
  const frames = process.env["ALMENAD_FULL"] === "1" ? 5 * FRAMES : FRAMES;
  await throwAll(0, frames / 4);
  const before = p2pd.residentMiB();
  await throwAll(frames / 4, frames);
  assert.equal(await p2pd.client.identify(), p2pd.peerId);
  const grown = p2pd.residentMiB() - before;
  // Not flat: a bare listener of Deno 2.7.14 keeps about a KiB of heap a connection, ours little
  // more, yet resident memory grows by several KiB; why is open. This bounds it, no more.
  const perConnection = grown * 1_024 / (frames * 3 / 4);
  assert.ok(perConnection < 16, `memory grew by ${perConnection.toFixed(1)} KiB a connection`);
});

Deno.test("p2pd answers others while one client trickles and one floods a slow stream", async () => {
  await using a = await P2pd.start("almenad");
  await using b = await P2pd.start("almenad");
  await a.join(b);
  const trickle = await Deno.connect({ transport: "unix", path: a.listen.slice("/unix".length) });
  const { promise: held, resolve: taken } = Promise.withResolvers<void>();
  await b.client.registerStreamHandler(["/never-read"], ({ socket }) => {
    socket.pause();
    taken();
  });
  const { socket } = await a.client.streamOpen(b.peerId, ["/never-read"]);
  await held;
  const chunk = new Uint8Array(1 << 20);
  let isFull = false;
  for (let at = 0; at < 64 && !isFull; at++) {
    await trickle.write(Uint8Array.from([at === 0 ? 0x7f : 1]));
    if (socket.write(chunk)) continue;
    const drained = new Promise((resolve) => socket.once("drain", () => resolve(true)));
    const late = new Promise((resolve) => setTimeout(() => resolve(false), 1_000));
    isFull = !await Promise.race([drained, late]);
  }
  assert.ok(isFull, "the writer is held back once everything on the way is full");
  const begun = performance.now();
  assert.equal(await a.client.identify(), a.peerId);
  assert.ok(performance.now() - begun < 2_000);
  for (
    const { residentMiB } of [{ residentMiB: a.residentMiB() }, { residentMiB: b.residentMiB() }]
  ) {
    assert.ok(residentMiB < 320, `${residentMiB} MiB`);
  }
  socket.destroy();
  trickle.close();
});
