import { peerIdFromString } from "@libp2p/peer-id";
import { Buffer } from "node:buffer";
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign,
  timingSafeEqual,
  verify,
} from "node:crypto";

/** DER prefix of an Ed25519 private key, RFC 8410 section 7. */
const PKCS8_ED25519 = Buffer.from("302e020100300506032b657004220420", "hex");
/** DER prefix of an Ed25519 public key, RFC 8410 section 4. */
const SPKI_ED25519 = Buffer.from("302a300506032b6570032100", "hex");

/** Signs as this daemon, and checks what others signed. */
export class SigningKey {
  readonly peerId: string;
  /** 32 bytes; null without an identity. */
  readonly publicKey: Uint8Array | null;
  readonly #key: KeyObject | undefined;

  /** @param identity Peer id, and the seed followed by the public key; null without one. */
  constructor(identity: { readonly peerId: string; readonly raw: Uint8Array } | null) {
    this.peerId = identity?.peerId ?? "";
    this.publicKey = identity?.raw.slice(32) ?? null;
    this.#key = identity
      ? createPrivateKey({
        key: Buffer.concat([PKCS8_ED25519, identity.raw.subarray(0, 32)]),
        format: "der",
        type: "pkcs8",
      })
      : undefined;
  }

  /** 64 bytes; null without an identity. */
  sign(message: Uint8Array): Uint8Array | null {
    return this.#key ? new Uint8Array(sign(null, message, this.#key)) : null;
  }

  /** Whether an Ed25519 signature is of that peer; false for a peer with another kind of key. */
  verify(peerId: string, message: Uint8Array, signature: Uint8Array): boolean {
    const raw = rawPublicKey(peerId);
    if (!raw || signature.byteLength !== 64) return false;
    const der = Buffer.concat([SPKI_ED25519, raw]);
    try {
      const key = createPublicKey({ key: der, format: "der", type: "spki" });
      return verify(null, message, key, signature);
    } catch {
      return false; // the bytes are no point of the curve
    }
  }
}

/** The 32 bytes of the Ed25519 key that a peer id holds; undefined for another kind. */
export function rawPublicKey(peerId: string): Uint8Array | undefined {
  try {
    const id = peerIdFromString(peerId);
    return id.type === "Ed25519" ? id.publicKey.raw : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a word is the right one, in constant time; an empty one never is, contract 4.2. */
export function isSameText(given: string, right: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(right)) && right !== "";
}
