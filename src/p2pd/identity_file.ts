import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from "@libp2p/crypto/keys";
import type { PrivateKey } from "@libp2p/interface";
import { readFile } from "node:fs/promises";
import { DaemonError, messageOf, systemCode, writeDurably } from "../core/mod.ts";

/** A fresh key, when no file is named. */
export async function freshKey(): Promise<PrivateKey> {
  return await generateKeyPair("Ed25519");
}

/**
 * The key in a file (libp2p protobuf private key, RSA or Ed25519); a missing file is made, with an
 * Ed25519 key, readable for this user alone.
 *
 * @throws {DaemonError} `data_loss` if it holds no such key, `permission_denied` if it cannot be
 *   read or made.
 */
export async function loadKeyFile(path: string): Promise<PrivateKey> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return await makeKeyFile(path);
    throw unusable(path, cause);
  }
  let key: PrivateKey;
  try {
    key = privateKeyFromProtobuf(bytes);
  } catch (cause) {
    const reason = `it is not a private key (${messageOf(cause)})`;
    throw new DaemonError("data_loss", `Cannot use identity ${path}: ${reason}`, { cause });
  }
  if (key.type === "RSA" || key.type === "Ed25519") return key;
  throw new DaemonError("data_loss", `Cannot use identity ${path}: ${key.type} keys are not known`);
}

async function makeKeyFile(path: string): Promise<PrivateKey> {
  const key = await freshKey();
  try {
    await writeDurably(path, privateKeyToProtobuf(key), { mode: 0o400 });
  } catch (cause) {
    throw unusable(path, cause);
  }
  return key;
}

function unusable(path: string, cause: unknown): DaemonError {
  const message = `Cannot use identity ${path}: ${messageOf(cause)}`;
  return new DaemonError("permission_denied", message, { cause });
}
