/** Commands that show, or change one thing and show it. */
import type { OutputOf } from "../../client/mod.ts";
import { DaemonError, pause } from "../../core/mod.ts";
import { type CommandContext, type CommandOptions, print } from "../command_context.ts";
import { EXIT } from "../exit_codes.ts";
import { duration, facts, oneLine, table } from "../terminal.ts";

type Status = OutputOf<"query", "core.status"> & { readonly offline?: true };
type Network = OutputOf<"query", "network.status">;

/** `almenad status`. */
export async function status(context: CommandContext): Promise<number> {
  const { client } = context;
  const state = await client.query("core.status");
  if (state.offline) {
    print(context, state, () => stoppedText(context, state));
    return EXIT.notRunning;
  }
  const network = await client.query("network.status");
  const { peers, connected_peers } = network;
  print(context, { ...state, peers, connected_peers }, () => statusText(context, state, network));
  return EXIT.ok;
}

function stoppedText({ client, paint }: CommandContext, state: Status): string {
  const name = state.instance ? `almenad (instance ${state.instance})` : "almenad";
  return [
    `${name} is ${paint.red("not running")}`,
    facts([["data", state.data_dir], ["start", client.daemon.startCommand]]),
  ].join("\n");
}

function statusText({ paint }: CommandContext, state: Status, network: Network): string {
  const word = state.status === "ok" ? paint.green("running") : paint.yellow("degraded");
  const ill = state.health.filter(({ serving }) => !serving);
  return [
    `almenad ${state.version} is ${word}`,
    facts([
      ["peer id", state.peer_id],
      ...(state.instance ? [["instance", state.instance] as const] : []),
      ["peers", peersText(network)],
      ...network.relay_addresses.map((address, at) =>
        [at === 0 ? "by relay" : "", address] as const
      ),
      ["gRPC", state.grpc_addrs.join("  ")],
      ["REST", `http://${state.rest_addr}/status`],
      ...state.p2p_addrs.map((address, at) => [at === 0 ? "swarm" : "", address] as const),
      ["control", state.control_addr],
      ["data", state.data_dir],
      ["pid", `${state.pid}, up ${duration(state.uptime_s)}`],
    ]),
    ...ill.map(({ component, problem, remedy }) =>
      paint.yellow(oneLine(`! ${component}: ${problem}${remedy ? `; ${remedy}` : ""}`))
    ),
  ].join("\n");
}

function peersText({ connected_peers, relayed_peers, peers }: Network): string {
  const relayed = relayed_peers > 0 ? ` (${relayed_peers} by relay)` : "";
  return `${connected_peers} connected${relayed}, ${peers} seen`;
}

/** `almenad peers`. */
export async function peers(context: CommandContext, options: CommandOptions): Promise<number> {
  const input = options["connected"] ? { connected: true } : {};
  const answer = await context.client.query("network.peers", input);
  print(context, answer, () => {
    const rows = answer.peers.map((peer) => [
      peer.peer_id,
      stateText(peer),
      peer.is_internal ? "local" : "internet",
      peer.geo?.country_code ?? "",
      peer.addresses.join(" "),
    ]);
    return table(["PEER ID", "STATE", "NETWORK", "COUNTRY", "ADDRESSES"], rows, context.paint);
  });
  return EXIT.ok;
}

function stateText(peer: OutputOf<"query", "network.peers">["peers"][number]): string {
  if (peer.is_self) return "this one";
  if (!peer.is_connected) return "not connected";
  return peer.connection === "relayed" ? "by relay" : "connected";
}

/** `almenad ping [peer]`: without a peer it is the daemon itself that is asked. */
export async function ping(
  context: CommandContext,
  [peer]: readonly string[],
  options: CommandOptions,
): Promise<number> {
  const count = countOf(options["count"]);
  const signal = context.interrupted();
  for (let round = 1; round <= count && !signal.aborted; round++) {
    const answer = peer === undefined
      ? { rtt_ms: await context.client.ping() }
      : await context.client.action("network.ping", { peer_id: peer });
    print(context, answer, () => `${peer ?? "almenad"}: ${answer.rtt_ms.toFixed(2)} ms`);
    if (round < count) await pause(1_000, signal);
  }
  return signal.aborted ? EXIT.interrupted : EXIT.ok;
}

function countOf(text: unknown): number {
  const count = Number(text ?? 1);
  if (Number.isInteger(count) && count > 0) return count;
  throw new DaemonError("invalid_argument", `Cannot ping "${text}" times: give a number above 0`);
}

/** `almenad connect <peer>`. */
export async function connectPeer(
  context: CommandContext,
  [peer = ""]: readonly string[],
): Promise<number> {
  const answer = await context.client.action("network.connect", { peer });
  print(context, answer, () => `Connected to ${answer.peer_id}`);
  return EXIT.ok;
}

/** `almenad disconnect <peer>`. */
export async function disconnectPeer(
  context: CommandContext,
  [peer = ""]: readonly string[],
): Promise<number> {
  const answer = await context.client.action("network.disconnect", { peer_id: peer });
  const words = answer.was_connected ? "Disconnected from" : "Was not connected to";
  print(context, answer, () => `${words} ${answer.peer_id}`);
  return EXIT.ok;
}

/** `almenad library list`. */
export async function listLibraries(context: CommandContext): Promise<number> {
  const answer = await context.client.query("libraries.list");
  print(context, answer, () => {
    const rows = answer.libraries.map((one) => [
      one.id,
      one.name,
      one.is_open ? "open" : "closed",
      one.dir,
    ]);
    const text = table(["ID", "NAME", "STATE", "FOLDER"], rows, context.paint);
    return answer.offline ? `${text}\n(offline: the daemon is not running)` : text;
  });
  return EXIT.ok;
}

/** `almenad jobs`. */
export async function listJobs(context: CommandContext): Promise<number> {
  const answer = await context.client.query("jobs.list");
  print(context, answer, () => {
    const rows = answer.jobs.map((job) => [
      job.job_id,
      job.kind,
      job.status,
      `${Math.floor(job.progress * 100)} %`,
      job.message,
    ]);
    return table(["JOB", "KIND", "STATUS", "DONE", "MESSAGE"], rows, context.paint);
  });
  return EXIT.ok;
}
