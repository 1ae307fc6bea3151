/**
 * A hostile host: `mdns_attacker.ts <count> <per second> <target> [own address...]`.
 *
 * Sends so many forged mDNS packets to the group, evenly from each of its addresses: queries,
 * announcements of peers that are not there (of hosts next door, far away, and of the target
 * itself), and broken packets. Writes one JSON line: what it sent, and when the target answered.
 */
import { encode } from "dns-packet";
import { Buffer } from "node:buffer";
import { createSocket } from "node:dgram";
import process from "node:process";
import { generateKeyPair } from "@libp2p/crypto/keys";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { encodeQuery } from "../../src/network/mdns_message.ts";

const [countText = "", rateText = "", target = "", ...own] = process.argv.slice(2);
const [count, rate] = [Number(countText), Number(rateText)];
const GROUP = "224.0.0.251";
const PORT = 5_353;
const TICK_MS = 10;

const peerIds = await Promise.all(
  Array.from({ length: 500 }, async () => peerIdFromPrivateKey(await generateKeyPair("Ed25519"))),
);

function forgedAnnouncement(index: number, host: string): Uint8Array {
  const peerId = peerIds[index % peerIds.length];
  const name = `forged${index}._p2p._udp.local`;
  const texts = [host, host].map((ip, port) => `dnsaddr=/ip4/${ip}/tcp/${port + 22}/p2p/${peerId}`);
  return encode({
    type: "response",
    answers: [{ name: "_p2p._udp.local", type: "PTR", ttl: 120, data: name }],
    additionals: texts.map((data) => ({ name, type: "TXT", ttl: 120, data })),
  });
}

function forge(index: number): Uint8Array {
  switch (index % 8) {
    case 0:
    case 1:
      return encodeQuery(index & 0xffff);
    case 2:
    case 3:
      return forgedAnnouncement(index, `10.77.0.${index % 250 + 1}`);
    case 4:
      return forgedAnnouncement(index, "198.51.100.7");
    case 5:
      return forgedAnnouncement(index, "127.0.0.1");
    case 6:
      return forgedAnnouncement(index, target);
    default:
      return Buffer.concat([Buffer.from("\x04_p2p"), crypto.getRandomValues(new Uint8Array(200))]);
  }
}

const answersAt: number[] = [];
const listener = createSocket({ type: "udp4", reuseAddr: true });
listener.on("message", (bytes, { address }) => {
  const isResponse = ((bytes[2] ?? 0) & 0x80) !== 0;
  if (address === target && isResponse) answersAt.push(performance.now());
});
const bound = Promise.withResolvers<void>();
listener.bind({ address: GROUP, port: PORT }, () => bound.resolve());
await bound.promise;
listener.addMembership(GROUP, own[0]);

const senders = await Promise.all(own.map(async (address) => {
  const socket = createSocket({ type: "udp4", reuseAddr: true });
  const ready = Promise.withResolvers<void>();
  socket.bind({ address, port: PORT }, () => ready.resolve());
  await ready.promise;
  socket.setMulticastInterface(address);
  return socket;
}));

process.stdout.write(`${JSON.stringify({ event: "ready" })}\n`);
const startedAt = performance.now();
let sent = 0;
const { promise: done, resolve: finish } = Promise.withResolvers<void>();
const timer = setInterval(() => {
  const due = Math.min(count, (performance.now() - startedAt) / 1_000 * rate);
  for (; sent < due; sent++) senders[sent % senders.length]?.send(forge(sent), PORT, GROUP);
  if (sent >= count) finish();
}, TICK_MS);
await done;
clearInterval(timer);
const seconds = (performance.now() - startedAt) / 1_000;
process.stdout.write(
  `${JSON.stringify({ event: "done", sent, seconds, answersAt })}\n`,
  () => process.exit(0),
);
