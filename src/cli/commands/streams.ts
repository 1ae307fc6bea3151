/** Commands that print what happens, until Ctrl-C. */
import { ControlError, lastLogLines, type LogItem, type LogLine } from "../../client/mod.ts";
import { NotRunningError } from "../../client/mod.ts";
import { DaemonError, LOG_LEVELS } from "../../core/mod.ts";
import type { EventFilter, EventName } from "../../operations/mod.ts";
import type { CommandContext, CommandOptions } from "../command_context.ts";
import { EXIT } from "../exit_codes.ts";
import { oneLine, type Paint } from "../terminal.ts";

/** `almenad events`. */
export async function events(context: CommandContext, options: CommandOptions): Promise<number> {
  const signal = context.interrupted();
  const types = (options["type"] ?? []) as EventName[];
  const items = context.client.subscribe({ types, filter: filterOf(options), signal });
  return await follow(signal, items, (event) => {
    const json = context.flags.format === "json";
    context.output.out(json ? JSON.stringify(event) : eventText(event, context.paint));
  });
}

function eventText(event: object, paint: Paint): string {
  const [[name, body] = ["", {}]] = Object.entries(event);
  if (name === "Lagged") return paint.yellow(lostText(body as { dropped: number }));
  if (name === "LogMessage") return logText(body as LogEntry, paint);
  const fields = Object.entries(body as object)
    .map(([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  return [paint.bold(name), ...fields.map(oneLine)].join("  ");
}

/** `almenad logs`: the file's last lines, then what the daemon writes if they are to be followed. */
export async function logs(context: CommandContext, options: CommandOptions): Promise<number> {
  const { client, dirs, output, flags: { format } } = context;
  const isFollowing = options["follow"] === true;
  const count = linesOf(options["lines"] ?? (isFollowing ? 10 : 100));
  const filter = logFilter(options);
  // Subscribed before the file is read, so nothing falls between; what is in both is printed once.
  const signal = context.interrupted();
  const live = isFollowing ? client.logs({ filter, signal })[Symbol.asyncIterator]() : undefined;
  const first = live?.next();
  first?.catch(() => undefined);
  const lines = await lastLogLines(dirs, count, (line) => accepts(line, filter));
  const isOffline = await client.ping().then(() => false, (failure) => isDown(failure));
  for (const line of lines) {
    const json = isOffline ? { ...line, offline: true } : line;
    output.out(format === "json" ? JSON.stringify(json) : fileText(line, context.paint));
  }
  if (!live || !first) return EXIT.ok;
  const seen = new Set(lines.map(({ timestamp, target }) => `${timestamp} ${target}`));
  return await follow(signal, joined(first, live), (item) => printLive(context, item, seen));
}

function isDown(failure: unknown): boolean {
  if (failure instanceof NotRunningError) return true;
  throw failure;
}

async function* joined<T>(
  first: Promise<IteratorResult<T>>,
  rest: AsyncIterator<T>,
): AsyncGenerator<T> {
  for (let next = await first; !next.done; next = await rest.next()) yield next.value;
}

type LogEntry = Extract<LogItem, { LogMessage: unknown }>["LogMessage"];

function printLive({ output, paint, flags }: CommandContext, item: LogItem, seen: Set<string>) {
  if (!("LogMessage" in item)) {
    const text = flags.format === "json"
      ? JSON.stringify(item)
      : paint.yellow(lostText(item.Lagged));
    return output.out(text);
  }
  const entry = item.LogMessage;
  if (seen.has(`${entry.timestamp} ${entry.target}`)) return;
  output.out(flags.format === "json" ? JSON.stringify(entry) : logText(entry, paint));
}

// Ends with 130 at Ctrl-C, as a shell reports a process that SIGINT ended.
async function follow<T>(
  signal: AbortSignal,
  items: AsyncIterable<T>,
  print: (item: T) => void,
): Promise<number> {
  try {
    for await (const item of items) print(item);
  } catch (failure) {
    if (signal.aborted) return EXIT.interrupted;
    if (failure instanceof ControlError && failure.errorClass === "ReadError") {
      throw new NotRunningError('The daemon has ended; start it with "almenad start"', {
        cause: failure,
      });
    }
    throw failure;
  }
  if (signal.aborted) return EXIT.interrupted;
  throw new NotRunningError('The daemon has ended; start it with "almenad start"');
}

function logText({ timestamp, level, target, message }: LogEntry, paint: Paint): string {
  return `${timestamp} ${levelText(level, paint)} ${target}: ${oneLine(message)}`;
}

function fileText({ timestamp, level, target, message, ...rest }: LogLine, paint: Paint): string {
  const properties = Object.entries(rest)
    .map(([key, value]) => ` ${key}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  return `${timestamp} ${levelText(level, paint)} ${target}: ` +
    oneLine(`${message}${properties.join("")}`);
}

function levelText(level: string, paint: Paint): string {
  const text = level.toUpperCase().padEnd(5);
  if (level === "error") return paint.red(text);
  return level === "warn" ? paint.yellow(text) : paint.dim(text);
}

function lostText({ dropped }: { dropped: number }): string {
  return `(${dropped} lost, because they were not read in time)`;
}

function linesOf(text: unknown): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 0) return count;
  throw new DaemonError("invalid_argument", `Cannot print "${text}" lines: give 0 or more`);
}

function filterOf(options: CommandOptions): EventFilter {
  return {
    ...logFilter(options),
    ...textOption(options, "device", "device_id"),
    ...textOption(options, "resourceType", "resource_type"),
    ...textOption(options, "path", "path_scope"),
    ...(options["descendants"] ? { include_descendants: true } : {}),
  };
}

function logFilter(options: CommandOptions): EventFilter {
  const { level } = options as { level?: string };
  if (level !== undefined && !LOG_LEVELS.some((known) => known === level.toLowerCase())) {
    throw new DaemonError(
      "invalid_argument",
      `Cannot filter by level "${level}": it is not one of ${LOG_LEVELS.join(", ")}`,
    );
  }
  return {
    ...textOption(options, "level", "level"),
    ...textOption(options, "target", "target"),
    ...textOption(options, "library", "library_id"),
    ...textOption(options, "job", "job_id"),
  };
}

function textOption(options: CommandOptions, name: string, field: string): EventFilter {
  const value = options[name];
  return typeof value === "string" ? { [field]: value } : {};
}

function accepts(line: LogLine, filter: EventFilter): boolean {
  const rank = (level: string) => LOG_LEVELS.findIndex((known) => known === level);
  if (filter.level && rank(line.level) < rank(filter.level.toLowerCase())) return false;
  if (filter.target && !line.target.includes(filter.target)) return false;
  if (filter.job_id && line["jobId"] !== filter.job_id) return false;
  const library = line["libraryId"];
  return !filter.library_id || library === undefined || library === filter.library_id;
}
