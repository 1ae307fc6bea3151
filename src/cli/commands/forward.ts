/** Commands about ports that lead from one machine to another. */
import { type CommandContext, type CommandOptions, print } from "../command_context.ts";
import { EXIT } from "../exit_codes.ts";
import { table } from "../terminal.ts";

/** `almenad listen <service> <target>`. */
export async function listen(
  context: CommandContext,
  [service = "", target = ""]: readonly string[],
  options: CommandOptions,
): Promise<number> {
  const peers = options["allow"] as string[] | undefined;
  const allow = options["anyone"] ? ["anyone"] : peers ?? ["trusted"];
  const input = { service, target, allow, keep: options["keep"] === true };
  const answer = await context.client.action("forward.listen", input);
  print(context, answer, () => {
    const who = { trusted: "Trusted peers reach", anyone: "Every peer reaches" }[answer.allow[0]!];
    return `${who ?? "They alone reach"} ${answer.target} as "${answer.service}"`;
  });
  return EXIT.ok;
}

/** `almenad forward <peer> <service> [listen]`. */
export async function forward(
  context: CommandContext,
  [peer = "", service = "", address]: readonly string[],
  options: CommandOptions,
): Promise<number> {
  const answer = await context.client.action("forward.dial", {
    ...{ peer, service, keep: options["keep"] === true },
    ...address === undefined ? {} : { listen: address },
  });
  const { listen, peer_id } = answer;
  print(context, answer, () => `${listen} leads to "${answer.service}" of ${peer_id}`);
  return EXIT.ok;
}

/** `almenad forward list`. */
export async function listForwards(context: CommandContext): Promise<number> {
  const answer = await context.client.query("forward.list");
  print(context, answer, () => {
    const rows = [
      ...answer.dialling.map((one) => [
        ...[one.listen, `"${one.service}" of ${one.peer_id}`, "here", ...figuresOf(one)],
        one.problem,
      ]),
      ...answer.listening.map((one) => [
        ...[`"${one.service}"`, one.target, one.allow.join(" "), ...figuresOf(one)],
        "",
      ]),
    ];
    const headings = ["FROM", "TO", "FOR", "KEPT", "OPEN", "TOTAL", "REFUSED", "FAILED", "PROBLEM"];
    return table(headings, rows, context.paint);
  });
  return EXIT.ok;
}

/** `almenad forward close <name>`. */
export async function closeForward(
  context: CommandContext,
  [name = ""]: readonly string[],
): Promise<number> {
  const answer = await context.client.action("forward.close", { name });
  print(context, answer, () => `Closed: ${answer.closed.join(", ") || "nothing was open"}`);
  return EXIT.ok;
}

interface Figures {
  readonly keep: boolean;
  readonly open: number;
  readonly total: number;
  readonly refused: number;
  readonly failed: number;
}

function figuresOf({ keep, open, total, refused, failed }: Figures): string[] {
  return [keep ? "yes" : "no", ...[open, total, refused, failed].map(String)];
}
