/** Any operation from the command line; what there is comes from the registry. */
import { text } from "node:stream/consumers";
import process from "node:process";
import { NotRunningError } from "../../client/mod.ts";
import { DaemonError, messageOf } from "../../core/mod.ts";
import {
  type CommandContext,
  type CommandOptions,
  type KnownOperation,
  print,
} from "../command_context.ts";
import { EXIT } from "../exit_codes.ts";
import { table } from "../terminal.ts";

/**
 * `almenad call [operation] [json | words…]`: `-` reads the JSON from standard input, words fill the
 * operation's positional fields; without an operation it lists them all.
 */
export async function call(
  context: CommandContext,
  [name, ...words]: readonly string[],
  options: CommandOptions,
): Promise<number> {
  const all = await operationsOf(context);
  if (name === undefined) return list(context, all);
  const operation = find(all, name);
  const payload = await payloadOf(operation, words);
  const libraryId = String(options["library"] ?? "default");
  const callOptions = operation.scope === "library" ? { libraryId } : {};
  if (operation.kind !== "stream") {
    const answer = await context.client.callByName(operation.method, payload, callOptions);
    print(context, answer, () => JSON.stringify(answer, null, 2));
    return EXIT.ok;
  }
  const signal = context.interrupted();
  const items = context.client.streamByName(operation.method, payload, { ...callOptions, signal });
  for await (const item of items) context.output.out(JSON.stringify(item));
  return signal.aborted ? EXIT.interrupted : EXIT.ok;
}

/** Whether `noun verb` names an operation, so that `almenad network peers` can mean it. */
export async function isOperation(context: CommandContext, name: string): Promise<boolean> {
  return (await context.machine.operations()).some(({ method }) => shortName(method) === name);
}

/** `almenad <noun> <verb> --help`: what an operation does, and the fields it takes. */
export async function explainOperation(context: CommandContext, name: string): Promise<number> {
  const operation = find(await context.machine.operations(), name);
  const { summary, positional, input } = operation;
  const properties = (input["properties"] ?? {}) as Record<string, FieldSchema>;
  const required = (input["required"] ?? []) as string[];
  print(context, { name, ...operation }, () => {
    const words = [...name.split("."), ...positional.map((field) => `<${field}>`)].join(" ");
    const rows = Object.entries(properties).map(([field, { type = "", description = "" }]) => [
      field,
      type,
      required.includes(field) ? "yes" : "no",
      description,
    ]);
    const fields = rows.length === 0
      ? []
      : ["", table(["FIELD", "TYPE", "NEEDED", "WHAT IT IS"], rows, context.paint)];
    const json = `   or: almenad call ${name} '{"<field>": …}'`;
    return [`Usage: almenad ${words}`, ...rows.length ? [json] : [], "", summary, ...fields]
      .join("\n");
  });
  return EXIT.ok;
}

/** What is used of a field's JSON Schema. */
interface FieldSchema {
  readonly type?: string;
  readonly description?: string;
}

// The daemon knows best, but what is built in can be listed without one.
async function operationsOf({ client, machine }: CommandContext): Promise<
  readonly KnownOperation[]
> {
  try {
    return (await client.query("core.operations")).operations;
  } catch (failure) {
    if (failure instanceof NotRunningError) return await machine.operations();
    throw failure;
  }
}

function list(context: CommandContext, all: readonly KnownOperation[]): number {
  const operations = all.map(({ method, kind, scope, summary, positional, input }) => ({
    name: shortName(method),
    ...{ method, kind, scope, summary, positional, input },
  }));
  print(context, { operations }, () => {
    const rows = operations.map(({ name, kind, positional, summary }) => [
      [name, ...positional.map((field) => `<${field}>`)].join(" "),
      kind,
      summary,
    ]);
    return table(["OPERATION", "KIND", "SUMMARY"], rows, context.paint);
  });
  return EXIT.ok;
}

/** `network.peers` of `query:network.peers.v1`. */
export function shortName(method: string): string {
  return method.replace(/^\w+:/, "").replace(/(\.input)?\.v1$/, "");
}

function find(all: readonly KnownOperation[], name: string): KnownOperation {
  const found = all.find(({ method }) => method === name || shortName(method) === name);
  if (found) return found;
  const [noun = ""] = name.split(".");
  const near = all.map(({ method }) => shortName(method)).filter((one) => one.startsWith(noun));
  const hint = near.length > 0 ? `did you mean ${near.join(", ")}?` : "almenad call lists them";
  throw new DaemonError(
    "invalid_argument",
    `Cannot call "${name}": there is no such operation; ${hint}`,
  );
}

async function payloadOf(operation: KnownOperation, words: readonly string[]): Promise<unknown> {
  const [first] = words;
  if (first === undefined) return {};
  if (words.length === 1 && first === "-") return parse(await text(process.stdin));
  if (words.length === 1 && first.trimStart().startsWith("{")) return parse(first);
  return positionalPayload(operation, words);
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw new DaemonError("invalid_argument", `Cannot read the JSON: ${messageOf(cause)}`, {
      cause,
    });
  }
}

/**
 * Words as the fields an operation takes by position; the first list among them takes what the
 * others leave.
 *
 * @throws {DaemonError} `invalid_argument` for more words than fields.
 */
export function positionalPayload(
  { method, positional, input }: Pick<KnownOperation, "method" | "positional" | "input">,
  words: readonly string[],
): Record<string, unknown> {
  const properties = (input["properties"] ?? {}) as Record<string, { type?: string }>;
  const isList = (field: string) => properties[field]?.type === "array";
  const listAt = positional.findIndex(isList);
  const spare = words.length - positional.length;
  if (spare > 0 && listAt < 0) {
    throw new DaemonError(
      "invalid_argument",
      `Cannot call "${method}" with ${words.length} words: it takes ${positional.length}` +
        `${positional.length > 0 ? ` (${positional.join(", ")})` : ""}; or give JSON`,
    );
  }
  const rest = [...words];
  const entries = positional.map((field, at): [string, unknown] | undefined => {
    if (rest.length === 0) return undefined;
    if (at === listAt) return [field, rest.splice(0, Math.max(1, spare + 1))];
    const word = rest.shift() ?? "";
    const { type } = properties[field] ?? {};
    return [field, type === "number" || type === "boolean" ? parse(word) : word];
  });
  return Object.fromEntries(entries.filter((entry) => entry !== undefined));
}
