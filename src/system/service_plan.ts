/** The service systems that are known: systemd user units, launchd agents, Windows services. */
export type ServicePlatform = "linux" | "darwin" | "windows";

/** What is to be registered, and for whom. */
export interface ServiceTarget {
  platform: ServicePlatform;
  /** Absolute path of the program the service starts. */
  executable: string;
  /** What follows the program on its command line. */
  args: readonly string[];
  /** Home folder of the owner of the service. */
  home: string;
  /** Environment of the caller; XDG_CONFIG_HOME, XDG_DATA_HOME and SUDO_USER are looked at. */
  env: Readonly<Record<string, string | undefined>>;
  /** Numeric user id of the owner; 0 on Windows, which has none. */
  uid: number;
  /** A package already put the unit in place (Linux): it is enabled, not written. @default {false} */
  hasPackagedUnit?: boolean;
}

/** A file that is replaced. */
export interface WriteStep {
  readonly kind: "write";
  readonly path: string;
  readonly mode: number;
  readonly content: string;
}

/** A file that is deleted; its absence is no failure. */
export interface RemoveStep {
  readonly kind: "remove";
  readonly path: string;
}

/** A program of the system that is run. */
export interface CommandStep {
  readonly kind: "command";
  readonly argv: readonly string[];
  /** Verb phrase for the error: "Cannot <purpose>: …". */
  readonly purpose: string;
  /** The plan goes on when it fails. @default {false} */
  readonly mayFail?: boolean;
  /** Tried so often, a second apart: some services only answer a moment later. @default {1} */
  readonly attempts?: number;
  /** The way out, when it fails. */
  readonly remedy?: string;
}

/** One thing a plan does. */
export type PlanStep = WriteStep | RemoveStep | CommandStep;

/** What registering or removing a service comes to, as plain data. */
export interface ServicePlan {
  readonly platform: ServicePlatform;
  readonly steps: readonly PlanStep[];
  /** What its owner should know afterwards, a line each. */
  readonly notes: readonly string[];
}

/** How much of the log is shown. */
export interface LogsOptions {
  /** Newest lines, so many. @default {100} */
  lines?: number;
  /** Goes on with new lines until cancelled. @default {false} */
  follow?: boolean;
}

/** What the service system says of the service. */
export interface ServiceStatus {
  readonly platform: ServicePlatform;
  /** Name the service system knows it by. */
  readonly service: string;
  readonly isInstalled: boolean;
  readonly state: "not_installed" | "stopped" | "starting" | "running" | "stopping" | "failed";
  /** Process id while one runs. */
  readonly pid?: number;
  /** How the last process ended, when known and not 0. */
  readonly exitCode?: number;
  /** One line for people, in the service system's words. */
  readonly detail: string;
  /** What to do about it; absent when all is well. */
  readonly remedy?: string;
}

/** How one service system is spoken to; everything here is pure. */
export interface ServiceSystem {
  /** Name the service is registered under. */
  readonly service: string;
  /**
   * @param isInstalled True when a registration is replaced.
   * @throws {DaemonError} `invalid_argument` for a path the system cannot be told.
   */
  install(target: ServiceTarget, isInstalled: boolean): ServicePlan;
  uninstall(target: ServiceTarget): ServicePlan;
  /** Files whose presence means that it is registered; none where only the system knows. */
  registration(target: ServiceTarget): readonly string[];
  /** Asks the system for the state. */
  statusCommand(target: ServiceTarget): readonly string[];
  /** Reads the answer to {@link ServiceSystem.statusCommand}. */
  parseStatus(answer: CommandAnswer): ServiceStatus;
  logsCommand(target: ServiceTarget, options: LogsOptions): readonly string[];
}

/** How a program ended and what it printed. */
export interface CommandAnswer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}
