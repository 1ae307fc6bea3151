/** Commands of the shared library: what peers and this machine have, fetched, installed, added. */
import { basename, resolve } from "node:path";
import type { OutputOf } from "../../client/mod.ts";
import { DaemonError } from "../../core/mod.ts";
import { type CommandContext, type CommandOptions, print } from "../command_context.ts";
import { EXIT } from "../exit_codes.ts";
import { ProgressLine } from "../progress_line.ts";
import { bytes, duration, oneLine, table } from "../terminal.ts";

/** Copies, scans and manifests take as long as they take; the daemon's own limits are below this one. */
const LONG = { timeoutMs: 25 * 3_600_000 };
/** Items of which a list tells what is not shared. */
const MAX_NOTES = 10;
const NOTHING: NonNullable<Item["not_shared"]> = { count: 0, files: [] };
/** How often a line says that something still goes on. */
const ALIVE_MS = 500;

type State = OutputOf<"stream", "library.watch">;
type Item = OutputOf<"query", "library.items">["items"][number];
type Args = readonly string[];

/** `almenad library ls` and `search <text>`. */
export async function listItems(context: CommandContext, [search]: Args): Promise<number> {
  const input = search === undefined ? {} : { search };
  const answer = await context.client.query("library.items", input);
  print(context, answer, () => {
    const { dir, items, peers } = answer;
    const head = `${dir}  (${peers} ${peers === 1 ? "peer shares" : "peers share"} a library)`;
    if (items.length === 0) return `${head}\nnothing${search === undefined ? "" : " like that"}`;
    const rows = items.map((item) => [
      item.id,
      item.name,
      item.version,
      bytes(item.size),
      String(item.peers),
      stateOf(item),
    ]);
    const text = table(["ID", "NAME", "VERSION", "SIZE", "PEERS", "STATE"], rows, context.paint);
    return [oneLine(head), text, ...notShared(items)].join("\n");
  });
  return EXIT.ok;
}

// What peers do not get of an item its owner would not ask for.
function notShared(items: readonly Item[]): string[] {
  const some = items.filter(({ not_shared }) => not_shared);
  const lines = some.slice(0, MAX_NOTES).map(({ id, not_shared: { count, files } = NOTHING }) => {
    const named = files.map(({ path, reason }) => `${path} (${reason})`).join(", ");
    const what = count === 1 ? "1 file is not shared" : `${count} files are not shared`;
    return oneLine(`${id}: ${what}: ${named}${count > files.length ? ", …" : ""}`);
  });
  const more = some.length - lines.length;
  return more > 0 ? [...lines, `and files of ${more} more items are not shared`] : lines;
}

function stateOf(item: Item): string {
  const { activity, problem, installed, downloaded, can_update, local_version, not_listed } = item;
  if (problem !== undefined) return `blocked: ${problem}`;
  if (activity !== undefined) return activity;
  const here = installed ? "installed" : downloaded ? "downloaded" : "";
  const state = can_update ? `${here || "here"} ${local_version ?? ""}, update`.trim() : here;
  return not_listed === undefined ? state : `${state}, not shared: ${not_listed}`;
}

/** `almenad library get <item>`: fetches the newest version and installs it. */
export async function getItem(
  context: CommandContext,
  [id = ""]: Args,
  options: CommandOptions,
): Promise<number> {
  const install = options["install"] !== false;
  try {
    const begun = context.client.action("library.download", { id, install }, LONG);
    await alive(context, `asking peers for "${id}"`, begun);
  } catch (failure) {
    if (!await isFetched(context, id)) throw failure; // else there is something to follow
  }
  const done = install ? "is here and installed" : "is here";
  return await follow(context, id, options, () => `"${id}" ${done}`);
}

// It may have gone on by itself since the last start, or somebody else asked for it.
async function isFetched({ client }: CommandContext, id: string): Promise<boolean> {
  const answer = await client.query("library.items", { id }).catch(() => undefined);
  return answer?.items.some((item) => item.id === id && item.activity === "downloading") ?? false;
}

/** `almenad library update [items…]`: without items, all that have a newer version. */
export async function updateItems(
  context: CommandContext,
  ids: Args,
  options: CommandOptions,
): Promise<number> {
  const { items } = await context.client.query("library.items", {});
  const missing = ids.find((id) => !items.some((item) => item.id === id));
  if (missing !== undefined) {
    throw new DaemonError(
      "not_found",
      `Cannot update "${missing}": neither peers nor this machine have it`,
    );
  }
  const due = items.filter(({ id, can_update }) =>
    can_update && (ids.length === 0 || ids.includes(id))
  );
  if (due.length === 0) {
    print(context, { updated: [] }, () => "Nothing to update: no peer has a newer version");
    return EXIT.ok;
  }
  for (const { id, installed } of due) {
    const code = await getItem(context, [id], { ...options, install: installed });
    if (code !== EXIT.ok) return code;
  }
  return EXIT.ok;
}

/** `almenad library install <item>`. */
export async function installItem(
  context: CommandContext,
  [id = ""]: Args,
  options: CommandOptions,
): Promise<number> {
  await context.client.action("library.install", { id });
  return await follow(context, id, options, () => `"${id}" is installed`);
}

/** `almenad library uninstall <item>`. */
export async function uninstallItem(
  context: CommandContext,
  [id = ""]: Args,
  options: CommandOptions,
): Promise<number> {
  await context.client.action("library.uninstall", { id });
  const kept = "what was downloaded stays";
  return await follow(context, id, options, () => `"${id}" is no longer installed; ${kept}`);
}

