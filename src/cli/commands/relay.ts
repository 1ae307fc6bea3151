/** Commands about relays. */
import { type CommandContext, print } from "../command_context.ts";
import { EXIT } from "../exit_codes.ts";
import { facts } from "../terminal.ts";

/** Whether strangers can dial the daemon, in words. */
const REACHABILITY = {
  public: "others on the internet can dial this daemon",
  private: "others on the internet cannot dial this daemon",
  unknown: "nobody has found out yet whether others can dial this daemon",
} as const;

/** `almenad relay status`. */
export async function relayStatus(context: CommandContext): Promise<number> {
  const answer = await context.client.query("network.relay_status");
  print(context, answer, () => {
    const places = answer.places.flatMap(({ relay, addresses, problem }) =>
      addresses.length > 0 ? addresses : [`none yet at ${relay || "any relay"}: ${problem}`]
    );
    return facts([
      ["reached", REACHABILITY[answer.reachability]],
      ["relays", answer.is_used ? "used" : "off; set relay = true in config.toml"],
      ...places.map((text, at) => [at === 0 ? "places" : "", text] as const),
      ["a relay", answer.is_relay ? `for ${answer.guests.length} peers now` : "no"],
      ...answer.guests.map((guest, at) => [at === 0 ? "guests" : "", guest] as const),
    ]);
  });
  return EXIT.ok;
}

/** `almenad relay reserve <relay>`. */
export async function reserve(
  context: CommandContext,
  [relay = ""]: readonly string[],
): Promise<number> {
  const answer = await context.client.action("network.relay_reserve", { relay });
  print(context, answer, () => ["Peers reach this daemon at", ...answer.addresses].join("\n  "));
  return EXIT.ok;
}

/** `almenad relay release <relay>`. */
export async function release(
  context: CommandContext,
  [relay = ""]: readonly string[],
): Promise<number> {
  const answer = await context.client.action("network.relay_release", { relay });
  print(context, answer, () => `Gave the place at ${answer.relay} back`);
  return EXIT.ok;
}
