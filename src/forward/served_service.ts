import { connect, type Socket } from "node:net";
import { DaemonError, guard, logger, messageOf, withDeadline } from "../core/mod.ts";
import type { PeerStream, PeerStreams } from "../network/mod.ts";
import {
  Connections,
  type ForwardCounts,
  MAX_CONNECTIONS_EACH,
  type SharedCount,
} from "./connections.ts";
import { endpointText, parseEndpoint } from "./endpoint.ts";
import { joinSocket } from "./joined_socket.ts";

/** Longest wait for the program behind a service. */
const DIAL_TIMEOUT_MS = 10_000;

/** Streams of a service go over relays too, and may be silent for as long as their ends like. */
export const STREAM_LIMITS = {
  maxStreams: MAX_CONNECTIONS_EACH,
  overRelay: true,
  mayBeSilent: true,
} as const;

/** The protocol of a service, as Kubo names those of its users. */
export function serviceProtocol(service: string): string {
  return `/x/${service}`;
}

/** A service that peers reach through us. */
export interface ServiceInit {
  readonly service: string;
  /** Where the program listens, such as `127.0.0.1:8080`. */
  readonly target: string;
  /** Peer ids, `trusted` or `anyone`. */
  readonly allow: readonly string[];
}

/** What {@link ServedService} uses. */
export interface ServiceComponents {
  readonly streams: Pick<PeerStreams, "handle">;
  readonly shared: SharedCount;
  isTrusted(peerId: string): boolean;
}

const log = logger("forward");

/** Takes streams of the peers that may come, and joins each to a connection to a local program. */
export class ServedService {
  readonly init: ServiceInit;
  readonly #components: ServiceComponents;
  readonly #connections: Connections;
  #end: (() => Promise<void>) | undefined;

  /** @throws {DaemonError} `invalid_argument` for a target that is no address. */
  constructor(components: ServiceComponents, init: ServiceInit) {
    this.init = { ...init, target: endpointText(parseEndpoint(init.target)) };
    this.#components = components;
    this.#connections = new Connections(components.shared);
  }

  get counts(): ForwardCounts {
    return this.#connections.counts;
  }

  async start(): Promise<void> {
    const protocol = serviceProtocol(this.init.service);
    this.#end = await this.#components.streams.handle(
      protocol,
      (stream) => this.#serve(stream),
      STREAM_LIMITS,
    );
  }

  async stop(): Promise<void> {
    this.#connections.endAll();
    await this.#end?.();
  }

  #mayUse(peerId: string): boolean {
    return this.init.allow.some((who) =>
      who === "anyone" || who === peerId ||
      (who === "trusted" && this.#components.isTrusted(peerId))
    );
  }

  async #serve(stream: PeerStream): Promise<void> {
    const { service, target } = this.init;
    const { peerId } = stream;
    if (!this.#mayUse(peerId)) {
      this.#connections.refuse();
      log.info("A peer that may not use a service was refused", { service, peerId });
      return stream.abort("This peer may not use the service");
    }
    let socket: Socket | undefined;
    const end = () => {
      stream.abort("The service was closed");
      socket?.resetAndDestroy();
    };
    await this.#connections.run(end, async () => {
      try {
        socket = await dial(target);
        await joinSocket(socket, stream);
      } catch (failure) {
        stream.abort("The service does not answer");
        const reason = messageOf(failure);
        log.debug("A connection to a service failed", { service, target, peerId, reason });
        throw failure;
      }
    }).catch(() => undefined); // counted and told
  }
}

/** Connects to a program; the socket is paused. */
async function dial(target: string): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connect({ ...parseEndpoint(target), allowHalfOpen: true });
  socket.on("error", reject);
  socket.once("connect", () => guard("reach a service", () => resolve()));
  try {
    await withDeadline(promise, DIAL_TIMEOUT_MS, `reach ${target}`);
  } catch (cause) {
    socket.destroy();
    throw new DaemonError("unavailable", `Cannot reach ${target}: ${messageOf(cause)}`, { cause });
  }
  socket.setNoDelay?.(true);
  return socket;
}
