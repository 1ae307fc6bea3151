/** Peer ids and addresses as p2pd carries them. */
import type { Connection, Libp2p, PeerId } from "@libp2p/interface";
import { peerIdFromMultihash } from "@libp2p/peer-id";
import type { Multiaddr } from "@multiformats/multiaddr";
import * as Digest from "multiformats/hashes/digest";
import { Buffer } from "node:buffer";
import { messageOf } from "../core/mod.ts";
import { refusal } from "./answer.ts";

/** Peer ids that were read; a program asks for the same few again and again. */
const MAX_KNOWN = 256;
const known = new Map<string, PeerId>();

/** Reads a peer id. @throws {DaemonError} for bytes that are none. */
export function peerIdOf(bytes: Uint8Array): PeerId {
  const name = Buffer.from(bytes).toString("latin1");
  const found = known.get(name) ?? readPeerId(bytes);
  if (known.size >= MAX_KNOWN) known.clear();
  known.set(name, found);
  return found;
}

function readPeerId(bytes: Uint8Array): PeerId {
  try {
    return peerIdFromMultihash(Digest.decode(bytes) as Parameters<typeof peerIdFromMultihash>[0]);
  } catch (failure) {
    throw refusal(`failed to parse peer ID: ${messageOf(failure)}`);
  }
}

/** A peer id's bytes. */
export function idBytes(peerId: PeerId): Uint8Array {
  return peerId.toMultihash().bytes;
}

/** An address without the peer's own id behind it. */
export function withoutPeerId(address: Multiaddr): Multiaddr {
  const [last] = address.getComponents().slice(-1);
  return last?.name === "p2p" ? address.decapsulateCode(last.code) : address;
}

const described = new WeakMap<Connection, { peer: Uint8Array; addr: Uint8Array }>();

/** The other end of a connection, as every stream of it is introduced. */
export function remoteOf(connection: Connection): { peer: Uint8Array; addr: Uint8Array } {
  const known = described.get(connection);
  if (known) return known;
  const { remotePeer, remoteAddr } = connection;
  const remote = { peer: idBytes(remotePeer), addr: withoutPeerId(remoteAddr).bytes };
  described.set(connection, remote);
  return remote;
}

/** The first connection to a peer, direct ones before relayed ones. */
export function connectionTo(node: Libp2p, peerId: PeerId): Connection | undefined {
  const connections = node.getConnections(peerId);
  return connections.find(({ limits }) => limits === undefined) ?? connections[0];
}
