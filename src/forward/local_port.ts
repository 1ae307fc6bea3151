import type { AddressInfo, Server, Socket } from "node:net";
import { createServer } from "node:net";
import { DaemonError, guard, logger, messageOf, releaseWhenClosed } from "../core/mod.ts";
import type { Links, PeerStream, PeerStreams } from "../network/mod.ts";
import { Connections, type ForwardCounts, type SharedCount } from "./connections.ts";
import { endpointText, isOwnMachine, parseEndpoint } from "./endpoint.ts";
import { joinSocket } from "./joined_socket.ts";
import { serviceProtocol, STREAM_LIMITS } from "./served_service.ts";

/** A port of this machine that leads to a peer's service. */
export interface PortInit {
  readonly peerId: string;
  /** Where the peer was reached; empty if it is found by its id. */
  readonly address: string;
  readonly service: string;
  /** Where programs connect; port 0 for a free one. */
  readonly listen: string;
}

/** What {@link LocalPort} uses. */
export interface PortComponents {
  readonly streams: Pick<PeerStreams, "open" | "isConnected">;
  readonly links: Pick<Links, "connect">;
  readonly shared: SharedCount;
}

const log = logger("forward");

/** Listens here, and joins each connection to a stream to the peer. */
export class LocalPort {
  readonly #components: PortComponents;
  readonly #connections: Connections;
  readonly #ended = new AbortController();
  #init: PortInit;
  #server: Server | undefined;
  #problem = "";

  /** @throws {DaemonError} `invalid_argument`, `permission_denied` for others' reach. */
  constructor(components: PortComponents, init: PortInit & { allowsRemote: boolean }) {
    const { allowsRemote, ...rest } = init;
    const { host } = parseEndpoint(init.listen);
    if (!allowsRemote && !isOwnMachine(host)) {
      throw new DaemonError(
        "permission_denied",
        `Cannot listen on ${host}: other machines could use the peer's service through this one; ` +
          "start the daemon with --allow-remote if they may",
      );
    }
    this.#components = components;
    this.#init = rest;
    this.#connections = new Connections(components.shared);
  }

  /** With the real port once it listens. */
  get init(): PortInit {
    return this.#init;
  }

  get counts(): ForwardCounts {
    return this.#connections.counts;
  }

  /** Why the last connection failed; empty if it did not. */
  get problem(): string {
    return this.#problem;
  }

  /** @throws {DaemonError} `unavailable` if the address cannot be had. */
  async start(): Promise<void> {
    const { host, port } = parseEndpoint(this.#init.listen);
    const server = createServer(
      { allowHalfOpen: true, pauseOnConnect: true },
      (socket) => guard("forward a connection", () => this.#forward(socket)),
    );
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.on("error", reject);
    try {
      server.listen({ host, port }, () => resolve());
      await promise;
    } catch (cause) {
      const message = `Cannot listen on ${this.#init.listen}: ${messageOf(cause)}; ` +
        "give another port, or 0 for any that is free";
      throw new DaemonError("unavailable", message, { cause });
    }
    this.#server = server;
    const { port: real } = server.address() as AddressInfo;
    this.#init = { ...this.#init, listen: endpointText({ host, port: real }) };
  }

  stop(): Promise<void> {
    this.#ended.abort();
    this.#connections.endAll();
    const { promise, resolve } = Promise.withResolvers<void>();
    if (!this.#server) return Promise.resolve();
    this.#server.close(() => resolve());
    return promise;
  }

  async #forward(socket: Socket): Promise<void> {
    releaseWhenClosed(socket);
    socket.on("error", () => undefined); // whoever reads or writes hears of it
    socket.setNoDelay?.(true);
    let stream: PeerStream | undefined;
    const end = () => {
      stream?.abort("The forward was closed");
      socket.resetAndDestroy();
    };
    await this.#connections.run(end, async () => {
      try {
        stream = await this.#open();
        if (socket.destroyed) return stream.abort("The program left");
        await joinSocket(socket, stream);
        this.#problem = "";
      } catch (failure) {
        socket.resetAndDestroy();
        this.#problem = messageOf(failure);
        const { peerId, service } = this.#init;
        log.debug("A forwarded connection failed", { peerId, service, failure });
        throw failure;
      }
    }).catch(() => undefined); // counted and told
  }

  async #open(): Promise<PeerStream> {
    const { streams, links } = this.#components;
    const { peerId, address, service } = this.#init;
    const { signal } = this.#ended;
    if (address && !streams.isConnected(peerId)) await links.connect(address, signal);
    return await streams.open(peerId, serviceProtocol(service), signal, STREAM_LIMITS);
  }
}
