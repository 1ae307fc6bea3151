/**
 * A libp2p node with `@libp2p/mdns`, to test that we find it and it finds us. Writes one JSON object
 * a line: `ready` with its peer id, `discovered` with a peer's id and addresses. Ends with standard
 * input.
 */
import { noise } from "@chainsafe/libp2p-noise";
import { yamux } from "@chainsafe/libp2p-yamux";
import { mdns } from "@libp2p/mdns";
import { tcp } from "@libp2p/tcp";
import { createLibp2p } from "libp2p";
import process from "node:process";

const tell = (event: Record<string, unknown>) => {
  process.stdout.write(`${JSON.stringify({ epochMs: Date.now(), ...event })}\n`);
};
const node = await createLibp2p({
  addresses: { listen: ["/ip4/0.0.0.0/tcp/0"] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  peerDiscovery: [mdns({ interval: 1_000 })],
});
node.addEventListener("peer:discovery", ({ detail }) => {
  const addresses = detail.multiaddrs.map((address) => address.toString());
  tell({ event: "discovered", peerId: detail.id.toString(), addresses });
});
tell({ event: "ready", peerId: node.peerId.toString() });
for await (const _ of process.stdin); // until it ends
await node.stop();
process.exit(0);
