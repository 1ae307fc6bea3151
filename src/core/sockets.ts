import type { Socket } from "node:net";

/** Node's name for the link from a handle to its socket. */
const OWNER = "ownerSymbol";
const KEEPS_HANDLES = Deno.version.deno.startsWith("2.7.");

/**
 * Lets go of a connection once it is closed. Deno 2.7 keeps the handle of every accepted one for
 * ever, and with it the socket and whatever listens to it: 12 KiB for a connection of the swarm,
 * measured. Without the link from handle to socket a few hundred bytes stay.
 */
export function releaseWhenClosed(socket: Socket): void {
  if (!KEEPS_HANDLES) return;
  const { _handle: handle } = socket as unknown as { _handle?: Record<symbol, unknown> | null };
  const owner = handle && Object.getOwnPropertySymbols(handle)
    .find(({ description }) => description === OWNER);
  if (!owner) return;
  // Later than whatever else still has to be done about the end.
  socket.once("close", () => setImmediate(() => handle[owner] = undefined));
}
