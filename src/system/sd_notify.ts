/** Tells systemd how we are, sd_notify(3): datagrams of `NAME=value` lines to a Unix socket. */
import { readFile, unlink } from "node:fs/promises";
import { posix } from "node:path";
import {
  type Clock,
  DaemonError,
  guard,
  logger,
  messageOf,
  type Service,
  type Timer,
  withDeadline,
} from "../core/mod.ts";
import type { CommandRunner } from "./command.ts";

/** What {@link SdNotifier} uses. */
export interface SdNotifierComponents {
  clock: Clock;
  /** Starts `systemd-notify` where the runtime cannot send the datagram itself. */
  run: CommandRunner;
}

/** How {@link SdNotifier} behaves. */
export interface SdNotifierInit {
  /** NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID and XDG_RUNTIME_DIR are looked at. */
  env: Readonly<Record<string, string | undefined>>;
  /** Our own process id. */
  pid: number;
  /**
   * A private folder where our end of the socket may lie for a moment; made before `start()`.
   * When its path is too long for a socket, XDG_RUNTIME_DIR is taken.
   */
  folder: string;
  /** Asked before each sign of life: none is given while this says no. @default {() => true} */
  isAlive?: () => boolean;
}

/** The part of the runtime's datagram sockets that is used; it needs `--unstable-net`. */
interface DatagramSocket {
  send(bytes: Uint8Array, to: { transport: "unixpacket"; path: string }): Promise<number>;
  close(): void;
}
type ListenDatagram = (options: { transport: "unixpacket"; path: string }) => DatagramSocket;

const SEND_TIMEOUT_MS = 2_000;
/** sockaddr_un of unix(7) holds 108 bytes, the last one 0. */
const MAX_SOCKET_PATH_BYTES = 107;

const log = logger("system");

/**
 * The daemon's line to systemd; without NOTIFY_SOCKET in the environment everything here does
 * nothing. Failures are logged and never thrown: being heard is no condition for working.
 */
export class SdNotifier implements Service {
  readonly name = "sd-notify";
  readonly #components: SdNotifierComponents;
  readonly #init: SdNotifierInit;
  readonly #target: string | undefined;
  #socket: DatagramSocket | undefined;
  #watchdog: Timer | undefined;
  #isOpen = false;
  #saidStopping = false;

  constructor(components: SdNotifierComponents, init: SdNotifierInit) {
    this.#components = components;
    this.#init = init;
    this.#target = init.env["NOTIFY_SOCKET"] || undefined;
  }

  /** True when somebody listens to us. */
  get isSupervised(): boolean {
    return this.#target !== undefined;
  }

  /** True when `systemd-notify` is started for every message. */
  get needsPrograms(): boolean {
    return this.#target !== undefined && this.#socket === undefined;
  }

