import { chmod, lstat, unlink } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import process from "node:process";
import {
  DaemonError,
  guard,
  logger,
  messageOf,
  releaseWhenClosed,
  type Service,
  systemCode,
  withDeadline,
} from "../core/mod.ts";
import { ClientSocket } from "./client_socket.ts";
import { type P2pdParts, serveClient } from "./connection.ts";
import {
  type ControlAddress,
  controlAddressText,
  parseControlAddress,
} from "./wire/control_address.ts";

/** Clients at once; each stream of a pooled client is a connection, reliability section 2. */
export const P2PD_CONNECTIONS = 4_096;
/** A client between two requests may be silent for so long. */
const IDLE_MS = 600_000;
/** Longest wait for a socket that may be live. */
const PROBE_TIMEOUT_MS = 2_000;

/** The places of connections; the control plane's rules. */
export interface Places {
  take(end: () => void): Place | undefined;
  counts(): { open: number; refused: number; evicted: number };
}

/** The place of one connection. */
export interface Place {
  began(): void;
  ended(): void;
  spoke(): void;
  closed(): void;
}

/** What {@link P2pdServer} uses. */
export interface P2pdServerComponents {
  /** Asked once a request came; the swarm runs by then. */
  parts(): P2pdParts;
  /** @param idleMs How long a client may be silent. */
  places: (init: { maxConnections: number; silenceMs: number; idleMs: number }) => Places;
}

/** How {@link P2pdServer} behaves. */
export interface P2pdServerInit {
  /** Control address in text form. */
  listen: string;
  /** @default {4_096} */
  maxConnections?: number;
}

const log = logger("p2pd");

/** The control socket of the p2pd protocol, contract 3. */
export class P2pdServer implements Service {
  readonly name = "p2pd";
  readonly #components: P2pdServerComponents;
  readonly #address: ControlAddress;
  readonly #places: Places;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;

  /** @throws {DaemonError} `invalid_argument` if the address is none. */
  constructor(components: P2pdServerComponents, init: P2pdServerInit) {
    this.#components = components;
    this.#address = parseControlAddress(init.listen);
    this.#places = components.places({
      maxConnections: init.maxConnections ?? P2PD_CONNECTIONS,
      silenceMs: IDLE_MS,
      idleMs: IDLE_MS,
    });
  }

  /** Connections open and refused. */
  get counts(): { open: number; refused: number; evicted: number } {
    return this.#places.counts();
  }

  /** Where it listens, as a multiaddr, with the real port; empty when it does not. */
  address(): string {
    const bound = this.#server?.address();
    if (!bound) return "";
    if ("path" in this.#address || typeof bound === "string") {
      return controlAddressText(this.#address);
    }
    return controlAddressText({ ...this.#address, port: bound.port });
  }

  /** The same for whoever checks that it listens. */
  endpoints(): readonly ({ path: string } | { host: string; port: number })[] {
    const bound = this.#server?.address();
    if (!bound) return [];
    if ("path" in this.#address) return [this.#address];
    const { host } = this.#address;
    return typeof bound === "string" ? [] : [{ host, port: bound.port }];
  }

  /**
   * @throws {DaemonError} `already_exists` if another program listens there, else `unavailable` or
   *   `permission_denied`.
   */
  async start(): Promise<void> {
    if ("path" in this.#address) await clearSocket(this.#address.path);
    try {
      await this.#listen();
      if ("path" in this.#address) await chmod(this.#address.path, 0o600);
    } catch (cause) {
      await this.stop();
      const isDenied = ["EACCES", "EPERM", "EROFS"].includes(systemCode(cause) ?? "");
      throw new DaemonError(
        isDenied ? "permission_denied" : "unavailable",
        `Cannot listen on ${controlAddressText(this.#address)}: ${messageOf(cause)}; ` +
          "give another address with -listen",
        { cause },
      );
    }
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server) return;
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    server.close(() => resolve());
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    if ("path" in this.#address) await unlink(this.#address.path).catch(() => undefined);
  }

  // Under this mask the socket is for this user alone from its first moment.
  async #listen(): Promise<void> {
    const server = createServer(
      { allowHalfOpen: true },
      (socket) => guard("accept a p2pd client", () => this.#accept(socket)),
    );
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once("error", reject);
    const mask = process.umask(0o077);
    try {
      if ("path" in this.#address) server.listen(this.#address.path, () => resolve());
      else server.listen(this.#address.port, this.#address.host, () => resolve());
      await promise;
    } finally {
      process.umask(mask);
    }
    server.removeListener("error", reject);
    server.on("error", (error) => log.error("Listener failed", { error }));
    this.#server = server;
  }

  #accept(socket: Socket): void {
    releaseWhenClosed(socket);
    const place = this.#places.take(() => socket.destroy());
    if (!place) {
      socket.on("error", () => undefined);
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    const client = new ClientSocket(socket);
    socket.once("close", () => {
      this.#sockets.delete(socket);
      place.closed();
    });
    place.spoke();
    guard("serve a p2pd client", async () => {
      try {
        await serveClient(client, this.#components.parts(), place);
      } catch (failure) {
        log.debug("A client is sent away", { failure });
        client.destroy();
      }
    });
  }
}

async function clearSocket(path: string): Promise<void> {
  const stat = await lstat(path).catch(() => undefined);
  if (!stat) return;
  if (!stat.isSocket()) {
    throw new DaemonError(
      "failed_precondition",
      `Cannot listen on ${path}: a file that is no socket is there; move it away`,
    );
  }
  if (await isLive(path)) {
    throw new DaemonError(
      "already_exists",
      `Cannot listen on ${path}: a program answers there; stop it or give another path`,
    );
  }
  await unlink(path).catch(() => undefined);
}

// Only a refusal proves that nobody listens; a program too busy to accept is alive.
async function isLive(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(path);
  socket.once("connect", () => resolve(true));
  socket.once("error", (error) => resolve(systemCode(error) !== "ECONNREFUSED"));
  try {
    return await withDeadline(promise, PROBE_TIMEOUT_MS, "reach the socket").catch(() => true);
  } finally {
    socket.destroy();
  }
}
