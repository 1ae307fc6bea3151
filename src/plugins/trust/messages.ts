/** The messages of the trust handshake, contract 4.4: made, signed, checked. */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import * as z from "zod";
import { DaemonError, once } from "../../core/mod.ts";
import type { Daemon } from "../plugin.ts";
import { rawPublicKey } from "../signing.ts";

/** Largest message, contract 4.4. */
export const MAX_MESSAGE_BYTES = 65_536;
/** Oldest message, contract 4.4. */
export const MAX_AGE_MS = 5 * 60_000;
/** How far a peer's clock may be ahead, contract 4.4. */
export const MAX_AHEAD_MS = 30_000;
/** Oldest relayed message, contract 4.4: as long as relays keep it. */
export const MAX_RELAYED_AGE_MS = 24 * 3_600_000;
/** Longest justification or reason that is kept, contract 4.4. */
export const MAX_TEXT = 1_024;

/** What a message says. */
export const MESSAGE_TYPES = [
  "handshake_request",
  "handshake_accept",
  "handshake_reject",
  "handshake_revoke",
] as const;

const Nonce = once(() => z.string().regex(/^[A-Za-z0-9+/]{22}==$/));
const Text = once(() => z.string().max(MAX_MESSAGE_BYTES).default(""));

const Message = once(() =>
  z.object({
    type: z.enum(MESSAGE_TYPES),
    node_id: z.int().min(0).max(0xffff_ffff),
    public_key: z.string().max(256).default(""),
    justification: Text(),
    signature: z.string().max(256).default(""),
    reason: Text(),
    nonce: Nonce(),
    timestamp: z.int().min(0),
    /** The nonce of the request that is answered; absent where a state is told unasked. */
    in_reply_to: Nonce().optional(),
    /** A network the sender belongs to, with a proof that it knows its token. */
    network: z.int().min(1).max(65_535).optional(),
    network_proof: z.string().max(128).optional(),
  })
);

/** One message. */
export type HandshakeMessage = Readonly<z.output<ReturnType<typeof Message>>>;
/** Its type. */
export type MessageType = HandshakeMessage["type"];

/** What the sender puts in. */
export interface MessageContent {
  readonly type: MessageType;
  readonly justification?: string;
  readonly reason?: string;
  readonly inReplyTo?: string | undefined;
  /** Proves membership, given the text that is proved. */
  readonly network?: { readonly id: number; prove(text: string): string | null } | undefined;
}

/** Makes and signs a message. @throws {DaemonError} `failed_precondition` without an identity. */
export function signMessage(
  daemon: Pick<Daemon, "peerId" | "nodeId" | "identity" | "sign">,
  to: string,
  content: MessageContent,
  now: number,
  nonce: Uint8Array,
): HandshakeMessage {
  const identity = daemon.identity();
  const unsigned = {
    type: content.type,
    node_id: daemon.nodeId(),
    public_key: Buffer.from(identity?.publicKey ?? []).toString("base64"),
    justification: printable(content.justification ?? ""),
    signature: "",
    reason: printable(content.reason ?? ""),
    nonce: Buffer.from(nonce).toString("base64"),
    timestamp: Math.floor(now / 1_000),
    ...content.inReplyTo === undefined ? {} : { in_reply_to: content.inReplyTo },
    ...networkFields(content, daemon.peerId(), to, Buffer.from(nonce).toString("base64")),
  };
  const signature = daemon.sign(signedBytes(unsigned, daemon.peerId(), to));
  if (!signature) {
    throw new DaemonError("failed_precondition", "Cannot sign: this daemon has no identity");
  }
  return { ...unsigned, signature: Buffer.from(signature).toString("base64") };
}

/** Reads a message. @throws {DaemonError} `invalid_argument`. */
export function parseMessage(bytes: Uint8Array): HandshakeMessage {
  if (bytes.byteLength > MAX_MESSAGE_BYTES) {
    throw refused(`it has over ${MAX_MESSAGE_BYTES} bytes`);
  }
  try {
    return Message().parse(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)));
  } catch (cause) {
    throw refused("it is no handshake message", cause);
  }
}

/**
 * Checks everything about a message but whether it was seen before.
 *
 * @param from Peer id that the link proved; of a relayed message, the one it claims.
 * @throws {DaemonError} `invalid_argument` or `unauthenticated`.
 */
export function checkAge(message: HandshakeMessage, now: number, maxAgeMs: number): void {
  const age = now - message.timestamp * 1_000;
  if (age > maxAgeMs) throw refused("it is too old");
  if (age < -MAX_AHEAD_MS) throw refused("it is from the future; compare the clocks");
}

/** Checks that a message was signed by the peer, for us. @throws {DaemonError} `unauthenticated`. */
export function checkSignature(
  daemon: Pick<Daemon, "peerId" | "verify">,
  message: HandshakeMessage,
  from: string,
): void {
  if (message.public_key === "") throw unauthentic("it holds no key");
  if (message.signature === "") throw unauthentic("it is not signed");
  const bytes = signedBytes(message, from, daemon.peerId());
  if (!daemon.verify(from, bytes, Buffer.from(message.signature, "base64"))) {
    throw unauthentic("its signature is wrong");
  }
  const key = Buffer.from(rawPublicKey(from) ?? []).toString("base64");
  if (key !== message.public_key) throw unauthentic("its key is another peer's");
}

/** What distinguishes a message from every other. */
export function messageHash(message: HandshakeMessage, from: string): string {
  return createHash("sha256").update(`${from}:${message.nonce}:${message.type}`).digest("base64");
}

/** The network whose token the sender of a message proved to know; 0 for none. */
export function provenNetwork(daemon: Daemon, message: HandshakeMessage, from: string): number {
  const { network, network_proof: proof, nonce } = message;
  if (network === undefined || proof === undefined) return 0;
  const text = proofText(from, daemon.peerId(), nonce);
  return daemon.networks().checkProof(network, text, proof) ? network : 0;
}

/** What a network's proof is about; bound to this one message. */
function proofText(from: string, to: string, nonce: string): string {
  return `almena-network/1:${from}:${to}:${nonce}`;
}

/**
 * Text that is safe to show: printable characters on one line, at most 1,024.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(printable("Hi\u001b[31m\n there\u202e"), "Hi[31m there");
 * ```
 */
export function printable(text: string): string {
  // Characters of the classes "other" (control, format, surrogate, unassigned) and line separators.
  return [...text.slice(0, 4 * MAX_TEXT).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "")]
    .slice(0, MAX_TEXT).join("").trim();
}

function networkFields(content: MessageContent, from: string, to: string, nonce: string) {
  const proof = content.network?.prove(proofText(from, to, nonce));
  return proof && content.network ? { network: content.network.id, network_proof: proof } : {};
}

function signedBytes(
  message: Omit<HandshakeMessage, "signature">,
  from: string,
  to: string,
): Uint8Array {
  const { type, nonce, timestamp, justification, reason } = message;
  const digest = createHash("sha256").update(justification).update("\0").update(reason)
    .digest("hex");
  const reply = message.in_reply_to === undefined ? "" : `:${message.in_reply_to}`;
  const text = `almena-handshake/1:${type}:${from}:${to}:${nonce}:${timestamp}:${digest}${reply}`;
  return new TextEncoder().encode(text);
}

function refused(reason: string, cause?: unknown): DaemonError {
  return new DaemonError("invalid_argument", `Cannot take the message: ${reason}`, { cause });
}

function unauthentic(reason: string): DaemonError {
  return new DaemonError("unauthenticated", `Cannot take the message: ${reason}`);
}
