/** A peer that is well-behaved up to its streams, and sends nonsense on them. */
import type { Connection, Stream } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { plainPeer } from "./peers.ts";
import { joined, type Seeded } from "./seeded.ts";

/** Protocols that every daemon serves, contract 1.4. */
export const SERVED_PROTOCOLS = [
  "/almena/geo/1.0",
  "/ipfs/ping/1.0.0",
  "/ipfs/id/1.0.0",
  "/ipfs/id/push/1.0.0",
] as const;

/** Opens so many hostile streams as one peer; gives how many were opened. */
export async function openHostileStreams(
  address: string,
  count: number,
  random: Seeded,
): Promise<number> {
  const node = await plainPeer();
  let opened = 0;
  try {
    let connection: Connection | undefined;
    for (let index = 0; index < count; index++) {
      if (connection?.status !== "open") connection = await dial(node, address);
      if (await openOne(connection, random)) opened++;
    }
  } finally {
    await node.stop();
  }
  return opened;
}

function dial(node: Awaited<ReturnType<typeof plainPeer>>, address: string): Promise<Connection> {
  return node.dial(multiaddr(address), { signal: AbortSignal.timeout(10_000), force: true });
}

async function openOne(connection: Connection, random: Seeded): Promise<boolean> {
  try {
    const protocol = random.pick(SERVED_PROTOCOLS);
    const signal = AbortSignal.timeout(2_000);
    const stream = await connection.newStream(protocol, { signal });
    stream.addEventListener("message", () => undefined);
    misuse(stream, random);
    return true;
  } catch {
    return false; // refused: too many of this protocol at once, or the connection ended
  }
}

function misuse(stream: Stream, random: Seeded): void {
  const bytes = random.pick([
    () => random.bytes(random.int(0, 3_000)),
    () => joined("{"),
    () => joined("[]"),
    () => joined('{"__proto__":{"x":1}}'),
    () => joined("{".repeat(2_000)),
    () => joined('{"latitude":1e999}'),
    () => joined("null"),
    () => new Uint8Array(20_000).fill(0x20),
    () => random.bytes(33), // a ping is 32 bytes
    () => joined(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f), random.bytes(100)),
    () => new Uint8Array(0),
  ])();
  if (bytes.length > 0) stream.send(bytes);
  const end = random.pick(["close", "abort", "abort", "leave"]);
  if (end === "close") stream.close().catch(() => undefined);
  else if (end === "abort") stream.abort(new TypeError("hostile"));
  else setTimeout(() => stream.abort(new TypeError("hostile")), 50);
}
