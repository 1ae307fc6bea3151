import { DaemonError, LOG_LEVELS, type LogFilter, type LogLevel } from "../core/mod.ts";

/**
 * Reads a filter in the form of `RUST_LOG`: a level, or a comma list of `target=level` with an
 * optional bare level for the rest. Targets alone silence everything else.
 *
 * @throws {DaemonError} `invalid_argument` for a word that is no level.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.deepEqual(parseLogFilter("network=trace"), { level: "off", targets: { network: "trace" } });
 * assert.equal(parseLogFilter("error").level, "error");
 * ```
 */
export function parseLogFilter(text: string): LogFilter {
  const targets: Record<string, LogLevel> = {};
  let level: LogLevel | undefined;
  for (const part of text.split(",").map((item) => item.trim()).filter(Boolean)) {
    const at = part.indexOf("=");
    if (at < 0) level = parseLevel(part, text);
    else targets[shortTarget(part.slice(0, at))] = parseLevel(part.slice(at + 1), text);
  }
  return { level: level ?? (Object.keys(targets).length > 0 ? "off" : "info"), targets };
}

function parseLevel(word: string, text: string): LogLevel {
  const level = LOG_LEVELS.find((known) => known === word.trim().toLowerCase());
  if (level) return level;
  throw new DaemonError(
    "invalid_argument",
    `Cannot use log filter "${text}": "${word}" is not one of ${LOG_LEVELS.join(", ")}`,
  );
}

// The original's spelling of a target is the crate path: almenad::network.
function shortTarget(target: string): string {
  return target.trim().replace(/^almenad(::|\.|\/)/, "");
}