  /** Opens the socket and begins with signs of life, if they are asked for. */
  async start(): Promise<void> {
    if (this.#target === undefined || this.#isOpen) return;
    this.#isOpen = true;
    this.#saidStopping = false;
    // Deno cannot name an abstract socket; systemd-notify can.
    if (!this.#target.startsWith("@")) this.#socket = await this.#open();
    if (this.#socket === undefined) {
      log.warn("Telling systemd by systemd-notify, which needs NotifyAccess=all", {
        notifySocket: this.#target,
      });
    }
    const intervalMs = watchdogIntervalMs(this.#init.env, this.#init.pid);
    if (intervalMs === undefined) return;
    this.#watchdog = this.#components.clock.every(
      intervalMs,
      () => guard("tell systemd that we live", () => this.#signOfLife()),
    );
  }

  /** Says that we stop, if that was not said yet, and closes the socket. */
  async stop(): Promise<void> {
    this.#watchdog?.cancel();
    this.#watchdog = undefined;
    await this.stopping();
    this.#isOpen = false;
    this.#socket?.close();
    this.#socket = undefined;
  }

  /** Startup is complete, or a reload is. */
  async ready(status?: string): Promise<void> {
    await this.#send(status === undefined ? ["READY=1"] : ["READY=1", statusLine(status)]);
  }

  /** Shutdown has begun. */
  async stopping(): Promise<void> {
    if (this.#saidStopping) return;
    this.#saidStopping = true;
    await this.#send(["STOPPING=1"]);
  }

  /** The configuration is being read again; {@link SdNotifier.ready} ends it. */
  async reloading(): Promise<void> {
    const now = await monotonicUsec();
    await this.#send(["RELOADING=1", ...(now === undefined ? [] : [`MONOTONIC_USEC=${now}`])]);
  }

  /** One line for `systemctl status`. */
  async status(text: string): Promise<void> {
    await this.#send([statusLine(text)]);
  }

  async #signOfLife(): Promise<void> {
    if (this.#init.isAlive?.() ?? true) return await this.#send(["WATCHDOG=1"]);
    log.warn("No sign of life to systemd: the daemon is not well");
  }

  async #send(lines: readonly string[]): Promise<void> {
    const path = this.#target;
    if (path === undefined || !this.#isOpen) return;
    try {
      const sent = this.#socket
        ? this.#socket.send(new TextEncoder().encode(lines.join("\n")), {
          transport: "unixpacket",
          path,
        })
        : this.#sendByProgram(lines);
      await withDeadline(Promise.resolve(sent), SEND_TIMEOUT_MS, "tell systemd");
    } catch (error) {
      log.warn("Cannot tell systemd", { lines, error: messageOf(error) });
    }
  }

  async #sendByProgram(lines: readonly string[]): Promise<void> {
    const options = { timeoutMs: SEND_TIMEOUT_MS };
    const answer = await this.#components.run(["systemd-notify", ...lines], options);
    if (answer.code === 0) return;
    throw new DaemonError(
      "unavailable",
      `systemd-notify ended with ${answer.code}: ${answer.stderr}`,
    );
  }

  async #open(): Promise<DatagramSocket | undefined> {
    const listen = (Deno as unknown as { listenDatagram?: ListenDatagram }).listenDatagram;
    if (listen === undefined) return undefined;
    try {
      // No path: the kernel picks an abstract name (unix(7), autobind). Needs all permissions.
      return listen({ transport: "unixpacket", path: "" });
    } catch {
      const folders = [this.#init.folder, this.#init.env["XDG_RUNTIME_DIR"] ?? this.#init.folder];
      const paths = folders.map((folder) => posix.join(folder, `notify-${this.#init.pid}.sock`));
      const fits = (path: string) =>
        new TextEncoder().encode(path).byteLength <= MAX_SOCKET_PATH_BYTES;
      const path = paths.find(fits);
      return path === undefined ? undefined : await this.#openAt(listen, path);
    }
  }

  async #openAt(listen: ListenDatagram, path: string): Promise<DatagramSocket | undefined> {
    try {
      await unlink(path).catch(() => undefined);
      const socket = listen({ transport: "unixpacket", path });
      await unlink(path); // nobody answers us, so the name is not needed
      return socket;
    } catch (error) {
      log.warn("Cannot open a socket to systemd", { path, error: messageOf(error) });
      return undefined;
    }
  }
}

/**
 * Half of the time systemd waits for a sign of life (sd_watchdog_enabled(3)), if it waits for ours.
 *
 * @returns Milliseconds, or undefined when no watchdog is set, or it is another process's.
 */
export function watchdogIntervalMs(
  env: Readonly<Record<string, string | undefined>>,
  pid: number,
): number | undefined {
  const usec = Number(env["WATCHDOG_USEC"]);
  const owner = env["WATCHDOG_PID"];
  if (!Number.isSafeInteger(usec) || usec <= 0) return undefined;
  if (owner !== undefined && owner !== String(pid)) return undefined;
  return Math.max(1, Math.floor(usec / 2_000));
}

function statusLine(text: string): string {
  return `STATUS=${text.replaceAll(/[\r\n]+/g, " ")}`;
}

/**
 * CLOCK_MONOTONIC in microseconds. The runtime does not show it, so it is read from the uptime:
 * counted in hundredths and including suspension, hence rounded up; systemd only asks that it
 * is not earlier than its own reload request.
 */
async function monotonicUsec(): Promise<number | undefined> {
  const text = await readFile("/proc/uptime", "utf8").catch(() => "");
  const seconds = Number.parseFloat(text);
  return Number.isFinite(seconds) ? Math.ceil((seconds + 0.01) * 1_000_000) : undefined;
}
