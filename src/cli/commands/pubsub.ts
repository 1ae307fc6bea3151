/** Commands about messages by topic. */
import { type CommandContext, print } from "../command_context.ts";
import { EXIT } from "../exit_codes.ts";
import { oneLine, table } from "../terminal.ts";
import { valueOf } from "./standard_input.ts";

/** `almenad pubsub topics`. */
export async function listTopics(context: CommandContext): Promise<number> {
  const answer = await context.client.query("pubsub.topics");
  print(context, answer, () => {
    const rows = answer.topics.map(({ topic, peers }) => [topic, peers.join(" ")]);
    return table(["TOPIC", "OTHER LISTENERS"], rows, context.paint);
  });
  return EXIT.ok;
}

/** `almenad pubsub publish <topic> <message>`. */
export async function publish(
  context: CommandContext,
  [topic = "", word = ""]: readonly string[],
): Promise<number> {
  const { text: data, base64 } = await valueOf(word);
  const answer = await context.client.action("pubsub.publish", { topic, data, base64 });
  print(context, answer, () => `Sent ${answer.bytes} bytes to ${answer.topic}`);
  return EXIT.ok;
}

/** `almenad pubsub subscribe <topic>`: a message a line, until Ctrl-C. */
export async function subscribe(
  context: CommandContext,
  [topic = ""]: readonly string[],
): Promise<number> {
  const signal = context.interrupted();
  const isJson = context.flags.format === "json";
  for await (const message of context.client.stream("pubsub.subscribe", { topic }, { signal })) {
    context.output.out(isJson ? JSON.stringify(message) : oneLine(message.data));
  }
  return signal.aborted ? EXIT.interrupted : EXIT.ok;
}
