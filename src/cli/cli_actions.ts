import type { Command } from "commander";
import type { ClientCall } from "./command_context.ts";
import type { OutputFormat } from "./output.ts";

/** Flags that every command knows, as given. */
export interface GlobalFlags {
  readonly format: OutputFormat;
  readonly dev: boolean;
  readonly dataDir?: string;
  readonly instance?: string;
  readonly grpcAddr?: string;
  readonly restAddr?: string;
  readonly p2pListen?: string;
  readonly p2pdListen?: string;
  readonly allowRemote?: boolean;
  readonly adminTokenFile?: string;
  readonly private?: boolean;
  readonly trustAutoApprove?: boolean;
}

/** Where a service is to be installed, as given. */
export interface ServiceFlags {
  readonly dryRun: boolean;
  readonly platform?: string;
  readonly follow: boolean;
}

/** Flags of the library's headless harness, as given; contract 5.6. */
export interface LibraryCliFlags {
  /** Shown in the first line. */
  readonly name: string;
  /** The library's folder. */
  readonly dir: string;
  /** Holds identity, index and settings. */
  readonly state: string;
}

/** What the commands do; each resolves to an exit code. */
export interface CliActions {
  version(format: OutputFormat): Promise<number>;
  run(flags: GlobalFlags): Promise<number>;
  runAsService(flags: GlobalFlags): Promise<number>;
  /** Runs a p2pd; its flags are its own. */
  p2pd(args: readonly string[]): Promise<number>;
  showConfig(flags: GlobalFlags, options: { origin: boolean }): Promise<number>;
  validateConfig(flags: GlobalFlags, path: string | undefined): Promise<number>;
  service(
    verb: "install" | "uninstall" | "status" | "logs",
    flags: GlobalFlags,
    options: ServiceFlags,
  ): Promise<number>;
  /** The shared library without a screen, until standard input ends. */
  libraryCli(options: LibraryCliFlags): Promise<number>;
  /** A command that talks to a daemon. */
  client(call: ClientCall, flags: GlobalFlags): Promise<number>;
  /**
   * Words that are no command but may name an operation, such as `network peers`.
   *
   * @returns Undefined if they do not.
   */
  operation(words: readonly string[], flags: GlobalFlags): Promise<number | undefined>;
  /** What could be typed next. */
  complete(words: readonly string[], program: Command): Promise<number>;
}
