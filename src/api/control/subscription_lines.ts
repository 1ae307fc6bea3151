import type { SubscribeRequest } from "./requests.ts";

/** What may be subscribed to. */
export type Subscribe = SubscribeRequest["kind"];

/** How each kind of subscription is spoken of, contract 2.5. */
export const SUBSCRIPTIONS = {
  Subscribe: {
    method: "stream:events.v1",
    greeting: "Subscribed",
    farewell: "Unsubscribed",
    line: (item: unknown) => ({ Event: item }),
  },
  SubscribeLogs: {
    method: "stream:logs.v1",
    greeting: "LogsSubscribed",
    farewell: "LogsUnsubscribed",
    line: (item: unknown) => isLagged(item) ? { Event: item } : item,
  },
} as const;

/** Many subscribers get one and the same item: the first writes it down, the others copy. */
export function lineOf(kind: Subscribe, item: unknown): string {
  if (typeof item !== "object" || item === null) return JSON.stringify(item);
  const known = written[kind].get(item);
  if (known !== undefined) return known;
  const text = JSON.stringify(SUBSCRIPTIONS[kind].line(item));
  written[kind].set(item, text);
  return text;
}

const written: Readonly<Record<Subscribe, WeakMap<object, string>>> = {
  Subscribe: new WeakMap(),
  SubscribeLogs: new WeakMap(),
};

function isLagged(item: unknown): boolean {
  return typeof item === "object" && item !== null && "Lagged" in item;
}
