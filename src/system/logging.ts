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
  const sinks = { all: redactByField(sinkOf(targets), SECRET_FIELDS) };
  const names = ["all"];
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

// One for all targets, so that a record is looked through for secrets and put into words once.
function sinkOf({ file, terminal, hub }: LogTargets): Sink {
  return (record) => {
    const timestamp = new Date(record.timestamp).toISOString();
    file?.write(jsonLine(record, timestamp));
    const text = textOf(record);
    terminal?.write(terminalLine(record, timestamp, text));
    hub?.add(entryOf(record, timestamp, text));
  };
}

function sinkLevel(level: LogLevel): SinkLevel | null {
  if (level === "off") return null;
  return level === "warn" ? "warning" : level;
}

function jsonLine(record: LogRecord, timestamp: string): string {
  const line = {
    timestamp,
    level: levelName(record),
    target: record.category.slice(1).join("."),
    message: record.message.join(""),
    ...plain(record.properties),
  };
  return `${JSON.stringify(line)}\n`;
}

function terminalLine(record: LogRecord, time: string, text: string): string {
  const level = levelName(record).toUpperCase().padEnd(5);
  return `${time} ${level} ${record.category.slice(1).join(".")}: ${text}\n`;
}

function entryOf(record: LogRecord, timestamp: string, message: string): LogEntry {
  const { jobId, libraryId } = record.properties;
  return Object.freeze({
    timestamp,
    level: levelName(record),
    target: record.category.slice(1).join("."),
    message,
    ...(typeof jobId === "string" ? { job_id: jobId } : {}),
    ...(typeof libraryId === "string" ? { library_id: libraryId } : {}),
  });
}

// One line: text from a peer must not look like further lines.
function textOf(record: LogRecord): string {
  const properties = Object.entries(plain(record.properties))
    .map(([key, value]) => ` ${key}=${wordOf(value)}`);
  return `${record.message.join("")}${properties.join("")}`;
}

// What most values are needs none of the inspection of objects.
function wordOf(value: unknown): string {
  if (typeof value === "number") return `${value}`;
  if (typeof value === "string" && /^[\w .,:/-]*$/.test(value)) return `'${value}'`;
  return inspect(value, { breakLength: Infinity, depth: 3 });
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
