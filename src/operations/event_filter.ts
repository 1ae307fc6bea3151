/** Which events a subscriber gets, contract 2.5. */
import { dirname, sep } from "node:path";
import * as z from "zod";
import { DaemonError, LOG_LEVELS, once } from "../core/mod.ts";
import { EVENT_BODIES, EVENT_NAMES, type EventName, type SpelledEvent } from "./event_names.ts";

/** Which log lines; all fields must hold, null counts as absent. */
export const LogFilterInput = once(() =>
  z.strictObject({
    library_id: z.string().nullish(),
    job_id: z.string().nullish(),
    level: z.string().nullish().describe("this level or worse"),
    target: z.string().nullish().describe("part of the target"),
  })
);

/** Which events; all fields must hold, null counts as absent. */
export const EventFilterInput = once(() =>
  LogFilterInput().extend({
    device_id: z.string().nullish(),
    resource_type: z.string().nullish(),
    path_scope: z.string().nullish().describe("a folder"),
    include_descendants: z.boolean().nullish().describe("whether folders in the folder count"),
  })
);

/** As {@link EventFilterInput}. */
export type EventFilter = z.output<ReturnType<typeof EventFilterInput>>;

type Field = "library_id" | "job_id" | "device_id" | "resource_type";

/**
 * Makes the test that an event must pass.
 *
 * @param types Kinds that may pass; empty lets all.
 * @throws {DaemonError} `invalid_argument` for an unknown kind, with the known ones, or level.
 */
export function eventFilter(
  types: readonly string[],
  filter: EventFilter,
): (event: SpelledEvent) => boolean {
  const wanted = new Set(types.map(checkName));
  const worst = filter.level ? levelRank(filter.level) : 0;
  const { target, path_scope: scope } = filter;
  const fields = (["library_id", "job_id", "device_id", "resource_type"] as const)
    .flatMap((field) => filter[field] ? [[field, filter[field]] as const] : []);
  return (event) => {
    const { name, body } = event;
    if (wanted.size > 0 && !wanted.has(name)) return false;
    if (name === "LogMessage") {
      if (levelRank(String(body["level"])) < worst) return false;
      if (target && !String(body["target"]).includes(target)) return false;
    }
    return fields.every(([field, value]) => holds(event, field, value)) &&
      (!scope || isInScope(event, scope, filter.include_descendants ?? false));
  };
}

// What an event of this kind can never carry does not keep it back; what it lacks does. A log line
// of no library concerns every library.
function holds(event: SpelledEvent, field: Field, wanted: string): boolean {
  if (!canCarry(event.name, field)) return true;
  const value = valueOf(event, field);
  if (value === undefined && event.name === "LogMessage" && field === "library_id") return true;
  return value === wanted;
}

function canCarry(name: EventName, field: Field | "path"): boolean {
  if (name === "Custom") return true;
  if (name === "ResourceChanged") return ["library_id", "resource_type", "path"].includes(field);
  if (field === "library_id" && name.startsWith("Library")) return true;
  return field in EVENT_BODIES[name]().shape;
}

function valueOf({ name, body }: SpelledEvent, field: Field | "path"): unknown {
  if (name === "Custom") return record(body["data"])[field];
  if (name.startsWith("Library") && field === "library_id") return body["id"];
  return body[field] ?? record(body["resource"])[field];
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? value as Record<string, unknown> : {};
}

function isInScope(event: SpelledEvent, scope: string, withDescendants: boolean): boolean {
  if (!canCarry(event.name, "path")) return true;
  const path = valueOf(event, "path");
  if (typeof path !== "string") return false;
  const folder = scope.length > 1 && scope.endsWith(sep) ? scope.slice(0, -1) : scope;
  if (path === folder || dirname(path) === folder) return true;
  return withDescendants && path.startsWith(folder.endsWith(sep) ? folder : `${folder}${sep}`);
}

function checkName(name: string): EventName {
  const known = EVENT_NAMES.find((one) => one === name);
  if (known) return known;
  throw new DaemonError(
    "invalid_argument",
    `Cannot subscribe to "${name.slice(0, 100)}": known event types are ${EVENT_NAMES.join(", ")}`,
  );
}

function levelRank(level: string): number {
  const rank = LOG_LEVELS.findIndex((known) => known === level.toLowerCase());
  if (rank >= 0) return rank;
  throw new DaemonError(
    "invalid_argument",
    `Cannot filter by level "${level.slice(0, 100)}": it is not one of ${LOG_LEVELS.join(", ")}`,
  );
}
