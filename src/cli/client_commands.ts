import type { ClientCall, ClientCommandName, CommandContext } from "./command_context.ts";
import { PLUGIN_COMMANDS } from "./plugin_commands.ts";
import { REACH_COMMANDS } from "./reach_commands.ts";

type Run = (context: CommandContext, call: ClientCall) => Promise<number>;

// Each group of commands is loaded when one of them is asked for.
const inspect = () => import("./commands/inspect.ts");
const lifecycle = () => import("./commands/lifecycle.ts");
const items = () => import("./commands/shared_items.ts");
const streams = () => import("./commands/streams.ts");

const COMMANDS: Readonly<Record<Exclude<ClientCommandName, "complete">, Run>> = {
  status: async (context) => await (await inspect()).status(context),
  peers: async (context, { options }) => await (await inspect()).peers(context, options),
  ping: async (context, { args, options }) => await (await inspect()).ping(context, args, options),
  connect: async (context, { args }) => await (await inspect()).connectPeer(context, args),
  disconnect: async (context, { args }) => await (await inspect()).disconnectPeer(context, args),
  jobs: async (context) => await (await inspect()).listJobs(context),
  "library list": async (context) => await (await inspect()).listLibraries(context),
  "library ls": async (context) => await (await items()).listItems(context, []),
  "library search": async (context, { args }) => await (await items()).listItems(context, args),
  "library get": async (context, { args, options }) =>
    await (await items()).getItem(context, args, options),
  "library install": async (context, { args, options }) =>
    await (await items()).installItem(context, args, options),
  "library update": async (context, { args, options }) =>
    await (await items()).updateItems(context, args, options),
  "library uninstall": async (context, { args, options }) =>
    await (await items()).uninstallItem(context, args, options),
  "library cancel": async (context, { args }) => await (await items()).cancelItem(context, args),
  "library scan": async (context, { options }) => await (await items()).scanItems(context, options),
  "library add": async (context, { args, options }) =>
    await (await items()).addItem(context, args, options),
  "library set-dir": async (context, { args }) => await (await items()).setDir(context, args),
  "library repair": async (context, { args }) => await (await items()).repairItem(context, args),
  "library verify": async (context, { args, options }) =>
    await (await items()).verifyItem(context, args, options),
  start: async (context) => await (await lifecycle()).start(context),
  stop: async (context) => await (await lifecycle()).stop(context),
  restart: async (context) => await (await lifecycle()).restart(context),
  instances: async (context) => await (await lifecycle()).instances(context),
  "instances start": async (context, { args }) =>
    await (await lifecycle()).changeInstances("start", context, args),
  "instances stop": async (context, { args }) =>
    await (await lifecycle()).changeInstances("stop", context, args),
  events: async (context, { options }) => await (await streams()).events(context, options),
  logs: async (context, { options }) => await (await streams()).logs(context, options),
  call: async (context, { args, options }) =>
    await (await import("./commands/call.ts")).call(context, args, options),
  "files copy": async (context, { args, options }) =>
    await (await import("./commands/copy.ts")).copyFiles(context, args, options),
  completions: async (context, { args }) =>
    await (await import("./commands/completions.ts")).completions(context, args),
  dashboard: async (context, { options }) =>
    await (await import("./commands/dashboard.ts")).dashboard(context, options),
  bugreport: async (context, { options }) =>
    await (await import("./commands/bugreport.ts")).bugreport(context, options),
  ...PLUGIN_COMMANDS,
  ...REACH_COMMANDS,
  doctor: async (context) => await (await import("./doctor/mod.ts")).doctor(context),
};

/** Runs a command that talks to a daemon; gives its exit code. */
export async function runClientCommand(context: CommandContext, call: ClientCall): Promise<number> {
  if (call.name === "complete") return 0;
  return await COMMANDS[call.name](context, call);
}
