import type { ClientCall, CommandContext, ReachCommandName } from "./command_context.ts";

// Each group of commands is loaded when one of them is asked for.
const dht = () => import("./commands/dht.ts");
const pubsub = () => import("./commands/pubsub.ts");
const relay = () => import("./commands/relay.ts");
const forward = () => import("./commands/forward.ts");

/** What runs commands about DHT, pubsub, relays and forwarded ports. */
export const REACH_COMMANDS: Readonly<
  Record<ReachCommandName, (context: CommandContext, call: ClientCall) => Promise<number>>
> = {
  "dht put": async (context, { args, options }) =>
    await (await dht()).putValue(context, args, options),
  "dht get": async (context, { args, options }) =>
    await (await dht()).getValue(context, args, options),
  "dht find-peer": async (context, { args, options }) =>
    await (await dht()).findPeer(context, args, options),
  "dht provide": async (context, { args, options }) =>
    await (await dht()).provide(context, args, options),
  "dht find-providers": async (context, { args, options }) =>
    await (await dht()).findProviders(context, args, options),
  "pubsub topics": async (context) => await (await pubsub()).listTopics(context),
  "pubsub publish": async (context, { args }) => await (await pubsub()).publish(context, args),
  "pubsub subscribe": async (context, { args }) => await (await pubsub()).subscribe(context, args),
  "relay status": async (context) => await (await relay()).relayStatus(context),
  "relay reserve": async (context, { args }) => await (await relay()).reserve(context, args),
  "relay release": async (context, { args }) => await (await relay()).release(context, args),
  listen: async (context, { args, options }) =>
    await (await forward()).listen(context, args, options),
  forward: async (context, { args, options }) =>
    await (await forward()).forward(context, args, options),
  "forward list": async (context) => await (await forward()).listForwards(context),
  "forward close": async (context, { args }) => await (await forward()).closeForward(context, args),
};
