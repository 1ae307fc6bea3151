import { Buffer } from "node:buffer";
import * as z from "zod";
import { action, BoundedQueue, DaemonError, once, query, stream } from "../core/mod.ts";
import type { Pubsub } from "../network/mod.ts";
import type { Components } from "./components.ts";

type Uses = Pick<Components, "pubsub">;

const Topic = once(() => z.string().min(1).max(1_024));
const Message = once(() =>
  z.object({
    topic: z.string(),
    data: z.string().describe("As text"),
    base64: z.string(),
  })
);
/** Messages that wait for one slow reader. */
const QUEUE = 1_024;
/** Characters in them. */
const QUEUE_CHARACTERS = 16 * 1_048_576;

function running(pubsub: Uses["pubsub"]): Pubsub {
  const part = pubsub();
  if (part) return part;
  const remedy = "set pubsub = true in config.toml, or start with --p2pd-listen";
  throw new DaemonError("failed_precondition", `Cannot use pubsub: it is off; ${remedy}`);
}

/** Sends a message to a topic. */
export const pubsubPublish = action({
  name: "pubsub.publish",
  summary: "Send a message to everybody who listens to a topic",
  positional: ["topic", "data"],
  input: () =>
    z.strictObject({
      topic: Topic(),
      data: z.string().max(1_500_000).describe("Text, or base64 with base64: true"),
      base64: z.boolean().default(false),
    }),
  output: () => z.object({ topic: z.string(), bytes: z.number() }),
  run: async ({ topic, data, base64 }, { pubsub }: Uses) => {
    const bytes = Buffer.from(data, base64 ? "base64" : "utf8");
    await running(pubsub).publish(topic, bytes);
    return { topic, bytes: bytes.length };
  },
});

/** Topics and who listens to them. */
export const pubsubTopics = query({
  name: "pubsub.topics",
  summary: "Topics that this daemon listens to, each with the peers that do too",
  input: () => z.strictObject({}),
  output: () =>
    z.object({
      topics: z.array(z.object({ topic: z.string(), peers: z.array(z.string()) })),
    }),
  run: (_input, { pubsub }: Uses) => {
    const part = running(pubsub);
    return {
      topics: part.topics().map((topic) => ({ topic, peers: part.peers(topic).map(String) })),
    };
  },
});

/** Messages of a topic. */
export const pubsubSubscribe = stream({
  name: "pubsub.subscribe",
  summary: "Messages of a topic from now on, our own included",
  positional: ["topic"],
  input: () => z.strictObject({ topic: Topic() }),
  output: Message,
  run: ({ topic }, { pubsub }: Uses, { signal }) => {
    const queue = new BoundedQueue<z.input<ReturnType<typeof Message>>>(QUEUE, () => end(), {
      limit: QUEUE_CHARACTERS,
      of: ({ data, base64 }) => data.length + base64.length,
    });
    const end = running(pubsub).subscribe(topic, ({ data }) => {
      const bytes = Buffer.from(data);
      queue.push({ topic, data: bytes.toString("utf8"), base64: bytes.toString("base64") });
    });
    signal.addEventListener("abort", () => queue.cancel(), { once: true });
    if (signal.aborted) queue.cancel();
    return queue;
  },
});
