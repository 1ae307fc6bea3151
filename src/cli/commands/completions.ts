/** Completion scripts, and what they ask almenad for each time. */
import type { Argument, Command, Option } from "commander";
import { DaemonError } from "../../core/mod.ts";
import type { CommandContext } from "../command_context.ts";
import { EXIT } from "../exit_codes.ts";
import { oneLine } from "../terminal.ts";
import { shortName } from "./call.ts";

/** Longest wait for a daemon while somebody waits at the Tab key. */
const ANSWER_TIMEOUT_MS = 300;

/** Shells that have a script. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

// Each script hands the words up to the cursor to `almenad complete`, which prints a candidate a
// line, behind a tab its meaning. Nothing printed: the shell completes file names.
const SCRIPTS: Readonly<Record<(typeof SHELLS)[number], string>> = {
  bash: `# bash completion for almenad
_almenad() {
  local IFS=$'\\n' candidate cur
  cur="\${COMP_WORDS[COMP_CWORD]}"
  COMPREPLY=()
  while IFS=$'\\t' read -r candidate _; do
    [[ "$candidate" == "$cur"* ]] && COMPREPLY+=("$candidate")
  done < <("\${COMP_WORDS[0]}" complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  return 0
}
complete -o default -F _almenad almenad
`,
  zsh: `#compdef almenad
# zsh completion for almenad
_almenad() {
  local -a candidates
  local candidate meaning
  while IFS=$'\\t' read -r candidate meaning; do
    candidates+=("\${candidate//:/\\\\:}:$meaning")
  done < <("\${words[1]}" complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  if (( $#candidates )); then
    _describe almenad candidates
  else
    _files
  fi
}
if [[ "$funcstack[1]" == _almenad ]]; then
  _almenad "$@"
else
  compdef _almenad almenad
fi
`,
  fish: `# fish completion for almenad
function __almenad_complete
  set -l words (commandline -opc) (commandline -ct)
  $words[1] complete -- $words[2..-1] 2>/dev/null
end
complete -c almenad -a '(__almenad_complete)'
`,
};

/** The script for a shell. @throws {DaemonError} `invalid_argument` for a shell without one. */
export function completionScript(shell: string): string {
  const known = SHELLS.find((one) => one === shell);
  if (known) return SCRIPTS[known];
  throw new DaemonError(
    "invalid_argument",
    `Cannot complete in "${shell}": it is not one of ${SHELLS.join(", ")}`,
  );
}

/** `almenad completions <shell>`. */
export function completions(
  { output, flags }: CommandContext,
  [shell = ""]: readonly string[],
): Promise<number> {
  const script = completionScript(shell);
  output.out(flags.format === "json" ? JSON.stringify({ shell, script }) : script.trimEnd());
  return Promise.resolve(EXIT.ok);
}

/** What may come next: words that end in the one being typed, which may be empty. */
export interface CompletionSources {
  /** Names and summaries of operations. */
  operations(): Promise<readonly { readonly method: string; readonly summary: string }[]>;
  peers(): Promise<readonly string[]>;
  instances(): Promise<readonly string[]>;
  /** Ids of the shared library's items. */
  items(): Promise<readonly string[]>;
}

type Candidate = readonly [word: string, meaning: string];

/** Every candidate for the last word. */
export async function candidates(
  program: Command,
  words: readonly string[],
  sources: CompletionSources,
): Promise<Candidate[]> {
  const typed = words.at(-1) ?? "";
  const { command, rest, pending } = walk(program, words.slice(0, -1));
  const found = pending
    ? await valuesOf(pending, sources)
    : typed.startsWith("-")
    ? optionsOf(command, program)
    : await operandsOf(command, rest, sources);
  return found.filter(([word]) => word.startsWith(typed));
}

/** Prints them for a script. */
export async function complete(
  program: Command,
  words: readonly string[],
  sources: CompletionSources,
): Promise<string> {
  const found = await candidates(program, words, sources);
  return found.map(([word, meaning]) => `${word}\t${oneLine(meaning)}`).join("\n");
}

/** The sources behind a daemon that may not run. */
export function sourcesOf({ client, machine, dirs }: CommandContext): CompletionSources {
  return {
    operations: () => machine.operations(),
    peers: async () => {
      const { peers } = await client.query("network.peers", {}, { timeoutMs: ANSWER_TIMEOUT_MS });
      return peers.filter((peer) => !peer.is_self).map(({ peer_id }) => peer_id);
    },
    items: async () => {
      const { items } = await client.query("library.items", {}, { timeoutMs: ANSWER_TIMEOUT_MS });
      return items.map(({ id }) => id);
    },
    instances: async () =>
      (await machine.listInstances(dirs.root)).flatMap(({ name }) => name ? [name] : []),
  };
}

interface Position {
  readonly command: Command;
  /** Operands already given to the command. */
  readonly rest: readonly string[];
  /** The option whose value is being typed. */
  readonly pending: Option | undefined;
}

function walk(program: Command, words: readonly string[]): Position {
  let command = program;
  let rest: string[] = [];
  let pending: Option | undefined;
  for (const word of words) {
    if (pending) pending = undefined;
    else if (word.startsWith("-")) {
      const all = [...command.options, ...program.options];
      const option = all.find(({ short, long }) => word === short || word === long);
      pending = option?.required ? option : undefined;
    } else {
      const sub = command.commands.find((one) => one.name() === word && rest.length === 0);
      if (sub) [command, rest] = [sub, []];
      else rest = [...rest, word];
    }
  }
  return { command, rest, pending };
}

function optionsOf(command: Command, program: Command): Candidate[] {
  const all = new Set([...command.options, ...program.options]);
  const shown = [...all].filter(({ hidden, long }) => !hidden && long);
  return [...shown.map((one): Candidate => [one.long ?? "", one.description]), ["--help", "help"]];
}

async function operandsOf(
  command: Command,
  rest: readonly string[],
  sources: CompletionSources,
): Promise<Candidate[]> {
  if (command.commands.length > 0 && rest.length === 0) {
    const shown = command.createHelp().visibleCommands(command);
    return shown.map((one): Candidate => [one.name(), one.description()]);
  }
  const last = command.registeredArguments.at(-1);
  const argument = command.registeredArguments[rest.length] ?? (last?.variadic ? last : undefined);
  return argument ? await argumentValues(argument, sources) : [];
}

async function argumentValues(
  argument: Argument,
  sources: CompletionSources,
): Promise<Candidate[]> {
  switch (argument.name()) {
    case "operation":
      return (await sources.operations()).map(({ method, summary }) => [
        shortName(method),
        summary,
      ]);
    case "peer":
      return (await quietly(sources.peers())).map((peer) => [peer, "peer"]);
    case "item":
    case "items":
      return (await quietly(sources.items())).map((item) => [item, "item"]);
    case "names":
      return (await quietly(sources.instances())).map((name) => [name, "instance"]);
    case "shell":
      return SHELLS.map((shell) => [shell, "shell"]);
    default:
      return [];
  }
}

async function valuesOf(option: Option, sources: CompletionSources): Promise<Candidate[]> {
  if (option.argChoices) return option.argChoices.map((choice) => [choice, option.description]);
  if (option.long === "--instance") {
    return (await quietly(sources.instances())).map((name) => [name, "instance"]);
  }
  if (option.long === "--device") {
    return (await quietly(sources.peers())).map((peer) => [peer, "peer"]);
  }
  return [];
}

// Nobody wants an error message in the middle of a line.
async function quietly(names: Promise<readonly string[]>): Promise<readonly string[]> {
  return await names.catch(() => []);
}
