import { createHash } from "node:crypto";
import { DaemonError } from "../core/mod.ts";

/** A 48-bit address: a network and a node in it. */
export interface NodeAddress {
  /** 16 bits. */
  readonly network: number;
  /** 32 bits. */
  readonly node: number;
}

/**
 * The short number of a peer, contract 4.2: the first 4 bytes of SHA-256 of the text of its peer
 * id, 0 counted as 1. Two peers may share one, so nothing is decided by it.
 */
export function nodeNumber(peerId: string): number {
  if (peerId === "") return 0;
  return createHash("sha256").update(peerId).digest().readUInt32BE(0) || 1;
}

/**
 * An address as text, `N:NNNN.HHHH.LLLL`.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(formatAddress({ network: 10, node: 0xdeadbeef }), "10:000A.DEAD.BEEF");
 * ```
 */
export function formatAddress({ network, node }: NodeAddress): string {
  const high = hex4(node >>> 16);
  return `${network}:${hex4(network)}.${high}.${hex4(node & 0xffff)}`;
}

/**
 * Reads what {@link formatAddress} wrote.
 *
 * @throws {DaemonError} `invalid_argument` for another form, or when the two spellings of the
 *   network differ.
 */
export function parseAddress(text: string): NodeAddress {
  const match = /^(\d{1,5}):([0-9A-Fa-f]{4})\.([0-9A-Fa-f]{4})\.([0-9A-Fa-f]{4})$/.exec(text);
  const [, decimal = "", ...groups] = match ?? [];
  const [network = NaN, high = NaN, low = NaN] = groups.map((group) => parseInt(group, 16));
  if (match && Number(decimal) === network) return { network, node: high * 0x10000 + low };
  const reason = match ? "its two spellings of the network differ" : "expected N:NNNN.HHHH.LLLL";
  throw new DaemonError(
    "invalid_argument",
    `Cannot use address ${JSON.stringify(text.slice(0, 100))}: ${reason}`,
  );
}

function hex4(value: number): string {
  return value.toString(16).toUpperCase().padStart(4, "0");
}
