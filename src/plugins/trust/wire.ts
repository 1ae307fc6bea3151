/** How handshake messages travel: one a connection to port 444, answered by one word. */
import { DaemonError, logger } from "../../core/mod.ts";
import { readMessage } from "../exchange.ts";
import type { Connection, Daemon } from "../plugin.ts";
import { HANDSHAKE_PORT } from "../port_gate.ts";
import { MAX_MESSAGE_BYTES, printable } from "./messages.ts";
import type { Relay } from "./relay.ts";

/** Longest wait for a message to be told, its link included; contract 4.4. */
export const SEND_TIMEOUT_MS = 10_000;
/** Longest answer. */
const MAX_ANSWER_BYTES = 64;

const log = logger("plugins");

/**
 * Brings a message to a peer, or leaves it at one that both trust.
 *
 * @throws {DaemonError} `unavailable` if neither is there, `aborted` if the peer refuses it.
 */
export async function deliver(
  { daemon, relay }: { daemon: Daemon; relay: Relay },
  peerId: string,
  text: string,
  { signal, timeoutMs }: { signal: AbortSignal; timeoutMs: number },
): Promise<"direct" | "relayed"> {
  let connection: Connection;
  try {
    connection = await daemon.dialConnection(peerId, HANDSHAKE_PORT, { signal });
  } catch (cause) {
    if (await relay.leave(peerId, text)) return "relayed";
    throw new DaemonError(
      "unavailable",
      `Cannot reach peer "${peerId}", and no peer that both trust is there to keep the message`,
      { cause },
    );
  }
  const readWriter = daemon.newConnReadWriter(connection);
  try {
    await readWriter.write(new TextEncoder().encode(text));
    await readWriter.closeWrite();
    const bytes = await readMessage(readWriter, MAX_ANSWER_BYTES, timeoutMs);
    const word = new TextDecoder().decode(bytes);
    if (word === "ok") return "direct";
    throw new DaemonError("aborted", `Peer "${peerId}" refused the message: ${printable(word)}`);
  } finally {
    readWriter.close();
  }
}

/** Reads a message from a connection, has it taken, and says how that went. */
export async function answer(
  daemon: Daemon,
  connection: Connection,
  take: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const readWriter = daemon.newConnReadWriter(connection);
  try {
    const bytes = await readMessage(readWriter, MAX_MESSAGE_BYTES, SEND_TIMEOUT_MS);
    let word = "ok";
    try {
      await take(bytes);
    } catch (error) {
      word = error instanceof DaemonError ? error.code : "internal";
      const peerId = connection.info().remotePeer;
      log.debug("A handshake message was refused", { peerId, error });
    }
    await readWriter.write(new TextEncoder().encode(word));
  } finally {
    readWriter.close();
  }
}
