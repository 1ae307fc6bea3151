import { Buffer } from "node:buffer";
import { chmod } from "node:fs/promises";
import process from "node:process";
import {
  type Clock,
  CONTROL_CONNECTIONS,
  type ControlPlace,
  guard,
  type Health,
  listenLocal,
  type LocalAddress,
  type LocalServer,
  type LocalSocket,
  type OperationRegistry,
  type Random,
  type Service,
  type Timer,
  withDeadline,
} from "../../core/mod.ts";
import { Answers } from "./answers.ts";
import { ControlConnection } from "./connection.ts";
import {
  cannotListen,
  clearPlace,
  removePlace,
  writePathFile,
  writePortFile,
} from "./socket_files.ts";

/** A client that neither asks nor listens for so long is sent away, contract 2.1. */
export const IDLE_MS = 300_000;
/** A client that must show a token has so long for it. */
const AUTH_MS = 5_000;
/** How long answers under way may take at stop. */
const DRAIN_MS = 400;

/** What {@link ControlServer} uses. */
export interface ControlServerComponents<Components> {
  registry: OperationRegistry<Components>;
  health: Health;
  clock: Clock;
  random: Random;
  /** Stops the daemon in order. */
  shutDown(): void;
}

/** How {@link ControlServer} behaves. */
export interface ControlServerInit {
  place: ControlPlace;
  /** Whether the socket's folder is ours alone, so that its rights are put right. @default {true} */
  ownsFolder?: boolean;
  /** @default {100} */
  maxConnections?: number;
  /** @default {300_000} */
  idleMs?: number;
  /** Loopback TCP and a token in place of a Unix socket. @default {only on Windows} */
  usesTcp?: boolean;
}

/** Connections open and refused. */
export interface ControlCounts {
  readonly open: number;
  readonly refused: number;
}

/** The control socket: newline-delimited JSON for the programs of this user, contract 2. */
export class ControlServer<Components> implements Service {
  readonly name = "control";
  readonly #components: ControlServerComponents<Components>;
  readonly #init: Required<ControlServerInit>;
  readonly #answers: Answers<Components>;
  readonly #connections = new Map<ControlConnection, Promise<void>>();
  #server: LocalServer | undefined;
  #sweep: Timer | undefined;
  #token: string | undefined;
  #refused = 0;
  #isStopping = false;

  constructor(components: ControlServerComponents<Components>, init: ControlServerInit) {
    this.#components = components;
    this.#init = {
      place: init.place,
      ownsFolder: init.ownsFolder ?? true,
      maxConnections: init.maxConnections ?? CONTROL_CONNECTIONS,
      idleMs: init.idleMs ?? IDLE_MS,
      usesTcp: init.usesTcp ?? process.platform === "win32",
    };
    const { registry } = components;
    this.#answers = new Answers({ registry, isStopping: () => this.#isStopping });
  }

  /** Connections open and refused. */
  get counts(): ControlCounts {
    return { open: this.#connections.size, refused: this.#refused };
  }

  /** Where it listens now, for whoever checks that it does. */
  endpoints(): readonly LocalAddress[] {
    if (!this.#server) return [];
    if (this.#init.usesTcp) return [{ host: "127.0.0.1", port: this.#server.port }];
    return [{ path: this.#init.place.socket }];
  }

  /** The same for people: path of the socket, or `host:port`. Empty when it does not listen. */
  address(): string {
    const [endpoint] = this.endpoints();
    if (!endpoint) return "";
    return "path" in endpoint ? endpoint.path : `${endpoint.host}:${endpoint.port}`;
  }

  /**
   * @throws {DaemonError} `already_exists` if another daemon answers there, else as
   *   {@link clearPlace}.
   */
  async start(): Promise<void> {
    const { place, ownsFolder, idleMs, usesTcp } = this.#init;
    this.#isStopping = false;
    if (usesTcp) this.#token = Buffer.from(this.#components.random.bytes(32)).toString("hex");
    await clearPlace(place, { ownsFolder });
    try {
      const port = await this.#listen();
      if (this.#token) await writePortFile(place, { port, token: this.#token });
      else {
        await chmod(place.socket, 0o600);
        await writePathFile(place);
      }
    } catch (cause) {
      await this.stop();
      throw cannotListen(place.socket, cause);
    }
    const round = Math.min(AUTH_MS, Math.max(10, idleMs / 4));
    this.#sweep = this.#components.clock.every(
      round,
      () => guard("send idle control clients away", () => this.#sendIdleAway()),
    );
    this.#components.health.serving("control");
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.#isStopping = true;
    this.#sweep?.cancel();
    if (!server) return;
    const closed = server.close();
    for (const connection of this.#connections.keys()) connection.stop();
    const served = Promise.all(this.#connections.values());
    await withDeadline(served, DRAIN_MS, "answer every request").catch(() => undefined);
    for (const connection of this.#connections.keys()) connection.destroy();
    await closed;
    await removePlace(this.#init.place);
  }

  // Everything made under this mask is for this user alone, so the socket is from its first moment.
  async #listen(): Promise<number> {
    const { place, usesTcp } = this.#init;
    const address = usesTcp ? { host: "127.0.0.1", port: 0 } : { path: place.socket };
    const mask = process.umask(0o077);
    try {
      this.#server = await listenLocal(address, (socket) => this.#accept(socket));
    } finally {
      process.umask(mask);
    }
    return this.#server.port;
  }

  #accept(socket: LocalSocket): void {
    if (this.#connections.size >= this.#init.maxConnections && !this.#makeRoom()) {
      this.#refused++;
      socket.on("error", () => undefined);
      socket.destroy();
      return;
    }
    const connection = new ControlConnection({
      socket,
      answers: this.#answers,
      isStopping: () => this.#isStopping,
      shutDown: () => this.#components.shutDown(),
      monotonic: () => this.#components.clock.monotonic(),
    }, { token: this.#token });
    const served = connection.run();
    this.#connections.set(connection, served);
    socket.once("close", () => this.#connections.delete(connection));
  }

  // A subscriber that closed looks like one that only reads, until something is sent to it.
  #makeRoom(): boolean {
    const forsaken = [...this.#connections.keys()].find(({ isForsaken }) => isForsaken);
    if (!forsaken) return false;
    forsaken.destroy();
    this.#connections.delete(forsaken);
    return true;
  }

  #sendIdleAway(): void {
    for (const connection of this.#connections.keys()) {
      const limit = connection.isTrusted ? this.#init.idleMs : Math.min(AUTH_MS, this.#init.idleMs);
      if (connection.idleMs() > limit) connection.destroy();
    }
  }
}
