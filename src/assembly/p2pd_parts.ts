/** DHT, pubsub, relays and the p2pd socket of a daemon; loaded only when something of it is on. */
import { ConnectionPlaces } from "../api/connection_places.ts";
import type { Service } from "../core/mod.ts";
import type { Swarm } from "../network/mod.ts";
import { defaultFlags, P2pdServer } from "../p2pd/mod.ts";
import type { NetworkInput } from "./network.ts";
import { P2pdStack } from "./p2pd_stack.ts";

/** Makes what the configuration asks for. */
export function createStack(
  { config: { config }, datastore }: NetworkInput,
  swarm: () => Swarm,
): P2pdStack {
  return new P2pdStack({ swarm }, {
    ...defaultFlags(),
    datastore,
    listen: config.p2pd_listen,
    dhtServer: config.dht === "server",
    dhtClient: config.dht === "client",
    pubsub: config.pubsub,
    relay: config.relay,
    autonat: config.relay,
    autoRelay: config.relay && config.relays !== "",
    trustedRelays: config.relays,
    echo: false,
  });
}

/** The swarm and what belongs to it, in start order, with the p2pd socket if there is one. */
export function stackServices(
  { config: { config } }: NetworkInput,
  stack: P2pdStack,
  swarm: Swarm,
): { services: Service[]; p2pd: P2pdServer | undefined } {
  const datastore: Service = {
    name: "datastore",
    start: () => Promise.resolve(),
    stop: () => Promise.resolve(stack.close()),
  };
  const services = [datastore, swarm, stack];
  if (!config.p2pd_listen) return { services, p2pd: undefined };
  const p2pd = new P2pdServer({
    parts: () => stack.parts(),
    places: (init) => new ConnectionPlaces(init),
  }, { listen: config.p2pd_listen });
  return { services: [...services, p2pd], p2pd };
}
