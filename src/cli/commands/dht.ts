/** Commands about the DHT. */
import { DaemonError } from "../../core/mod.ts";
import { type CommandContext, type CommandOptions, print } from "../command_context.ts";
import { EXIT } from "../exit_codes.ts";
import { table } from "../terminal.ts";
import { valueOf } from "./standard_input.ts";

/** Below the deadline of an operation. */
const DEFAULT_TIMEOUT_S = 20;

/** `almenad dht put <key> <value>`. */
export async function putValue(
  context: CommandContext,
  [key = "", word = ""]: readonly string[],
  options: CommandOptions,
): Promise<number> {
  const { text: value, base64 } = await valueOf(word);
  const input = { key, value, base64, timeout_s: timeoutOf(options) };
  const answer = await context.client.action("dht.put", input);
  print(context, answer, () => `Stored ${answer.bytes} bytes under ${answer.key}`);
  return EXIT.ok;
}

/** `almenad dht get <key>`: the value alone, so that a script can use it. */
export async function getValue(
  context: CommandContext,
  [key = ""]: readonly string[],
  options: CommandOptions,
): Promise<number> {
  const answer = await context.client.query("dht.get", { key, timeout_s: timeoutOf(options) });
  print(context, answer, () => options["base64"] ? answer.base64 : answer.value);
  return EXIT.ok;
}

/** `almenad dht find-peer <peer>`. */
export async function findPeer(
  context: CommandContext,
  [peer_id = ""]: readonly string[],
  options: CommandOptions,
): Promise<number> {
  const input = { peer_id, timeout_s: timeoutOf(options) };
  const answer = await context.client.query("dht.find_peer", input);
  print(context, answer, () => answer.addresses.join("\n"));
  return EXIT.ok;
}

/** `almenad dht provide <cid>`. */
export async function provide(
  context: CommandContext,
  [cid = ""]: readonly string[],
  options: CommandOptions,
): Promise<number> {
  const answer = await context.client.action("dht.provide", { cid, timeout_s: timeoutOf(options) });
  print(context, answer, () => `This daemon provides ${answer.cid}`);
  return EXIT.ok;
}

/** `almenad dht find-providers <cid>`. */
export async function findProviders(
  context: CommandContext,
  [cid = ""]: readonly string[],
  options: CommandOptions,
): Promise<number> {
  const count = numberOf("count", options["count"] ?? 20);
  const input = { cid, count, timeout_s: timeoutOf(options) };
  const answer = await context.client.query("dht.find_providers", input);
  print(context, answer, () => {
    const rows = answer.providers.map((one) => [one.peer_id, one.addresses.join(" ")]);
    return table(["PEER", "ADDRESSES"], rows, context.paint);
  });
  return EXIT.ok;
}

function timeoutOf(options: CommandOptions): number {
  return numberOf("timeout", options["timeout"] ?? DEFAULT_TIMEOUT_S);
}

function numberOf(name: string, text: unknown): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new DaemonError(
    "invalid_argument",
    `Cannot use --${name} "${text}": give a number above 0`,
  );
}
