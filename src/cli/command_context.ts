import type { Client } from "../client/mod.ts";
import type { DataDirs } from "../core/mod.ts";
import type { WantedAddress } from "./doctor/port_checks.ts";
import type { Output } from "./output.ts";
import type { GlobalFlags } from "./cli_actions.ts";
import type { Paint, Terminal } from "./terminal.ts";

/** Names of the commands that talk to a daemon, or about one. */
export type ClientCommandName =
  | "start"
  | "stop"
  | "restart"
  | "status"
  | "peers"
  | "ping"
  | "connect"
  | "disconnect"
  | "call"
  | "library list"
  | "library ls"
  | "library search"
  | "library get"
  | "library install"
  | "library update"
  | "library uninstall"
  | "library cancel"
  | "library scan"
  | "library add"
  | "library set-dir"
  | "library repair"
  | "library verify"
  | "files copy"
  | "jobs"
  | "events"
  | "logs"
  | "instances"
  | "instances start"
  | "instances stop"
  | "doctor"
  | "dashboard"
  | "bugreport"
  | "completions"
  | "complete"
  | PluginCommandName
  | ReachCommandName;

/** Those about DHT, pubsub, relays and forwarded ports. */
export type ReachCommandName =
  | `dht ${"put" | "get" | "find-peer" | "provide" | "find-providers"}`
  | `pubsub ${"topics" | "publish" | "subscribe"}`
  | `relay ${"status" | "reserve" | "release"}`
  | "listen"
  | "forward"
  | `forward ${"list" | "close"}`;

/** Those about trust, policies, webhooks and plugins. */
export type PluginCommandName =
  | `trust ${"list" | "pending" | "request" | "approve" | "reject" | "revoke" | "wait" | "invite"}`
  | "trust accept"
  | `policy ${"list" | "show" | "start" | "stop" | "explain"}`
  | `webhook ${"show" | "set" | "stats" | "test"}`
  | "plugins list";

/** Options of one command, as given. */
export type CommandOptions = Readonly<Record<string, unknown>>;

/** A command line, parsed. */
export interface ClientCall {
  readonly name: ClientCommandName;
  readonly args: readonly string[];
  readonly options: CommandOptions;
}

/** One instance of this user. */
export interface KnownInstance {
  readonly name: string;
  readonly state: "running" | "stopped";
  readonly pid: number | undefined;
  readonly dataDir: string;
}

/** A daemon that was started in the background. */
export interface StartedDaemon {
  /** Its exit code, once it has ended. */
  readonly ended: Promise<number>;
  /** What it said when it could not start. */
  lastWords(): Promise<string>;
  /** Removes what held its last words. */
  forget(): Promise<void>;
}

/** What commands need of the machine underneath. */
export interface MachineParts {
  /** The command line of almenad itself, without arguments. */
  readonly program: readonly string[];
  /** Whether a process owns the data folder. */
  isLocked(dirs: DataDirs): Promise<boolean>;
  readPid(dirs: DataDirs): Promise<number | undefined>;
  listInstances(root: string): Promise<readonly KnownInstance[]>;
  /** The flags that the running daemon was started with, as words. */
  flagsOf(dirs: DataDirs): Promise<readonly string[]>;
  /** @param before Words that stand before the flags, which outdo them. */
  startInBackground(
    flags: GlobalFlags,
    dirs: DataDirs,
    before: readonly string[],
  ): Promise<StartedDaemon>;
  /**
   * Where the daemon listens by its configuration.
   *
   * @throws {DaemonError} if that is not valid.
   */
  wantedAddresses(flags: GlobalFlags): Promise<readonly WantedAddress[]>;
  /**
   * The configuration, and where each value comes from.
   *
   * @throws {DaemonError} if it is not valid.
   */
  settings(flags: GlobalFlags): Promise<{ config: unknown; origins: unknown }>;
  /** Whether a browser took the address; never rejects. */
  openInBrowser(url: string): Promise<boolean>;
  /**
   * Who this daemon is by its data folder; undefined before its first start.
   *
   * @throws {DaemonError} if the identity is damaged or cannot be read.
   */
  storedPeerId(dirs: DataDirs): Promise<string | undefined>;
  /** Kind, name, summary and positional fields of every operation that is built in. */
  operations(): Promise<readonly KnownOperation[]>;
}

/** One operation as commands see it. */
export interface KnownOperation {
  readonly method: string;
  readonly kind: "query" | "action" | "stream";
  readonly scope: "core" | "library";
  readonly summary: string;
  readonly positional: readonly string[];
  /** Names of its fields and whether each is a list, where known. */
  readonly input: Readonly<Record<string, unknown>>;
}

/** Everything a command works with. */
export interface CommandContext {
  readonly client: Client;
  readonly dirs: DataDirs;
  readonly flags: GlobalFlags;
  readonly output: Output;
  readonly terminal: Terminal;
  readonly paint: Paint;
  readonly machine: MachineParts;
  /** Aborts at Ctrl-C, which then no longer ends the process by itself. */
  interrupted(): AbortSignal;
  /** The same for another instance. */
  forInstance(name: string): CommandContext;
}

/** Prints one result: as JSON, or in words. */
export function print(context: CommandContext, json: unknown, words: () => string): void {
  context.output.out(context.flags.format === "json" ? JSON.stringify(json) : words());
}
