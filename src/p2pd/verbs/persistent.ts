/** PERSISTENT_CONN_UPGRADE: many calls at once over one connection, contract 3.1. */
import type { Libp2p } from "@libp2p/interface";
import { Buffer } from "node:buffer";
import { DaemonError, guard, messageOf } from "../../core/mod.ts";
import { deadlineOf, type LongAnswer, refusal } from "../answer.ts";
import type { ClientSocket } from "../client_socket.ts";
import { connectionTo, peerIdOf } from "../peer_ids.ts";
import type { UnaryHandlers, UnaryServer } from "../unary_handlers.ts";
import {
  type CallUnaryFields,
  PersistentRequest,
  type PersistentRequestFields,
  PersistentResponse,
  type PersistentResponseFields,
  RESPONSE,
  type UnaryResponseFields,
} from "../wire/messages.ts";

/** Calls of one connection under way, each way; reliability section 2. */
export const MAX_CALLS = 1_024;

/** What persistent connections use. */
export interface PersistentPart {
  readonly node: Libp2p;
  readonly unary: UnaryHandlers;
  readonly maxBytes: number;
  /** Told when one begins; the returned function is called at its end. */
  opened(): () => void;
}

/** The upgrade. */
export function persistent(part: PersistentPart): LongAnswer {
  return {
    response: { type: RESPONSE.ok },
    async follow(socket: ClientSocket): Promise<boolean> {
      const ended = part.opened();
      const connection = new PersistentConnection(part, socket);
      try {
        await connection.run();
      } finally {
        await connection.end();
        ended();
      }
      return false;
    },
  };
}

interface Waiter {
  resolve(response: UnaryResponseFields): void;
  reject(failure: unknown): void;
}

class PersistentConnection implements UnaryServer {
  readonly #part: PersistentPart;
  readonly #socket: ClientSocket;
  // Calls of this client under way, and calls that wait for its answers.
  readonly #calls = new Map<string, AbortController>();
  readonly #waiters = new Map<string, Waiter>();

  constructor(part: PersistentPart, socket: ClientSocket) {
    this.#part = part;
    this.#socket = socket;
  }

  async run(): Promise<void> {
    this.#socket.limitTo(this.#part.maxBytes);
    for (;;) {
      const bytes = await this.#socket.next();
      if (!bytes) return;
      const request = PersistentRequest.decode(bytes);
      if (request.callId.byteLength !== 16) throw refusal("callId is no UUID");
      await this.#take(request);
    }
  }

  async end(): Promise<void> {
    for (const call of this.#calls.values()) call.abort();
    for (const waiter of this.#waiters.values()) waiter.reject(refusal("the handler is gone"));
    this.#waiters.clear();
    await this.#part.unary.removeAll(this);
  }

  async call(
    callId: Uint8Array,
    request: CallUnaryFields,
    signal: AbortSignal,
  ): Promise<UnaryResponseFields> {
    if (this.#waiters.size >= MAX_CALLS) throw refusal("the handler has too many calls");
    // Callers choose their ids; one that is in use already would take another's answer.
    const id = this.#waiters.has(keyOf(callId))
      ? crypto.getRandomValues(new Uint8Array(16))
      : callId;
    const { promise, resolve, reject } = Promise.withResolvers<UnaryResponseFields>();
    this.#waiters.set(keyOf(id), { resolve, reject });
    const cancel = () => {
      reject(new DaemonError("cancelled", "The caller gave up"));
      guard("cancel a call", () => this.#send({ callId: id, cancel: {} }));
    };
    signal.addEventListener("abort", cancel, { once: true });
    try {
      await this.#send({ callId: id, requestHandling: request });
      return await promise;
    } finally {
      signal.removeEventListener("abort", cancel);
      this.#waiters.delete(keyOf(id));
    }
  }

  async #take(request: PersistentRequestFields): Promise<void> {
    const { callId } = request;
    if (request.callUnary) {
      const { callUnary } = request;
      guard("call another peer", () => this.#callPeer(callId, callUnary));
    } else if (request.unaryResponse) {
      this.#waiters.get(keyOf(callId))?.resolve(request.unaryResponse);
    } else if (request.cancel) {
      this.#calls.get(keyOf(callId))?.abort();
    } else {
      await this.#send(await this.#changeHandlers(request));
    }
  }

  async #changeHandlers(request: PersistentRequestFields): Promise<PersistentResponseFields> {
    const { callId, addUnaryHandler, removeUnaryHandler } = request;
    try {
      if (addUnaryHandler) {
        const { proto, balanced = false } = addUnaryHandler;
        await this.#part.unary.add(proto, this, balanced);
      } else if (removeUnaryHandler) {
        await this.#part.unary.remove(removeUnaryHandler.proto, this);
      } else throw refusal("Malformed request; missing parameters");
      return { callId };
    } catch (failure) {
      return { callId, daemonError: { message: messageOf(failure) } };
    }
  }

  async #callPeer(callId: Uint8Array, request: CallUnaryFields): Promise<void> {
    const key = keyOf(callId);
    if (this.#calls.size >= MAX_CALLS || this.#calls.has(key)) {
      const message = this.#calls.has(key) ? "callId is in use" : "too many calls are under way";
      return await this.#send({ callId, daemonError: { message } });
    }
    const cancelled = new AbortController();
    this.#calls.set(key, cancelled);
    try {
      const callUnaryResponse = await this.#exchange(callId, request, cancelled.signal);
      await this.#send({ callId, callUnaryResponse });
    } catch (failure) {
      if (this.#socket.closed.aborted) return;
      await this.#send(
        cancelled.signal.aborted
          ? { callId, cancel: {} }
          : { callId, daemonError: { message: messageOf(failure) } },
      );
    } finally {
      this.#calls.delete(key);
    }
  }

  async #exchange(
    callId: Uint8Array,
    request: CallUnaryFields,
    signal: AbortSignal,
  ): Promise<UnaryResponseFields> {
    const { node, unary } = this.#part;
    const peerId = peerIdOf(request.peer);
    if (peerId.equals(node.peerId)) throw refusal("dial to self attempted");
    const connection = connectionTo(node, peerId) ??
      await node.dial(peerId, { signal: deadlineOf(undefined, signal) });
    return await unary.call(connection, callId, request, signal);
  }

  async #send(response: PersistentResponseFields): Promise<void> {
    await this.#socket.write(PersistentResponse.encode(response));
  }
}

function keyOf(callId: Uint8Array): string {
  return Buffer.from(callId).toString("hex");
}
