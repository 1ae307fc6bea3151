/** Commands about policies. */
import { readFile } from "node:fs/promises";
import process from "node:process";
import { text } from "node:stream/consumers";
import type { OutputOf } from "../../client/mod.ts";
import { DaemonError, messageOf } from "../../core/mod.ts";
import { type CommandContext, type CommandOptions, print } from "../command_context.ts";
import { EXIT } from "../exit_codes.ts";
import { oneLine, type Paint, table } from "../terminal.ts";

type Explanation = OutputOf<"query", "policy.explain">["policies"][number];

/** `almenad policy list`. */
export async function listPolicies(context: CommandContext): Promise<number> {
  const answer = await context.client.query("policy.list");
  print(context, answer, () => {
    const fields = ["network", "mode", "rules", "members", "allowed", "denied"];
    const rows = answer.policies.map((policy) => fields.map((name) => String(policy[name] ?? "")));
    return table(fields.map((name) => name.toUpperCase()), rows, context.paint);
  });
  return EXIT.ok;
}

/** `almenad policy show [network]`: the document as it was given. */
export async function showPolicy(
  context: CommandContext,
  [network]: readonly string[],
): Promise<number> {
  const answer = await context.client.query("policy.show", { network: networkOf(network) });
  print(context, answer, () => answer.policy);
  return EXIT.ok;
}

/** `almenad policy start <file>`; `-` reads the document from standard input. */
export async function startPolicy(
  context: CommandContext,
  [file = ""]: readonly string[],
  options: CommandOptions,
): Promise<number> {
  const answer = await context.client.action("policy.start", {
    network: networkOf(options["network"]),
    policy: await documentIn(file),
    shadow: options["shadow"] === true,
  });
  const mode = answer.shadow ? "watches" : "rules";
  print(
    context,
    answer,
    () => `The policy ${mode} network ${answer.network}: ${rulesText(answer.rules)}`,
  );
  return EXIT.ok;
}

/** `almenad policy stop [network]`. */
export async function stopPolicy(
  context: CommandContext,
  [network]: readonly string[],
  options: CommandOptions,
): Promise<number> {
  const input = { network: networkOf(network), shadow: options["shadow"] === true };
  const answer = await context.client.action("policy.stop", input);
  print(context, answer, () => `No policy rules network ${answer.network} any more`);
  return EXIT.ok;
}

/** `almenad policy explain --peer <peer> --port <port>`. */
export async function explainPolicy(
  context: CommandContext,
  _args: readonly string[],
  options: CommandOptions,
): Promise<number> {
  const port = numberOf(options["port"], "port");
  const event = (options["event"] ?? "connect") as "connect" | "dial" | "datagram";
  const answer = await context.client.query("policy.explain", {
    peer: String(options["peer"]),
    ...{ port, event },
    direction: event === "dial" ? "out" : "in",
  });
  print(context, answer, () => {
    const { paint } = context;
    const verdict = answer.allowed ? paint.green("allowed") : paint.red("denied");
    const head = `${event} of ${answer.peer_id} to port ${port} is ${verdict}`;
    if (answer.policies.length === 0) return `${head}: no policy concerns this peer`;
    return [head, ...answer.policies.map((policy) => explanationText(policy, paint))].join("\n");
  });
  return EXIT.ok;
}

function explanationText(policy: Explanation, paint: Paint): string {
  const mode = policy.shadow ? " (shadow: denies nothing)" : "";
  const by = policy.rule ? `rule "${policy.rule}": ${policy.match}` : policy.reason;
  const values = Object.entries(policy.values)
    .map(([name, value]) => oneLine(`    ${name} = ${JSON.stringify(value)}`));
  const verdict = policy.allowed ? "allows" : "denies";
  const head = oneLine(`  network ${policy.network}${mode} ${verdict} by ${by}`);
  return [head, ...values.map((line) => paint.dim(line))].join("\n");
}

async function documentIn(file: string): Promise<string> {
  try {
    return file === "-" ? await text(process.stdin) : await readFile(file, "utf8");
  } catch (cause) {
    throw new DaemonError(
      "invalid_argument",
      `Cannot read the policy in "${file}": ${messageOf(cause)}`,
      { cause },
    );
  }
}

function rulesText(count: number): string {
  return count === 1 ? "1 rule" : `${count} rules`;
}

function networkOf(word: unknown): number {
  return word === undefined ? 0 : numberOf(word, "network");
}

function numberOf(word: unknown, what: string): number {
  const number = word === "" ? NaN : Number(word);
  if (Number.isInteger(number) && number >= 0 && number <= 65_535) return number;
  throw new DaemonError("invalid_argument", `Cannot use ${what} "${word}": give 0 to 65535`);
}
