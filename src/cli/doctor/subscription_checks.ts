/** Whether somebody waits for events that cannot come. */
import { isAbsolute } from "node:path";
import type { OutputOf } from "../../client/mod.ts";
import { itemOfJob } from "../../core/mod.ts";
import type { CommandContext } from "../command_context.ts";
import { type Finding, ok, warning } from "./finding.ts";

type Subscription = OutputOf<"query", "events.subscriptions">["subscriptions"][number];

/** What there is that a filter may name. */
export interface Known {
  /** Fields of each kind of event. */
  readonly fields: ReadonlyMap<string, readonly string[]>;
  readonly libraries: ReadonlySet<string>;
  readonly jobs: ReadonlySet<string>;
  readonly devices: ReadonlySet<string>;
}

/** Targets of log lines: the parts of the daemon that write any. */
const TARGETS = ["api", "cli", "config", "core", "library", "network", "operations", "plugins"]
  .concat("system");

/** Looks at every subscription of the running daemon. */
export async function checkSubscriptions({ client }: CommandContext): Promise<Finding[]> {
  const [subscriptions, types, libraries, jobs, peers] = await client.batch([
    { method: "query:events.subscriptions.v1" },
    { method: "query:events.types.v1" },
    { method: "query:libraries.list.v1" },
    { method: "query:jobs.list.v1" },
    { method: "query:network.peers.v1" },
  ]);
  for (const answer of [subscriptions, types, libraries, jobs, peers]) {
    if (!answer.ok) throw answer.error;
  }
  if (!(subscriptions.ok && types.ok && libraries.ok && jobs.ok && peers.ok)) return [];
  const known = {
    fields: new Map(types.value.types.map(({ name, fields }) => [name, fields])),
    libraries: new Set(libraries.value.libraries.map(({ id }) => id)),
    jobs: new Set(jobs.value.jobs.map(({ job_id }) => job_id)),
    devices: new Set(peers.value.peers.map(({ peer_id }) => peer_id)),
  };
  const all = subscriptions.value.subscriptions;
  const findings = all.flatMap((one) => [...futile(one, known), ...lossy(one)]);
  return findings.length > 0
    ? findings
    : [ok("subscriptions", `${all.length} open, all can match`)];
}

function lossy({ id, dropped }: Subscription): Finding[] {
  if (dropped === 0) return [];
  return [warning(
    "subscriptions",
    `subscription ${id} has lost ${dropped} events by being slow`,
    "let its program read faster, or ask for fewer events",
  )];
}

/** Why a subscription can match nothing, if so: every kind it asks for must be barred. */
export function futile(
  { id, event_types: types, filter }: Pick<Subscription, "id" | "event_types" | "filter">,
  known: Known,
): Finding[] {
  const kinds = types.length > 0 ? types : [...known.fields.keys()];
  const bars = kinds.map((kind) => barOf(kind, filter, known));
  const [reason] = bars;
  if (reason === undefined || bars.includes(undefined)) return [];
  const what = types.length > 0 ? types.join(", ") : "all kinds";
  return [warning(
    "subscriptions",
    `subscription ${id} (${what}) can match nothing: ${reason}`,
    "change the filter of the program that asked for it",
  )];
}

// Contract 2.5: a kind that can never carry a field is not filtered by it.
function barOf(kind: string, filter: Subscription["filter"], known: Known): string | undefined {
  const carries = (field: string) => (known.fields.get(kind) ?? []).includes(field);
  if (kind === "LogMessage") {
    if (filter.level?.toLowerCase() === "off") return 'no log line has the level "off"';
    const { target } = filter;
    if (target && !TARGETS.some((one) => one.includes(target))) {
      return `no part of the daemon is called "${target}"`;
    }
  }
  const isLibrary = kind.startsWith("Library") || (kind !== "LogMessage" && carries("library_id"));
  if (filter.library_id && isLibrary && !known.libraries.has(filter.library_id)) {
    return `there is no library "${filter.library_id}"`;
  }
  const { job_id: job } = filter;
  // The job of a download is known before it begins: its id is made of the item's.
  const isKnown = !job || known.jobs.has(job) || itemOfJob(job) !== undefined;
  if (!isKnown && carries("job_id")) {
    return `there is no job "${job}"`;
  }
  if (filter.device_id && carries("device_id") && !known.devices.has(filter.device_id)) {
    return `peer "${filter.device_id}" was never seen`;
  }
  const isPath = carries("path") || kind === "ResourceChanged";
  if (filter.path_scope && isPath && !isAbsolute(filter.path_scope)) {
    return `"${filter.path_scope}" is no absolute path`;
  }
  return undefined;
}
