/** The commands about DHT, pubsub, relays and forwarded ports: their arguments and options. */
import { type Command, Option } from "commander";
import type { CommandOptions, ReachCommandName } from "./command_context.ts";

/** One command, declared. */
interface Declaration {
  /** Behind its group, such as `get <key>`. */
  readonly usage: string;
  readonly description: string;
  /** As the operation is called, where the command is called otherwise. */
  readonly alias?: string;
  readonly options?: readonly Option[];
}

type Run = (
  name: ReachCommandName,
  args: readonly string[],
  options: CommandOptions,
) => Promise<void>;

const option = (flags: string, description: string) => new Option(flags, description);
const timeout = () => option("--timeout <seconds>", "at most so long (20)");
const keep = () => option("--keep", "again after a restart of the daemon");

const GROUPS: Readonly<Record<string, [description: string, ...Declaration[]]>> = {
  dht: [
    "values, peers and content that all daemons find together",
    {
      usage: "put <key> <value>",
      description: "store a value, here and at the peers closest to its key; - reads it",
      options: [timeout()],
    },
    {
      usage: "get <key>",
      description: "the best value of a key",
      options: [option("--base64", "as base64"), timeout()],
    },
    {
      usage: "find-peer <peer>",
      alias: "find_peer",
      description: "where a peer is",
      options: [timeout()],
    },
    {
      usage: "provide <cid>",
      description: "tell that this daemon has some content",
      options: [timeout()],
    },
    {
      usage: "find-providers <cid>",
      alias: "find_providers",
      description: "who has some content",
      options: [option("-n, --count <n>", "at most so many (20)"), timeout()],
    },
  ],
  pubsub: [
    "messages by topic",
    { usage: "topics", description: "topics that this daemon listens to, and who else does" },
    {
      usage: "publish <topic> <message>",
      description: "send a message to everybody who listens; - reads it from standard input",
    },
    { usage: "subscribe <topic>", description: "messages as they come, until Ctrl-C" },
  ],
  relay: [
    "reach, and be reached, where nobody can dial",
    {
      usage: "status",
      description: "whether this daemon can be dialled, its places, and its guests",
    },
    {
      usage: "reserve <relay>",
      description: "get a place at a relay, by its multiaddr with /p2p/…",
    },
    { usage: "release <relay>", description: "give a place back" },
  ],
};

/** Adds all of them. */
export function addReachCommands(program: Command, run: Run): void {
  for (const [noun, [description, ...declarations]] of Object.entries(GROUPS)) {
    const group = program.command(noun).description(description);
    for (const one of declarations) {
      const command = group.command(one.usage).description(one.description);
      if (one.alias) command.alias(one.alias);
      for (const each of one.options ?? []) command.addOption(each);
      const name = `${noun} ${command.name()}` as ReachCommandName;
      command.action(async () => await run(name, command.args, command.opts()));
    }
  }
  addForward(program, run);
}

function addForward(program: Command, run: Run): void {
  const listen = program.command("listen <service> <target>")
    .description("let peers reach a port of this machine by a name: almenad listen web 8080")
    .addOption(
      option("--allow <peer>", "this peer may; may be repeated (else: every trusted peer)")
        .argParser<string[]>((value, before) => [...before ?? [], value]),
    )
    .addOption(option("--anyone", "every peer may").conflicts("allow"))
    .addOption(keep());
  listen.action(async () => await run("listen", listen.args, listen.opts()));
  const forward = program.command("forward")
    .description("a port of this machine leads to a peer's service: almenad forward <peer> web");
  forward.argument("<peer>", "peer id, or multiaddr with /p2p/…").argument("<service>")
    .argument("[listen]", "port, or host:port (a free port of 127.0.0.1)")
    .addOption(keep())
    .action(async () => await run("forward", forward.args, forward.opts()));
  forward.command("list").description("what is forwarded, both ways")
    .action(async () => await run("forward list", [], {}));
  const close = forward.command("close <name>")
    .description("end a service by its name, a port by its address, or all");
  close.action(async () => await run("forward close", close.args, {}));
}
