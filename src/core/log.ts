import { getLogger } from "@logtape/logtape";

/** Properties of a log line: data, never keys or secrets. */
export type LogProperties = Record<string, unknown>;

/** A logger for one folder: constant messages, data in properties. */
export interface FolderLogger {
  trace(message: string, properties?: LogProperties): void;
  debug(message: string, properties?: LogProperties): void;
  info(message: string, properties?: LogProperties): void;
  warn(message: string, properties?: LogProperties): void;
  error(message: string, properties?: LogProperties): void;
}

/**
 * The logger of a folder of `src/`, category `almenad.<folder>`. Silent until the daemon
 * configures where lines go.
 */
export function logger(folder: string): FolderLogger {
  return getLogger(["almenad", folder]);
}

/** Levels of a log filter, most talkative first. */
export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "off"] as const;

/** One of {@link LOG_LEVELS}. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Which log lines pass. */
export interface LogFilter {
  /** For every folder not named below. */
  readonly level: LogLevel;
  /** By folder of `src/`, such as `network`. */
  readonly targets: Readonly<Record<string, LogLevel>>;
}
