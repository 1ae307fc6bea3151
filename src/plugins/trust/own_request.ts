import { type Clock, DaemonError } from "../../core/mod.ts";
import { MAX_OUTGOING, OUTGOING_MS, RELAYED_OUTGOING_MS, type TrustBook } from "./trust_book.ts";

/**
 * Remembers a request of this daemon while it travels, and forgets it if nobody takes it.
 *
 * @param send Brings it to the peer, or to one that keeps it.
 * @throws {DaemonError} `resource_exhausted` while too many wait for an answer, or what `send` throws.
 */
export async function sendOwnRequest(
  { book, clock }: { readonly book: TrustBook; readonly clock: Clock },
  { peerId, nonce }: { readonly peerId: string; readonly nonce: string },
  send: () => Promise<"direct" | "relayed">,
): Promise<void> {
  const entry = { peerId, nonce, sentAt: new Date(clock.now()).toISOString() };
  const until = (ms: number) => new Date(clock.now() + ms).toISOString();
  if (book.stateOf(peerId) !== "trusted") {
    checkRoom(book, peerId);
    await book.change(peerId, () => {
      book.revoked.delete(peerId);
      book.outgoing.set(peerId, { ...entry, until: until(OUTGOING_MS) });
    });
  }
  try {
    const way = await send();
    if (way === "direct" || book.stateOf(peerId) !== "outgoing") return;
    await book.change(peerId, () => {
      book.outgoing.set(peerId, { ...entry, until: until(RELAYED_OUTGOING_MS) });
    });
  } catch (failure) {
    if (book.outgoing.get(peerId)?.nonce === nonce) {
      await book.change(peerId, () => book.outgoing.delete(peerId));
    }
    throw failure;
  }
}

function checkRoom(book: TrustBook, peerId: string): void {
  if (book.outgoing.has(peerId) || book.outgoing.size < MAX_OUTGOING) return;
  throw new DaemonError(
    "resource_exhausted",
    `Cannot ask "${peerId}" for trust: ${MAX_OUTGOING} requests wait for an answer already; ` +
      "try again when some were answered or given up",
  );
}
