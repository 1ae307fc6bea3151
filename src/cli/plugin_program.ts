/** The commands about trust, policies, webhooks and plugins: their arguments and options. */
import { type Command, Option } from "commander";
import type { CommandOptions, PluginCommandName } from "./command_context.ts";

/** One command, declared. */
interface Declaration {
  /** Behind its group, such as `approve <peer>`. */
  readonly usage: string;
  readonly description: string;
  readonly options?: readonly Option[];
  /** An operation whose answer is printed as it is. */
  readonly operation?: string;
}

const option = (flags: string, description: string) => new Option(flags, description);
const shadow = () => option("--shadow", "one that denies nothing and says what it would deny");

const GROUPS: Readonly<Record<string, [description: string, ...Declaration[]]>> = {
  trust: [
    "who is trusted, and who asks to be",
    { usage: "list", description: "peers that are trusted or were asked" },
    { usage: "pending", description: "peers that ask and wait for a decision" },
    {
      usage: "request <peer> [justification]",
      description: "ask a peer id or multiaddr for trust",
    },
    { usage: "approve <peer>", description: "trust a peer that asked" },
    { usage: "reject <peer> [reason]", description: "decline a peer that asked" },
    {
      usage: "ignore <peer>",
      description: "put its request aside for good, without an answer",
      operation: "trust.ignore",
    },
    {
      usage: "later <peer> [hours]",
      description: "put its request aside for some hours (24)",
      operation: "trust.later",
    },
    { usage: "revoke <peer>", description: "take trust back, and cut every link to the peer" },
    {
      usage: "wait <peer>",
      description: "wait until a peer is trusted; exit code 1 if it is not",
      options: [option("--timeout <seconds>", "at most so long (60)")],
    },
    {
      usage: "invite",
      description: "a ticket and QR code that lead another machine here",
      options: [option("--ticket", "the ticket alone, for scripts")],
    },
    {
      usage: "accept <ticket> [justification]",
      description: "connect to where a ticket leads, and ask for trust",
    },
    {
      usage: "changes",
      description: "what happens to trust, as it happens, until Ctrl-C",
      operation: "trust.changes",
    },
  ],
  policy: [
    "which peers may do what",
    { usage: "list", description: "policies that run, and what they allowed and denied" },
    { usage: "show [network]", description: "the document of a policy" },
    {
      usage: "start <file>",
      description: "run a policy in place of the one that runs; - reads standard input",
      options: [option("--network <id>", "whose members it concerns (0: every peer)"), shadow()],
    },
    { usage: "stop [network]", description: "end a policy and forget it", options: [shadow()] },
    {
      usage: "explain",
      description: "whether a peer may use a port, by which rule, and the values behind it",
      options: [
        option("--peer <peer>", "who").makeOptionMandatory(),
        option("--port <port>", "which port").makeOptionMandatory(),
        option("--event <event>", "what it does").choices(["connect", "dial", "datagram"]),
      ],
    },
    {
      usage: "cycle [network]",
      description: "run the cycle rules of a policy now",
      operation: "policy.cycle",
    },
    {
      usage: "shadow [network]",
      description: "what policies in shadow mode would have denied",
      operation: "policy.shadow",
    },
    {
      usage: "peers [network]",
      description: "the members a policy is about, oldest first",
      operation: "policy.peers",
    },
  ],
  webhook: [
    "events by HTTP",
    { usage: "show", description: "where events go, and what became of them" },
    {
      usage: "set [url]",
      description: "send every event to a URL from now on",
      options: [option("--off", "to none")],
    },
    { usage: "stats", description: "the same as show" },
    {
      usage: "test",
      description: "send one event there now, and tell what came of it",
    },
  ],
  plugins: [
    "what extends this daemon",
    { usage: "list", description: "plugins, how they fare, and what they offer" },
  ],
};

/** Adds all of them. */
export function addPluginCommands(
  program: Command,
  run: (
    name: PluginCommandName | "call",
    args: readonly string[],
    options: CommandOptions,
  ) => Promise<void>,
): void {
  for (const [noun, [description, ...declarations]] of Object.entries(GROUPS)) {
    const group = program.command(noun).description(description);
    for (const { usage, description, options = [], operation } of declarations) {
      const command = group.command(usage).description(description);
      for (const one of options) command.addOption(one);
      const name = `${noun} ${command.name()}` as PluginCommandName;
      command.action(async () =>
        operation
          ? await run("call", [operation, ...command.args], {})
          : await run(name, command.args, command.opts())
      );
    }
  }
}
