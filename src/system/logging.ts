import {
  configureSync,
  type LogLevel as SinkLevel,
  type LogRecord,
  resetSync,
  type Sink,
} from "@logtape/logtape";
import { redactByField } from "@logtape/redaction";
import process from "node:process";
import { inspect } from "node:util";
import { type LogFilter, type LogLevel, messageOf, systemCode } from "../core/mod.ts";
import type { LogEntry } from "./log_hub.ts";

/** Where log lines go. */
export interface LogTargets {
  /** Receives each record as one line of JSON. */
  file?: { write(line: string): void };
  /** Receives each record as one line for people. */
  terminal?: { write(line: string): unknown };
  /** Receives each record as an entry, for those who read along. */
  hub?: { add(entry: LogEntry): void };
}

const SECRET_FIELDS = [/token/i, /secret/i, /password/i, /private.?key/i, /authorization/i];

/** Sends the log lines that pass the filter to the targets; may be called again at any time. */
export function configureLogging(filter: LogFilter, targets: LogTargets): void {
  const sinks: Record<string, Sink> = {};
  if (targets.file) sinks["file"] = toSink(targets.file, jsonLine);
  if (targets.terminal) sinks["terminal"] = toSink(targets.terminal, terminalLine);
  const { hub } = targets;
  if (hub) {
    sinks["hub"] = redactByField((record: LogRecord) => hub.add(entryOf(record)), SECRET_FIELDS);
  }
  const names = Object.keys(sinks);
  configureSync({
    reset: true,
    sinks,
    loggers: [
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: names },
      { category: ["almenad"], lowestLevel: sinkLevel(filter.level), sinks: names },
      ...Object.entries(filter.targets).map(([folder, level]) => ({
        category: ["almenad", folder],
        lowestLevel: sinkLevel(level),
        sinks: names, // what comes through the parent's sinks must pass the parent's level as well
        parentSinks: "override" as const,
      })),
    ],
  });
}

/** Drops all log lines from now on. */
export function endLogging(): void {
  resetSync();
}

function toSink(target: { write(line: string): unknown }, format: (record: LogRecord) => string) {
  return redactByField((record: LogRecord) => void target.write(format(record)), SECRET_FIELDS);
}

function sinkLevel(level: LogLevel): SinkLevel | null {
  if (level === "off") return null;
  return level === "warn" ? "warning" : level;
}

function jsonLine(record: LogRecord): string {
  const line = {
    timestamp: new Date(record.timestamp).toISOString(),
    level: levelName(record),
    target: record.category.slice(1).join("."),
    message: record.message.join(""),
    ...plain(record.properties),
  };
  return `${JSON.stringify(line)}\n`;
}

function terminalLine(record: LogRecord): string {
  const time = new Date(record.timestamp).toISOString();
  const level = levelName(record).toUpperCase().padEnd(5);
  return `${time} ${level} ${record.category.slice(1).join(".")}: ${textOf(record)}\n`;
}

function entryOf(record: LogRecord): LogEntry {
  const { jobId, libraryId } = record.properties;
  return Object.freeze({
    timestamp: new Date(record.timestamp).toISOString(),
    level: levelName(record),
    target: record.category.slice(1).join("."),
    message: textOf(record),
    ...(typeof jobId === "string" ? { job_id: jobId } : {}),
    ...(typeof libraryId === "string" ? { library_id: libraryId } : {}),
  });
}

// One line: text from a peer must not look like further lines.
function textOf(record: LogRecord): string {
  const properties = Object.entries(plain(record.properties))
    .map(([key, value]) => ` ${key}=${inspect(value, { breakLength: Infinity, depth: 3 })}`);
  return `${record.message.join("")}${properties.join("")}`;
}

function levelName(record: LogRecord): LogEntry["level"] {
  if (record.level === "fatal") return "error";
  return record.level === "warning" ? "warn" : record.level;
}

// Errors have no own enumerable message, and an operator wants the message, not the stack.
function plain(properties: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(properties).map(([key, value]) => [
      key,
      value instanceof Error ? messageOf(value) : typeof value === "bigint" ? `${value}` : value,
    ]),
  );
}

let hasReader: boolean | undefined;

/** Standard error, where a daemon in the foreground and its supervisor read. */
export const terminal: { write(line: string): unknown } = {
  write: (line) => {
    if (hasReader === undefined) {
      hasReader = true;
      // Logged, the failure of a log line would be the next one.
      process.stderr.on("error", (failure) => {
        if (systemCode(failure) === "EPIPE") hasReader = false;
      });
    }
    if (hasReader) process.stderr.write(line);
  },
};
