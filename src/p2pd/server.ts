import { chmod, lstat, unlink } from "node:fs/promises";
import process from "node:process";
import {
  DaemonError,
  guard,
  isLive,
  listenLocal,
  type LocalAddress,
  type LocalServer,
  type LocalSocket,
  logger,
  messageOf,
  type Service,
  systemCode,
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
  readonly #sockets = new Set<LocalSocket>();
  #server: LocalServer | undefined;

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
    const [endpoint] = this.endpoints();
    if (!endpoint) return "";
    return controlAddressText({ ...this.#address, ...endpoint });
  }

  /** The same for whoever checks that it listens. */
  endpoints(): readonly LocalAddress[] {
    if (!this.#server) return [];
    if ("path" in this.#address) return [this.#address];
    return [{ host: this.#address.host, port: this.#server.port }];
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
    const closed = server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    if ("path" in this.#address) await unlink(this.#address.path).catch(() => undefined);
  }

  // Under this mask the socket is for this user alone from its first moment.
  async #listen(): Promise<void> {
    const mask = process.umask(0o077);
    try {
      this.#server = await listenLocal(this.#address, (socket) => this.#accept(socket));
    } finally {
      process.umask(mask);
    }
  }

  #accept(socket: LocalSocket): void {
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
  if (await isLive(path).catch(() => true)) {
    throw new DaemonError(
      "already_exists",
      `Cannot listen on ${path}: a program answers there; stop it or give another path`,
    );
  }
  await unlink(path).catch(() => undefined);
}
