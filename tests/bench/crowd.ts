/** Many peers that come and go, so that a daemon has a long peer list. */
import { noise } from "@chainsafe/libp2p-noise";
import { yamux } from "@chainsafe/libp2p-yamux";
import { tcp } from "@libp2p/tcp";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";

/** Whom to visit. */
export interface CrowdTarget {
  readonly peerId: string;
  readonly addrs: readonly string[];
}

/** Lets `count` new peers connect over loopback and leave again. */
export async function joinCrowd(target: CrowdTarget, count: number): Promise<void> {
  const loopback = target.addrs.find((address) => address.startsWith("/ip4/127.0.0.1/"));
  const address = multiaddr(`${loopback}/p2p/${target.peerId}`);
  for (let joined = 0; joined < count; joined++) {
    const node = await createLibp2p({
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      connectionGater: { denyDialMultiaddr: () => false },
    });
    await node.dial(address);
    await node.stop();
  }
}
