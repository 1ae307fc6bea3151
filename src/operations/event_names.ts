/**
 * How events are spelled outside, contract 2.5. Inside there is only the topic; this is the one
 * table that translates, and the only place that knows which fields each kind of event has.
 */
import * as z from "zod";
import { type BusEvent, once } from "../core/mod.ts";
import { DOWNLOAD_UPDATES } from "./download_jobs.ts";

const Device = once(() => z.looseObject({ device_id: z.string() }));
const Library = once(() => z.looseObject({ id: z.string(), name: z.string() }));
const Location = once(() =>
  z.looseObject({ id: z.string(), library_id: z.string(), path: z.string() })
);

/** The body of each kind of event. */
export const EVENT_BODIES = {
  CoreStarted: once(() => z.looseObject({})),
  CoreShutdown: once(() => z.looseObject({})),
  LogMessage: once(() =>
    z.object({
      timestamp: z.string(),
      level: z.enum(["trace", "debug", "info", "warn", "error"]),
      target: z.string(),
      message: z.string(),
      job_id: z.string().optional(),
      library_id: z.string().optional(),
    })
  ),
  JobUpdate: once(() =>
    z.looseObject({
      job_id: z.string(),
      library_id: z.string().optional(),
      status: z.enum(["Queued", "Running", "Completed", "Failed", "Cancelled"]),
      progress: z.number().optional(),
      message: z.string().optional(),
    })
  ),
  LibraryCreated: Library,
  LibraryOpened: Library,
  LibraryClosed: Library,
  LibraryDeleted: Library,
  LocationAdded: Location,
  LocationRemoved: Location,
  DeviceDiscovered: Device,
  DeviceConnected: Device,
  DeviceDisconnected: Device,
  PairingRequested: Device,
  PairingCompleted: Device,
  PairingRejected: Device,
  ResourceChanged: once(() =>
    z.looseObject({
      resource_type: z.string(),
      resource: z.looseObject({ path: z.string().optional(), library_id: z.string().optional() }),
    })
  ),
  ConfigChanged: once(() => z.looseObject({ field: z.string() })),
  Custom: once(() => z.object({ event_type: z.string(), data: z.record(z.string(), z.unknown()) })),
} as const;

/** The kind of an event. */
export type EventName = keyof typeof EVENT_BODIES;

/** All kinds, as a subscriber may name them. */
export const EVENT_NAMES = Object.keys(EVENT_BODIES) as readonly EventName[];

/** One event as it is written outside: its kind, and its body. */
export type EventItem =
  | {
    [Name in EventName]: { [N in Name]: z.output<ReturnType<(typeof EVENT_BODIES)[N]>> };
  }[EventName]
  | { Lagged: { dropped: number } };

/** An event with the names of outside, before it is written. */
export interface SpelledEvent {
  readonly name: EventName;
  readonly body: Readonly<Record<string, unknown>>;
  /** The same as it is written; one object for all subscribers, so that it is encoded once. */
  readonly item: EventItem;
}

/** Joins a kind and its body. */
export function spelledAs(name: EventName, body: SpelledEvent["body"]): SpelledEvent {
  return { name, body, item: Object.freeze({ [name]: body }) as EventItem };
}

type Payload = Readonly<Record<string, unknown>>;

interface Spelling {
  readonly name: EventName;
  /** @default {snakeCase} */
  readonly body?: (payload: Payload) => SpelledEvent["body"];
  /** Only payloads it accepts are told. */
  readonly tells?: (payload: Payload) => boolean;
}

const device = ({ peerId, peer_id, ...rest }: Payload) => ({
  device_id: peerId ?? peer_id,
  ...snakeCase(rest),
});

const SPELLINGS: Readonly<Record<string, Spelling>> = {
  "core.started": { name: "CoreStarted" },
  "core.stopping": { name: "CoreShutdown" },
  "config.changed": { name: "ConfigChanged" },
  "job.updated": { name: "JobUpdate" },
  "library.created": { name: "LibraryCreated" },
  "library.opened": { name: "LibraryOpened" },
  "library.closed": { name: "LibraryClosed" },
  "library.deleted": { name: "LibraryDeleted" },
  "location.added": { name: "LocationAdded" },
  "location.removed": { name: "LocationRemoved" },
  "peer.discovered": { name: "DeviceDiscovered", body: device },
  "peer.connected": { name: "DeviceConnected", body: device },
  "peer.disconnected": { name: "DeviceDisconnected", body: device },
  "handshake.pending": { name: "PairingRequested", body: device },
  "trust.changed": {
    name: "PairingCompleted",
    body: device,
    tells: ({ granted }) => granted === true,
  },
  "handshake.rejected": { name: "PairingRejected", body: device },
  "resource.changed": { name: "ResourceChanged" },
  ...Object.fromEntries(
    Object.entries(DOWNLOAD_UPDATES).map(([topic, body]) => [topic, { name: "JobUpdate", body }]),
  ),
};

const spelled = new WeakMap<BusEvent, SpelledEvent>();

/** An event of the bus in the words of outside; a topic without a word of its own is `Custom`. */
export function spellEvent(event: BusEvent): SpelledEvent {
  const known = spelled.get(event);
  if (known) return known;
  const made = spell(event);
  spelled.set(event, made); // many subscribers, one translation
  return made;
}

function spell({ topic, payload }: BusEvent): SpelledEvent {
  const spelling = SPELLINGS[topic];
  if (!spelling || spelling.tells?.(payload) === false) {
    return spelledAs("Custom", { event_type: topic, data: payload });
  }
  return spelledAs(spelling.name, (spelling.body ?? snakeCase)(payload));
}

function snakeCase(payload: Payload): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(payload).map(([key, value]) => [
      key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      value,
    ]),
  );
}
