import * as z from "zod";
import { once, query, stream } from "../core/mod.ts";
import type { Components } from "./components.ts";
import { eventFilter, EventFilterInput, LogFilterInput } from "./event_filter.ts";
import { EVENT_BODIES, EVENT_NAMES, type EventItem } from "./event_names.ts";

const NoInput = once(() => z.strictObject({}));
const Lagged = once(() => z.object({ Lagged: z.object({ dropped: z.number() }) }));
const EventOutput = once((): z.ZodType<EventItem> =>
  z.union([
    ...EVENT_NAMES.map((name) => z.object({ [name]: EVENT_BODIES[name]() })),
    Lagged(),
  ]) as unknown as z.ZodType<EventItem>
);
const LogOutput = once(() =>
  z.union([z.object({ LogMessage: EVENT_BODIES.LogMessage() }), Lagged()])
);

/** What happens: the last seconds first, then everything until the caller leaves. */
export const events = stream({
  name: "events",
  summary: "What happens, as it happens; begins with the last 5 seconds",
  input: () =>
    z.strictObject({
      event_types: z.array(z.string()).max(100).default([])
        .describe("kinds of events to get; empty for all"),
      filter: EventFilterInput().nullish(),
    }),
  output: EventOutput,
  run: (
    { event_types: types, filter },
    { subscriptions }: Pick<Components, "subscriptions">,
    { signal, requestId },
  ) => {
    const matches = eventFilter(types, filter ?? {});
    const request = { kind: "events" as const, types, filter: filter ?? {}, requestId, matches };
    return subscriptions.open(request, signal);
  },
});

/** The daemon's log lines: the last seconds first, then everything until the caller leaves. */
export const logs = stream({
  name: "logs",
  summary: "The daemon's log, line by line as it is written; begins with the last 5 seconds",
  input: () => z.strictObject({ filter: LogFilterInput().nullish() }),
  output: LogOutput,
  run: (
    { filter },
    { subscriptions }: Pick<Components, "subscriptions">,
    { signal, requestId },
  ) => {
    const types = ["LogMessage"];
    const matches = eventFilter(types, filter ?? {});
    const request = { kind: "logs" as const, types, filter: filter ?? {}, requestId, matches };
    return subscriptions.open(request, signal) as AsyncIterable<
      z.input<ReturnType<typeof LogOutput>>
    >;
  },
});

/** The kinds of events there are. */
export const eventTypes = query({
  name: "events.types",
  summary: "The kinds of events, each with the fields of its body",
  input: NoInput,
  output: () =>
    z.object({
      types: z.array(z.object({ name: z.string(), fields: z.array(z.string()) })),
    }),
  run: () => ({
    types: EVENT_NAMES.map((name) => ({ name, fields: Object.keys(EVENT_BODIES[name]().shape) })),
  }),
});

/** Who reads events and logs at the moment. */
export const eventSubscriptions = query({
  name: "events.subscriptions",
  summary: "Who reads events and logs at the moment, and what they lost by being slow",
  input: NoInput,
  output: () =>
    z.object({
      subscriptions: z.array(z.object({
        id: z.number(),
        kind: z.enum(["events", "logs"]),
        event_types: z.array(z.string()),
        filter: EventFilterInput(),
        since: z.string(),
        delivered: z.number(),
        queued: z.number(),
        dropped: z.number(),
      })),
    }),
  run: (_input, { subscriptions }: Pick<Components, "subscriptions">) => ({
    subscriptions: subscriptions.list().map(({ request, since, ...counts }) => ({
      ...counts,
      kind: request.kind,
      event_types: [...request.types],
      filter: request.filter,
      since: new Date(since).toISOString(),
    })),
  }),
});
