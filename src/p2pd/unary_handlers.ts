import type { Connection, Libp2p, Stream } from "@libp2p/interface";
import { DaemonError, guard } from "../core/mod.ts";
import { refusal } from "./answer.ts";
import { idBytes } from "./peer_ids.ts";
import { readMessage, writeMessage } from "./stream_messages.ts";
import { MAX_HANDLED_STREAMS } from "./stream_handlers.ts";
import type { StreamWriting } from "./stream_pipe.ts";
import {
  type CallUnaryFields,
  PersistentRequest,
  type UnaryResponseFields,
} from "./wire/messages.ts";

/** A program that answers calls of other peers. */
export interface UnaryServer {
  /**
   * Answers one call.
   *
   * @param callId As the caller chose it.
   * @param signal Aborts when the caller gave up.
   */
  call(
    callId: Uint8Array,
    request: CallUnaryFields,
    signal: AbortSignal,
  ): Promise<UnaryResponseFields>;
}

/** What {@link UnaryHandlers} uses. */
export interface UnaryComponents {
  node(): Libp2p;
  writing: StreamWriting;
  /** Whether a program takes the streams of a protocol. */
  isTaken(protocol: string): boolean;
}

interface Registration {
  readonly isBalanced: boolean;
  readonly servers: UnaryServer[];
}

/**
 * Calls with one message each way, between programs of two peers, contract 3.1: both messages are
 * `PersistentConnectionRequest`, each behind its length.
 */
export class UnaryHandlers {
  readonly #components: UnaryComponents;
  readonly #maxBytes: number;
  readonly #registrations = new Map<string, Registration>();

  constructor(components: UnaryComponents, init: { maxBytes: number }) {
    this.#components = components;
    this.#maxBytes = init.maxBytes;
  }

  /** Protocols that some program answers. */
  has(protocol: string): boolean {
    return this.#registrations.has(protocol);
  }

  /** Registers a program. @throws {DaemonError} if another has the protocol alone. */
  async add(protocol: string, server: UnaryServer, isBalanced: boolean): Promise<void> {
    const present = this.#registrations.get(protocol);
    const isShared = present?.isBalanced && isBalanced;
    if ((present && !isShared) || this.#components.isTaken(protocol)) {
      throw refusal(`handler for protocol ${protocol} already set`);
    }
    if (present) return void present.servers.push(server);
    this.#registrations.set(protocol, { isBalanced, servers: [server] });
    await this.#components.node().handle(protocol, (stream, connection) => {
      if (stream.readStatus === "readable") stream.pause();
      guard("answer a call", () => this.#serve(protocol, stream, connection));
    }, {
      maxInboundStreams: MAX_HANDLED_STREAMS,
      maxOutboundStreams: MAX_HANDLED_STREAMS,
      runOnLimitedConnection: true,
    });
  }

  /** Removes a program. @throws {DaemonError} if it does not answer the protocol. */
  async remove(protocol: string, server: UnaryServer): Promise<void> {
    const registration = this.#registrations.get(protocol);
    const at = registration?.servers.indexOf(server) ?? -1;
    if (!registration || at < 0) throw refusal(`handler for protocol ${protocol} does not exist`);
    registration.servers.splice(at, 1);
    if (registration.servers.length > 0) return;
    this.#registrations.delete(protocol);
    await this.#components.node().unhandle(protocol);
  }

  /** Removes a program everywhere. */
  async removeAll(server: UnaryServer): Promise<void> {
    for (const [protocol, { servers }] of [...this.#registrations]) {
      if (servers.includes(server)) await this.remove(protocol, server);
    }
  }

  /** Calls a program of another peer. */
  async call(
    connection: Connection,
    callId: Uint8Array,
    request: CallUnaryFields,
    signal: AbortSignal,
  ): Promise<UnaryResponseFields> {
    const stream = await connection.newStream([request.proto], {
      signal,
      runOnLimitedConnection: true,
      maxOutboundStreams: MAX_HANDLED_STREAMS,
    });
    const giveUp = () => stream.abort(new DaemonError("cancelled", "The call was cancelled"));
    signal.addEventListener("abort", giveUp, { once: true });
    try {
      const answer = readMessage(stream, PersistentRequest, this.#maxBytes);
      answer.catch(() => undefined);
      const bytes = PersistentRequest.encode({ callId, callUnary: request });
      await writeMessage(stream, bytes, this.#components.writing);
      const { unaryResponse } = await answer;
      return unaryResponse ?? {};
    } finally {
      signal.removeEventListener("abort", giveUp);
      guard("end a call", () => stream.close());
    }
  }

  async #serve(protocol: string, stream: Stream, connection: Connection): Promise<void> {
    const abandoned = new AbortController();
    stream.addEventListener("close", () => abandoned.abort());
    try {
      const { callId, callUnary } = await readMessage(stream, PersistentRequest, this.#maxBytes);
      const server = this.#next(protocol);
      if (!callUnary) throw new DaemonError("invalid_argument", "The peer sent no call");
      // A caller that ends its side has given up: it waits for its answer with the stream open.
      stream.addEventListener("remoteCloseWrite", () => abandoned.abort());
      const request = { ...callUnary, peer: idBytes(connection.remotePeer) };
      const unaryResponse = await server.call(callId, request, abandoned.signal);
      const bytes = PersistentRequest.encode({ callId, unaryResponse });
      await writeMessage(stream, bytes, this.#components.writing);
      await stream.close();
    } catch (cause) {
      stream.abort(new DaemonError("aborted", "Cannot answer the call", { cause }));
    }
  }

  #next(protocol: string): UnaryServer {
    const servers = this.#registrations.get(protocol)?.servers;
    const server = servers?.shift();
    if (!server) throw new DaemonError("unavailable", `No program answers ${protocol}`);
    servers?.push(server); // in turn
    return server;
  }
}
