import * as z from "zod";
import { action, DaemonError, once, query } from "../core/mod.ts";
import type { RelayPlaces } from "../network/mod.ts";
import type { Components } from "./components.ts";

type Uses = Pick<Components, "reach">;

const Relay = once(() => z.string().min(1).max(1_024));
const Place = once(() =>
  z.object({
    relay: z.string().describe("As it was asked for; empty for whichever can be found"),
    addresses: z.array(z.string()).describe("Where peers reach us through it"),
    problem: z.string().describe("Why it gave no place at the last try; empty if it did"),
  })
);

function using(reach: Uses["reach"]): RelayPlaces {
  const { relays } = reach();
  if (relays) return relays;
  const remedy = "set relay = true in config.toml, or start with --p2pd-listen";
  throw new DaemonError("failed_precondition", `Cannot use relays: they are off; ${remedy}`);
}

/** How this daemon stands with relays. */
export const relayStatus = query({
  name: "network.relay_status",
  summary: "Relays that hold a place for this daemon, and peers that hold one here",
  input: () => z.strictObject({}),
  output: () =>
    z.object({
      is_used: z.boolean().describe("Whether this daemon may use relays"),
      is_relay: z.boolean().describe("Whether it is one for others"),
      reachability: z.enum(["public", "private", "unknown"]),
      places: z.array(Place()),
      guests: z.array(z.string()).describe("Peer ids"),
    }),
  run: (_input, { reach }: Uses) => {
    const { relays, guests, reachability } = reach();
    return {
      is_used: relays !== undefined,
      is_relay: guests !== undefined,
      reachability,
      places: relays?.list().map((one) => ({ ...one, addresses: [...one.addresses] })) ?? [],
      guests: [...guests ?? []],
    };
  },
});

/** Gets a place at a relay. */
export const reserveRelay = action({
  name: "network.relay_reserve",
  summary: "Get a place at a relay, and keep it until it is released or the daemon ends",
  positional: ["relay"],
  input: () =>
    z.strictObject({
      relay: Relay().describe("Multiaddr with the relay's peer id: /ip4/…/tcp/…/p2p/…"),
    }),
  output: () => z.object({ relay: z.string(), addresses: z.array(z.string()) }),
  run: async ({ relay }, { reach }: Uses) => {
    const place = await using(reach).reserve(relay);
    return { relay: place.relay, addresses: [...place.addresses] };
  },
});

/** Gives a place at a relay back. */
export const releaseRelay = action({
  name: "network.relay_release",
  summary: "Give a place at a relay back, and close the connection to the relay",
  positional: ["relay"],
  input: () => z.strictObject({ relay: Relay().describe("Its multiaddr or its peer id") }),
  output: () => z.object({ relay: z.string() }),
  run: async ({ relay }, { reach }: Uses, { signal }) => {
    if (await using(reach).release(relay, signal)) return { relay };
    throw new DaemonError(
      "not_found",
      `Cannot release a place at ${relay}: none is held or wanted; almenad relay status lists them`,
    );
  },
});