/** `almenad library verify <item>`: exit code 1 if something is damaged. */
export async function verifyItem(
  context: CommandContext,
  [id = ""]: Args,
  options: CommandOptions,
): Promise<number> {
  await context.client.action("library.verify", { id, wait: false });
  let damaged: readonly string[] = [];
  const code = await follow(context, id, options, (state) => {
    const { total_bytes: total = 0 } = state;
    if (damaged.length === 0) return `"${id}" is as it was: ${bytes(total)} read`;
    const remedy = `fetch it anew with "almenad library get ${id}"`;
    return [`"${id}" is damaged; ${remedy}:`, ...damaged.map((path) => `  ${oneLine(path)}`)]
      .join("\n");
  }, (state) => damaged = state.damaged ?? []);
  return code === EXIT.ok && damaged.length > 0 ? EXIT.failed : code;
}

/** `almenad library cancel <item>`. */
export async function cancelItem(context: CommandContext, [id = ""]: Args): Promise<number> {
  const answer = await context.client.action("library.cancel", { id });
  const words = answer.was_busy ? "is stopped; what was fetched is kept" : "was not busy";
  print(context, answer, () => `"${id}" ${words}`);
  return EXIT.ok;
}

/** `almenad library scan`. */
export async function scanItems(context: CommandContext, options: CommandOptions): Promise<number> {
  const wait = options["wait"] !== false;
  const scan = context.client.action("library.scan", { wait }, LONG);
  const what = wait ? "looking at every item, hashing what changed" : "looking at every item";
  const answer = await alive(context, what, scan);
  const noun = answer.items === 1 ? "item" : "items";
  print(context, answer, () => `${answer.items} ${noun}, ${answer.changed} changed`);
  return EXIT.ok;
}

/** `almenad library add <folder>`. */
export async function addItem(
  context: CommandContext,
  [folder = ""]: Args,
  options: CommandOptions,
): Promise<number> {
  const path = resolve(folder);
  const id = String(options["id"] ?? basename(path));
  const added = context.client.action("library.add", {
    folder: path,
    id,
    ...(options["itemVersion"] === undefined ? {} : { version: String(options["itemVersion"]) }),
    move: options["move"] === true,
  }, LONG);
  const answer = await alive(
    context,
    `${options["move"] === true ? "moving" : "copying"} ${path}`,
    added,
  );
  print(context, answer, () => `"${id}" is in the library; peers see it once it is hashed`);
  return EXIT.ok;
}

/** `almenad library set-dir <path>`. */
export async function setDir(context: CommandContext, [path = ""]: Args): Promise<number> {
  const answer = await context.client.action("library.set_dir", { path: resolve(path) });
  print(context, answer, () => `The library is ${answer.dir}; nothing was moved`);
  return EXIT.ok;
}

/** `almenad library repair <item>`. */
export async function repairItem(context: CommandContext, [id = ""]: Args): Promise<number> {
  const answer = await context.client.action("library.repair", { id }, LONG);
  print(context, answer, () => `"${id}" can be used again`);
  return EXIT.ok;
}

/** Says on a terminal that something goes on, and for how long, until it is over. */
async function alive<T>(context: CommandContext, what: string, work: Promise<T>): Promise<T> {
  const line = new ProgressLine(context);
  const started = performance.now();
  const timer = setInterval(() => {
    line.show(undefined, `${what}  ${duration((performance.now() - started) / 1_000)}`);
  }, ALIVE_MS);
  try {
    return await work;
  } finally {
    clearInterval(timer);
    line.end();
  }
}

/** Shows how far an item is until it is over; Ctrl-C cancels, chunks that came are kept. */
async function follow(
  context: CommandContext,
  id: string,
  options: CommandOptions,
  words: (state: State) => string,
  onEnd: (state: State) => void = () => undefined,
): Promise<number> {
  const { client } = context;
  if (options["wait"] === false) {
    const more = `"almenad library ls" shows how far it is`;
    print(context, { id, started: true }, () => `Begun with "${id}"; ${more}`);
    return EXIT.ok;
  }
  const signal = context.interrupted();
  const cancel = () => void client.action("library.cancel", { id }).catch(() => undefined);
  signal.addEventListener("abort", cancel, { once: true });
  const line = new ProgressLine(context);
  let last: State | undefined;
  for await (const state of client.stream("library.watch", { id })) {
    // Programs get a line for each state; the one that is printed at the end is the last.
    if (last && context.flags.format === "json") print(context, last, () => "");
    last = state;
    show(line, state);
  }
  line.end();
  signal.removeEventListener("abort", cancel);
  if (!last || last.status === "Running" || last.status === "Waiting") {
    throw new DaemonError("unavailable", `Cannot follow "${id}": the daemon has ended`);
  }
  if (signal.aborted) return EXIT.interrupted;
  if (last.status === "Failed") {
    throw new DaemonError("failed_precondition", oneLine(last.reason ?? `"${id}" failed`));
  }
  const state = last;
  onEnd(state);
  print(context, state, () => words(state));
  return EXIT.ok;
}

function show(line: ProgressLine, state: State): void {
  const { status, activity = "", done_bytes: done, total_bytes: total, peers } = state;
  const { bytes_per_second: rate, seconds_left: left } = state;
  const parts = [
    status === "Waiting" ? `waiting: ${state.reason ?? ""}` : activity,
    ...(done === undefined ? [] : [total ? `${bytes(done)} of ${bytes(total)}` : bytes(done)]),
    ...(rate ? [`${bytes(rate)}/s`] : []),
    ...(peers === undefined ? [] : [`${peers} ${peers === 1 ? "peer" : "peers"}`]),
  ];
  const progress = total && done !== undefined ? Math.min(1, done / total) : undefined;
  line.show(progress, parts.join("  "), left);
}
