import { publicKeyFromRaw } from "@libp2p/crypto/keys";
import { peerIdFromPublicKey } from "@libp2p/peer-id";
import { multiaddr } from "@multiformats/multiaddr";
import { createHash } from "node:crypto";
import { DaemonError } from "../../core/mod.ts";
import { rawPublicKey } from "../signing.ts";

/** What a ticket says. */
export interface Ticket {
  readonly peerId: string;
  /** Multiaddrs without `/p2p/…`. */
  readonly addresses: readonly string[];
}

/** First letters of every ticket; only letters that QR codes hold in few dots. */
const PREFIX = "ALMENA:";
/** Form of what follows: version, 32 bytes of key, addresses each after its length, checksum. */
const VERSION = 1;
const KEY_BYTES = 32;
const CHECK_BYTES = 4;
/** Addresses in a ticket; more would make it long. */
export const MAX_ADDRESSES = 4;
/** Longest ticket that is read. */
export const MAX_TICKET_LENGTH = 1_024;
/** RFC 4648 section 6. */
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** A short text that leads to a peer: its id and where it is. It holds no secret. */
export function formatTicket({ peerId, addresses }: Ticket): string {
  const key = rawPublicKey(peerId);
  if (!key) throw new DaemonError("failed_precondition", "Cannot invite: no Ed25519 identity");
  const parts = addresses.slice(0, MAX_ADDRESSES).flatMap((address) => {
    const { bytes } = multiaddr(address);
    return [bytes.byteLength, ...bytes];
  });
  const body = Uint8Array.from([VERSION, ...key, ...parts]);
  return PREFIX + toBase32(Uint8Array.from([...body, ...checksum(body)]));
}

/** Reads a ticket, however it was spelled or broken into lines. @throws {DaemonError} */
export function parseTicket(text: string): Ticket {
  if (text.length > MAX_TICKET_LENGTH) throw refused("it is too long");
  const plain = text.replace(/\s+/g, "").toUpperCase();
  if (!plain.startsWith(PREFIX)) throw refused(`it does not begin with ${PREFIX}`);
  const bytes = fromBase32(plain.slice(PREFIX.length));
  const body = bytes.subarray(0, -CHECK_BYTES);
  const isWhole = body.byteLength > KEY_BYTES &&
    checksum(body).every((byte, index) => byte === bytes[body.byteLength + index]);
  if (!isWhole) throw refused("a part of it is missing or mistyped");
  if (body[0] !== VERSION) throw refused("it is of another version; upgrade almenad");
  try {
    const key = publicKeyFromRaw(body.subarray(1, 1 + KEY_BYTES));
    return {
      peerId: peerIdFromPublicKey(key).toString(),
      addresses: readAddresses(body.subarray(1 + KEY_BYTES)),
    };
  } catch {
    throw refused("it holds no peer");
  }
}

function readAddresses(bytes: Uint8Array): string[] {
  const addresses: string[] = [];
  for (let offset = 0; offset < bytes.byteLength;) {
    const end = offset + 1 + (bytes[offset] ?? 0);
    addresses.push(multiaddr(bytes.subarray(offset + 1, end)).toString());
    offset = end;
  }
  return addresses;
}

function checksum(bytes: Uint8Array): Uint8Array {
  return createHash("sha256").update(bytes).digest().subarray(0, CHECK_BYTES);
}

function toBase32(bytes: Uint8Array): string {
  let text = "";
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = (value << 8 | byte) & 0xfff;
    for (bits += 8; bits >= 5; bits -= 5) text += ALPHABET[value >> (bits - 5) & 31];
  }
  return bits > 0 ? text + ALPHABET[value << (5 - bits) & 31] : text;
}

function fromBase32(text: string): Uint8Array {
  const bytes: number[] = [];
  let bits = 0;
  let value = 0;
  for (const letter of text) {
    const digit = ALPHABET.indexOf(letter);
    if (digit < 0) throw refused(`"${letter}" is no letter of a ticket`);
    value = (value << 5 | digit) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push(value >> bits & 255);
  }
  return Uint8Array.from(bytes);
}

function refused(reason: string): DaemonError {
  return new DaemonError("invalid_argument", `Cannot use the ticket: ${reason}`);
}
