/** A daemon to be attacked, with an attacker on its own host. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type DaemonInit, type DaemonProcess, startDaemon } from "../daemon.ts";
import { started } from "../started.ts";
import { Attacker } from "./attacker_process.ts";
import type { Answers, Doors } from "./honest.ts";
import type { Endpoint } from "./raw_connections.ts";

const UNCAUGHT = /uncaught|unhandled|panicked/i;

/** A running daemon; by default with its default ports, so that both gRPC listeners are there. */
export class BesiegedDaemon implements AsyncDisposable {
  readonly daemon: DaemonProcess;
  readonly attacker: Attacker;

  private constructor(daemon: DaemonProcess, attacker: Attacker) {
    this.daemon = daemon;
    this.attacker = attacker;
  }

  /** Starts the daemon and its attacker. */
  static async start(init: DaemonInit = {}): Promise<BesiegedDaemon> {
    const [daemon, attacker] = await started(
      startDaemon({ hasDefaultPorts: true, ...init }),
      Attacker.start(init.netns),
    );
    return new BesiegedDaemon(daemon, attacker);
  }

  /** Every gRPC listener. */
  get grpc(): Endpoint[] {
    return this.daemon.ready.grpc_addrs.map(endpointOf);
  }

  /** The one at which attacks are aimed. */
  get grpcTarget(): Endpoint {
    return this.grpc.at(-1) as Endpoint;
  }

  /** The HTTP listener. */
  get rest(): Endpoint {
    return endpointOf(this.daemon.ready.rest_addr);
  }

  /** Dialable multiaddrs on a host of the network, by default on loopback. */
  swarm(ip = "127.0.0.1"): string {
    return `/ip4/${ip}/tcp/${this.swarmTarget(ip).port}/p2p/${this.daemon.ready.peer_id}`;
  }

  /** The swarm's IPv4 listener. */
  swarmTarget(host = "127.0.0.1"): Endpoint {
    const address = this.daemon.ready.p2p_addrs.find((one) => one.startsWith("/ip4/"));
    return { host, port: Number(address?.split("/")[4]) };
  }

  /** All doors on loopback. */
  doors(): Doors {
    const { p2p_addrs, peer_id } = this.daemon.ready;
    const loopback = p2p_addrs.filter((one) => /^\/ip4\/127\.|^\/ip6\/::1\//.test(one));
    const swarm = loopback.map((address) => `${address}/p2p/${peer_id}`);
    return { grpc: this.grpc, rest: this.rest, swarm };
  }

  /** Proves that honest callers are served on every door and that nothing went uncaught. */
  async assertUnharmed(): Promise<Answers> {
    const answers = await this.attacker.ask<Answers>("honest", { doors: this.doors() });
    assert.doesNotMatch(this.daemon.stderr, UNCAUGHT);
    assert.doesNotMatch(await this.log(), UNCAUGHT);
    return answers;
  }

  /** All log lines. */
  async log(): Promise<string> {
    return await readFile(join(this.daemon.dataDir, "logs", "daemon.log"), "utf8");
  }

  /** Values of /metrics by name and labels. */
  async metrics(): Promise<ReadonlyMap<string, number>> {
    const input = { target: this.rest, name: "/metrics" };
    const { body } = await this.attacker.ask<{ body: string }>("get", input);
    const lines = body.split("\n").filter((line) => line && !line.startsWith("#"));
    return new Map(lines.map((line) => {
      const cut = line.lastIndexOf(" ");
      return [line.slice(0, cut), Number(line.slice(cut + 1))];
    }));
  }

  /** Resident memory in MiB; the kernel's figure. */
  async residentMiB(): Promise<number> {
    const status = await readFile(`/proc/${this.daemon.pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1_024;
  }

  /** Open file descriptors. */
  async openFiles(): Promise<number> {
    let count = 0;
    for await (const _ of Deno.readDir(`/proc/${this.daemon.pid}/fd`)) count++;
    return count;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.attacker[Symbol.asyncDispose]();
    await this.daemon[Symbol.asyncDispose]();
  }
}

function endpointOf(text: string): Endpoint {
  const cut = text.lastIndexOf(":");
  return { host: text.slice(0, cut).replace(/^\[|\]$/g, ""), port: Number(text.slice(cut + 1)) };
}
