import type { ClientCall, ClientCommandName, CommandContext } from "./command_context.ts";

type Run = (context: CommandContext, call: ClientCall) => Promise<number>;

// Each group of commands is loaded when one of them is asked for.
const inspect = () => import("./commands/inspect.ts");
const lifecycle = () => import("./commands/lifecycle.ts");
const streams = () => import("./commands/streams.ts");

const COMMANDS: Readonly<Record<Exclude<ClientCommandName, "complete">, Run>> = {
  status: async (context) => await (await inspect()).status(context),
  peers: async (context, { options }) => await (await inspect()).peers(context, options),
  ping: async (context, { args, options }) => await (await inspect()).ping(context, args, options),
  connect: async (context, { args }) => await (await inspect()).connectPeer(context, args),
  disconnect: async (context, { args }) => await (await inspect()).disconnectPeer(context, args),
  jobs: async (context) => await (await inspect()).listJobs(context),
  "library list": async (context) => await (await inspect()).listLibraries(context),
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
  doctor: async (context) => await (await import("./doctor/mod.ts")).doctor(context),
};

/** Runs a command that talks to a daemon; gives its exit code. */
export async function runClientCommand(context: CommandContext, call: ClientCall): Promise<number> {
  if (call.name === "complete") return 0;
  return await COMMANDS[call.name](context, call);
}
