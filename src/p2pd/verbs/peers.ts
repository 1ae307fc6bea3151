/** IDENTIFY, CONNECT, DISCONNECT, LIST_PEERS and PEERSTORE. */
import type { Libp2p, PeerId } from "@libp2p/interface";
import { type Answer, deadlineOf, ok, refusal, required } from "../answer.ts";
import { idBytes, peerIdOf, withoutPeerId } from "../peer_ids.ts";
import { decodeMultiaddr } from "../wire/control_address.ts";
import {
  type ConnectFields,
  type PeerInfoFields,
  PEERSTORE,
  PeerstoreRequest,
} from "../wire/messages.ts";

/** The swarm as far as these requests need it. */
export interface PeerPart {
  readonly node: Libp2p;
  dial(peerId: string, addresses: readonly string[], signal: AbortSignal): Promise<void>;
  disconnect(peerId: string, signal: AbortSignal): Promise<void>;
}

/** IDENTIFY. */
export function identify({ node }: PeerPart): Answer {
  const addrs = node.getMultiaddrs().map((address) => withoutPeerId(address).bytes);
  return ok({ identify: { id: idBytes(node.peerId), addrs } });
}

/** CONNECT. */
export async function connect(
  part: PeerPart,
  body: ConnectFields | undefined,
  closed: AbortSignal,
): Promise<Answer> {
  const { peer, addrs = [], timeout } = required(body);
  const peerId = peerIdOf(peer);
  const addresses = addrs.map((address) => decodeMultiaddr(address).toString());
  if (peerId.equals(part.node.peerId)) {
    throw refusal(`failed to dial ${peerId}: dial to self attempted`);
  }
  await part.dial(peerId.toString(), addresses, deadlineOf(timeout, closed));
  return ok();
}

/** DISCONNECT. */
export async function disconnect(
  part: PeerPart,
  body: { peer: Uint8Array } | undefined,
  closed: AbortSignal,
): Promise<Answer> {
  const { peer } = required(body);
  await part.disconnect(peerIdOf(peer).toString(), deadlineOf(undefined, closed));
  return ok();
}

/** LIST_PEERS. */
export function listPeers({ node }: PeerPart): Answer {
  const peers = new Map<string, PeerInfoFields>();
  for (const { remotePeer, remoteAddr, limits } of node.getConnections()) {
    const name = remotePeer.toString();
    if (peers.has(name) && limits) continue; // a direct connection is the one that is used
    peers.set(name, { id: idBytes(remotePeer), addrs: [withoutPeerId(remoteAddr).bytes] });
  }
  return ok({ peers: [...peers.values()] });
}

/** PEERSTORE, of the JavaScript line. */
export async function peerstore({ node }: PeerPart, body: Uint8Array): Promise<Answer> {
  const { type, id } = PeerstoreRequest.decode(body);
  const peerId = peerIdOf(required(id, "id"));
  if (type === PEERSTORE.getProtocols) {
    return ok({ peerStore: { protos: await protocolsOf(node, peerId) } });
  }
  if (type !== PEERSTORE.getPeerInfo) throw refusal("ERR_INVALID_REQUEST_TYPE");
  const { multiaddrs } = await node.peerStore.getInfo(peerId).catch(() => {
    throw refusal("peer not found");
  });
  const addrs = multiaddrs.map((address) => withoutPeerId(address).bytes);
  return ok({ peerStore: { peer: { id: idBytes(peerId), addrs } } });
}

async function protocolsOf(node: Libp2p, peerId: PeerId): Promise<string[]> {
  const peer = await node.peerStore.get(peerId).catch(() => undefined);
  return peer?.protocols ?? [];
}
