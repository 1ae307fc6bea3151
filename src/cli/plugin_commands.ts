import type { ClientCall, CommandContext, PluginCommandName } from "./command_context.ts";

// Each group of commands is loaded when one of them is asked for.
const trust = () => import("./commands/trust.ts");
const policy = () => import("./commands/policy.ts");
const plugins = () => import("./commands/plugins.ts");

/** What runs commands about trust, policies, webhooks and plugins. */
export const PLUGIN_COMMANDS: Readonly<
  Record<PluginCommandName, (context: CommandContext, call: ClientCall) => Promise<number>>
> = {
  "trust list": async (context) => await (await trust()).listTrust(context),
  "trust pending": async (context) => await (await trust()).pendingTrust(context),
  "trust request": async (context, { args }) => await (await trust()).requestTrust(context, args),
  "trust accept": async (context, { args }) => await (await trust()).acceptTicket(context, args),
  "trust approve": async (context, { args }) => await (await trust()).approveTrust(context, args),
  "trust reject": async (context, { args }) => await (await trust()).rejectTrust(context, args),
  "trust revoke": async (context, { args }) => await (await trust()).revokeTrust(context, args),
  "trust wait": async (context, { args, options }) =>
    await (await trust()).waitForTrust(context, args, options),
  "trust invite": async (context, { options }) =>
    await (await trust()).inviteTrust(context, options),
  "policy list": async (context) => await (await policy()).listPolicies(context),
  "policy show": async (context, { args }) => await (await policy()).showPolicy(context, args),
  "policy start": async (context, { args, options }) =>
    await (await policy()).startPolicy(context, args, options),
  "policy stop": async (context, { args, options }) =>
    await (await policy()).stopPolicy(context, args, options),
  "policy explain": async (context, { args, options }) =>
    await (await policy()).explainPolicy(context, args, options),
  "webhook show": async (context) => await (await plugins()).showWebhook(context),
  "webhook stats": async (context) => await (await plugins()).showWebhook(context),
  "webhook test": async (context) => await (await plugins()).testWebhook(context),
  "webhook set": async (context, { args, options }) =>
    await (await plugins()).setWebhook(context, args, options),
  "plugins list": async (context) => await (await plugins()).listPlugins(context),
};
