import { dirname, join } from "node:path";
import { type Clock, guard, type Random, systemClock, systemRandom } from "../../core/mod.ts";
import { JsonStore } from "../json_store.ts";
import { PeerNames } from "../peer_names.ts";
import type { Daemon, Listener, Plugin, Registrar } from "../plugin.ts";
import { HANDSHAKE_PORT } from "../port_gate.ts";
import { Handshake } from "./handshake.ts";
import { Relay } from "./relay.ts";
import { TrustBook } from "./trust_book.ts";

/** How often relays are asked, contract 4.4; also how often what is over is forgotten. */
export const POLL_INTERVAL_MS = 30_000;

/** Trust between peers by hand, on port 444. */
export function register({ registerPlugin }: Registrar): void {
  registerPlugin("handshake", () => new HandshakePlugin());
}

/** Runs the handshake: its port, its timers, its file. */
export class HandshakePlugin implements Plugin {
  readonly name = "handshake";
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #ends: (() => void)[] = [];
  #handshake: Handshake | undefined;
  #relay: Relay | undefined;

  /** @param machine Clock and chance; those of the system when absent. */
  constructor(machine: { clock?: Clock; random?: Random } = {}) {
    this.#clock = machine.clock ?? systemClock;
    this.#random = machine.random ?? systemRandom;
  }

  async init(daemon: Daemon): Promise<void> {
    const folder = daemon.identityPath() && dirname(daemon.identityPath());
    const storeOf = (name: string) => new JsonStore(folder && join(folder, name));
    const book = new TrustBook(storeOf("trust.json"));
    const relay = new Relay({
      ...{ daemon, clock: this.#clock },
      store: storeOf("relay_inbox.json"),
      isTrusted: (peerId) => book.trusted.has(peerId),
    });
    this.#relay = relay;
    await Promise.all([book.load(), relay.start()]);
    book.reap(this.#clock.now());
    const handshake = new Handshake({
      ...{ daemon, book, relay },
      ...{ clock: this.#clock, random: this.#random },
      resolve: (peer) => namesOf(daemon, book).resolve(peer),
    });
    this.#handshake = handshake;
    const listener = daemon.ports().bind(HANDSHAKE_PORT);
    this.#ends.push(() => listener.close());
    daemon.background("accept handshakes", () => acceptAll(handshake, listener));
    this.#watch(daemon, handshake);
    daemon.registerHandshakeService(handshake);
  }

  async shutdown(): Promise<void> {
    for (const end of this.#ends.splice(0)) end();
    await this.#handshake?.stop();
    await this.#relay?.stop();
  }

  #watch(daemon: Daemon, handshake: Handshake): void {
    const links = daemon.bus().subscribe("peer.connected");
    const networks = daemon.bus().subscribe("network.joined");
    this.#ends.push(() => links.cancel(), () => networks.cancel());
    daemon.background("follow links", async () => {
      for await (const { payload } of links) handshake.linkOpened(String(payload["peerId"]));
    });
    // The swarm listens before plugins begin, so somebody may be there already.
    for (const { peerId, isConnected } of daemon.peers()) {
      if (isConnected) handshake.linkOpened(peerId);
    }
    daemon.background("follow networks", async () => {
      for await (const { payload } of networks) {
        if (payload["isSelf"] === true) handshake.announceNetworks();
      }
    });
    const timer = this.#clock.every(POLL_INTERVAL_MS, () =>
      guard("poll relays", () => {
        handshake.reap();
        for (const { peerId, isConnected } of daemon.peers()) {
          if (isConnected && handshake.isTrusted(peerId)) handshake.poll(peerId);
        }
      }));
    this.#ends.push(() => timer.cancel());
  }
}

async function acceptAll(handshake: Handshake, listener: Listener): Promise<void> {
  for (;;) {
    const connection = await listener.accept();
    if (!connection) return;
    guard("take a handshake message", () => handshake.serve(connection));
  }
}

function namesOf(daemon: Daemon, book: TrustBook): PeerNames {
  return new PeerNames(() => [
    daemon.peerId(),
    ...daemon.peers().map(({ peerId }) => peerId),
    ...book.trusted.keys(),
    ...book.pending.keys(),
  ]);
}
