/**
 * Makes `installers/debian/almenad.1` out of the command line's own definitions, so that the page
 * says what the program does.
 *
 *     deno task man
 */
import type { Argument, Command, Option } from "commander";
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { CliActions } from "../../src/cli/cli_actions.ts";
import { createProgram, HELP } from "../../src/cli/program.ts";

/** Where the page lies in the source. */
export const MANUAL_PATH = fileURLToPath(new URL("./almenad.1", import.meta.url));
const PARTS = fileURLToPath(new URL("./manual_parts.1", import.meta.url));

/** Text as troff shows it: hyphens that are minus signs, no request at the start of a line. */
export function troff(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replace(/^([.'])/gm, "\\&$1")
    .replace(/[^\n -~]/g, (letter) => {
      const code = (letter.codePointAt(0) ?? 0).toString(16).toUpperCase();
      return `\\[u${code.padStart(4, "0")}]`;
    });
}

/** The whole page; `@VERSION@` and `@DATE@` stand for what the package knows. */
export async function manualPage(): Promise<string> {
  // Nothing is parsed, so nothing is done.
  const output = { out: () => undefined, error: () => undefined };
  const program = createProgram({} as CliActions, output, () => undefined);
  const parts = await readFile(PARTS, "utf8");
  const part = (name: string) => {
    const [, text = ""] =
      new RegExp(`^\\.\\\\" part ${name}\\n([\\s\\S]*?)(?=^\\.\\\\" part |$(?![\\s\\S]))`, "m")
        .exec(parts) ?? [];
    return text.trim();
  };
  return [
    '.\\" Made by: deno task man',
    '.TH ALMENAD 1 "@DATE@" "almenad @VERSION@" "User Commands"',
    ".SH NAME",
    "almenad \\- Almena network daemon",
    ".SH SYNOPSIS",
    ".B almenad",
    ".RI [ options ]",
    ".RI [ command ]",
    part("DESCRIPTION"),
    ".SH COMMANDS",
    ...leaves(program).flatMap(describeCommand),
    "Each command explains itself with",
    ".BR \\-\\-help .",
    ".SH OPTIONS",
    "They stand before or behind the command.",
    ...program.options.filter(({ hidden }) => !hidden).flatMap(describeOption),
    ".TP",
    '.BR \\-h ", " \\-\\-help',
    "Print help, for each command too.",
    ".SH EXAMPLES",
    ...examples().flatMap((
      [command, meaning],
    ) => [".TP", `.B ${troff(command)}`, sentence(meaning)]),
    part("ENVIRONMENT"),
    part("FILES"),
    ".SH EXIT STATUS",
    ...exitCodes().flatMap(([code, meaning]) => [".TP", `.B ${code}`, sentence(meaning)]),
    part("NOTES"),
    part("SEE ALSO"),
    "",
  ].filter((line) => line !== undefined).join("\n");
}

/** Commands that do something, each after its group. */
function leaves(command: Command, words: readonly string[] = []): [Command, string[]][] {
  return command.commands.filter((one) => !isHidden(one)).flatMap((one) => {
    const path = [...words, one.name()];
    const below = leaves(one, path);
    const isGroupAlone = below.length > 0 && !hasAction(one);
    return isGroupAlone ? below : [[one, path] as [Command, string[]], ...below];
  });
}

function isHidden(command: Command): boolean {
  return (command as unknown as { _hidden: boolean })._hidden || command.name() === "help";
}

function hasAction(command: Command): boolean {
  return Boolean((command as unknown as { _actionHandler: unknown })._actionHandler);
}

function describeCommand([command, words]: [Command, string[]]): string[] {
  const options = command.options.filter(({ hidden }) => !hidden);
  const parameters = command.registeredArguments.map(parameter).join(" ");
  return [
    ".TP",
    `.B ${troff(words.join(" "))}${parameters ? ` \\fI${troff(parameters)}\\fP` : ""}`,
    sentence(command.description()),
    ...options.length > 0 ? [".RS", ...options.flatMap(describeOption), ".RE"] : [],
  ];
}

function parameter(argument: Argument): string {
  const name = `${argument.name()}${argument.variadic ? "..." : ""}`;
  return argument.required ? name : `[${name}]`;
}

function describeOption(option: Option): string[] {
  const [, names = "", value = ""] = /^([^<[]*?)\s*([<[].*)?$/.exec(option.flags) ?? [];
  const shown = value ? ` \\fI${troff(value.replace(/[<>]/g, ""))}\\fP` : "";
  const choices = option.argChoices ? `: ${option.argChoices.join(", ")}` : "";
  const isTold = option.defaultValue !== undefined && typeof option.defaultValue !== "boolean";
  const fallback = isTold ? ` (${option.defaultValue})` : "";
  return [
    ".TP",
    `.B ${troff(names)}${shown}`,
    sentence(`${option.description}${choices}${fallback}`),
  ];
}

function sentence(text: string): string {
  const whole = text.replace(/^[a-z]/, (letter) => letter.toUpperCase());
  return troff(/[.?!]$/.test(whole) ? whole : `${whole}.`);
}

function examples(): [command: string, meaning: string][] {
  return [...HELP.matchAll(/^ {2}(almenad.*?) {2,}(\S.*)$/gm)]
    .map(([, command = "", meaning = ""]) => [command, meaning]);
}

function exitCodes(): [code: string, meaning: string][] {
  const text = HELP.slice(HELP.indexOf("Exit codes:")).replace(/\s+/g, " ");
  return [...text.matchAll(/(\d+) ([^,]+)/g)]
    .map(([, code = "", meaning = ""]) => [code, meaning.trim()]);
}

if (import.meta.main) await writeFile(MANUAL_PATH, await manualPage());
