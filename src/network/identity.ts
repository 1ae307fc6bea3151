import {
  generateKeyPair,
  privateKeyFromProtobuf,
  privateKeyFromRaw,
  privateKeyToProtobuf,
} from "@libp2p/crypto/keys";
import type { Ed25519PrivateKey, PrivateKey } from "@libp2p/interface";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { Buffer } from "node:buffer";
import { createPrivateKey, createPublicKey } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { DaemonError, messageOf, systemCode, writeDurably } from "../core/mod.ts";

/** The daemon's key and the peer id it stands for. */
export interface Identity {
  readonly peerId: string;
  readonly privateKey: PrivateKey;
}

/** The identity file is there, but cannot be trusted; the supervisor must not restart (exit 6). */
export class DamagedIdentityError extends DaemonError {
  constructor(path: string, reason: string, remedy: string) {
    super("data_loss", `Cannot use identity ${path}: ${reason}; ${remedy}`);
  }
}

/** Largest identity file read, in bytes; an Ed25519 key takes 68. */
const IDENTITY_BYTES = 4_096;
/** DER prefix of an Ed25519 private key, RFC 8410 section 7. */
const PKCS8_ED25519 = Buffer.from("302e020100300506032b657004220420", "hex");

/**
 * Reads `identity.key` (libp2p protobuf private key, Ed25519; contract 1.3), or makes it if there
 * is none. An existing file is never replaced, whatever is wrong with it.
 *
 * @param folder The data folder.
 * @throws {DamagedIdentityError} if the file is damaged, of another key type or readable by others.
 * @throws {DaemonError} `permission_denied` if it cannot be read or written,
 *   `resource_exhausted` on a full disk.
 */
export async function loadIdentity(folder: string): Promise<Identity> {
  const path = join(folder, "identity.key");
  const stored = await readIdentity(path);
  const privateKey = stored ? decodeIdentity(stored, path) : await createIdentity(path);
  return { privateKey, peerId: peerIdFromPrivateKey(privateKey).toString() };
}

/**
 * The peer id of the identity that is there; undefined if there is none, and none is made.
 *
 * @throws {DaemonError} as {@link loadIdentity} does.
 */
export async function storedPeerId(folder: string): Promise<string | undefined> {
  const path = join(folder, "identity.key");
  const stored = await readIdentity(path);
  return stored && peerIdFromPrivateKey(decodeIdentity(stored, path)).toString();
}

async function readIdentity(path: string): Promise<Uint8Array | undefined> {
  try {
    const { mode, size } = await stat(path);
    if (process.platform !== "win32" && (mode & 0o077) !== 0) {
      const rights = (mode & 0o777).toString(8);
      const reason = `it is readable by other users (mode ${rights})`;
      throw new DamagedIdentityError(path, reason, `run: chmod 600 "${path}"`);
    }
    if (size > IDENTITY_BYTES) throw damaged(path, `it has ${size} bytes`);
    return await readFile(path);
  } catch (cause) {
    if (cause instanceof DaemonError) throw cause;
    if (systemCode(cause) === "ENOENT") return undefined;
    throw new DaemonError(
      "permission_denied",
      `Cannot read identity ${path}: ${messageOf(cause)}; make it readable for this user`,
      { cause },
    );
  }
}

function decodeIdentity(bytes: Uint8Array, path: string): PrivateKey {
  let key: PrivateKey;
  try {
    key = privateKeyFromProtobuf(bytes);
  } catch (failure) {
    throw damaged(path, `it is not a private key (${messageOf(failure)})`);
  }
  if (key.type !== "Ed25519") throw damaged(path, `it holds a ${key.type} key, not Ed25519`);
  checkPublicHalf(key, path);
  return key;
}

// The file holds the public key beside the secret one; a flipped bit in either would give a peer
// id that nobody can verify.
function checkPublicHalf(key: Ed25519PrivateKey, path: string): void {
  const derived = privateKeyFromRaw(derivePair(key.raw.subarray(0, 32)));
  if (Buffer.compare(derived.publicKey.raw, key.raw.subarray(32)) !== 0) {
    throw damaged(path, "its public key does not belong to its private key");
  }
}

function derivePair(seed: Uint8Array): Uint8Array {
  const key = createPrivateKey({
    key: Buffer.concat([PKCS8_ED25519, seed]),
    format: "der",
    type: "pkcs8",
  });
  const spki = createPublicKey(key).export({ format: "der", type: "spki" });
  return Buffer.concat([seed, spki.subarray(-32)]);
}

async function createIdentity(path: string): Promise<PrivateKey> {
  const key = await generateKeyPair("Ed25519");
  try {
    await writeDurably(path, privateKeyToProtobuf(key), { mode: 0o600 });
  } catch (cause) {
    throw new DaemonError(
      systemCode(cause) === "ENOSPC" ? "resource_exhausted" : "permission_denied",
      `Cannot write identity ${path}: ${messageOf(cause)}; make the folder writable and free space`,
      { cause },
    );
  }
  return key;
}

function damaged(path: string, reason: string): DamagedIdentityError {
  const remedy = "restore it from a backup, or move it away to start as a new peer";
  return new DamagedIdentityError(path, reason, remedy);
}
