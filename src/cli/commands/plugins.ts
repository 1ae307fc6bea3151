/** Commands about plugins and where events go. */
import { type CommandContext, type CommandOptions, print } from "../command_context.ts";
import { DaemonError } from "../../core/mod.ts";
import { EXIT } from "../exit_codes.ts";
import { facts, table } from "../terminal.ts";

/** `almenad plugins list`. */
export async function listPlugins(context: CommandContext): Promise<number> {
  const answer = await context.client.query("plugins.list");
  print(context, answer, () => {
    const rows = answer.plugins.map((plugin) => [
      plugin.name,
      plugin.origin === "file" ? "file" : "built in",
      plugin.state === "loaded" && !plugin.is_healthy ? "unhealthy" : plugin.state,
      String(plugin.failures),
      plugin.services.join(", "),
      plugin.problem,
    ]);
    const headings = ["PLUGIN", "ORIGIN", "STATE", "FAILURES", "OFFERS", "PROBLEM"];
    const text = table(headings, rows, context.paint);
    return answer.ports.length > 0 ? `${text}\nports held: ${answer.ports.join(", ")}` : text;
  });
  return EXIT.ok;
}

/** `almenad webhook show` and `almenad webhook stats`. */
export async function showWebhook(context: CommandContext): Promise<number> {
  const answer = await context.client.query("webhook.stats");
  print(context, answer, () =>
    facts([
      ["events go to", answer.url || "nowhere"],
      ["dropped", String(answer.dropped)],
      ["skipped", `${answer.circuit_skips} while the receiver was out of order`],
    ]));
  return EXIT.ok;
}

/** `almenad webhook test`: 1 when the event did not arrive. */
export async function testWebhook(context: CommandContext): Promise<number> {
  const answer = await context.client.action("webhook.test");
  const { ok, ms, error, status } = answer;
  print(
    context,
    answer,
    () => ok ? `The event arrived within ${ms} ms` : `The event did not arrive: ${error || status}`,
  );
  return ok ? EXIT.ok : EXIT.failed;
}

/** `almenad webhook set <url>`, or `--off`. */
export async function setWebhook(
  context: CommandContext,
  [url]: readonly string[],
  options: CommandOptions,
): Promise<number> {
  const isOff = options["off"] === true;
  if ((url === undefined) !== isOff) {
    throw new DaemonError("invalid_argument", "Cannot set the webhook: give a URL, or --off");
  }
  const answer = await context.client.action("webhook.set", { url: url ?? "" });
  print(context, answer, () => answer.enabled ? `Events go to ${url}` : "Events go nowhere");
  return EXIT.ok;
}
