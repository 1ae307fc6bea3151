import { dirname, join } from "node:path";
import { type Clock, systemClock } from "../../core/mod.ts";
import type { Daemon, Plugin, Registrar } from "../plugin.ts";
import { Policies } from "./manager.ts";

/** What peers may do, by rules of the operator. */
export function register({ registerPlugin }: Registrar): void {
  registerPlugin("policy", () => new PolicyPlugin());
}

/** Runs the policies that were kept, and follows the networks. */
export class PolicyPlugin implements Plugin {
  readonly name = "policy";
  readonly #clock: Clock;
  #policies: Policies | undefined;

  /** @param machine The clock; the system's when absent. */
  constructor(machine: { clock?: Clock } = {}) {
    this.#clock = machine.clock ?? systemClock;
  }

  async init(daemon: Daemon): Promise<void> {
    const path = daemon.identityPath();
    const folder = path && join(dirname(path), "policies");
    const policies = new Policies({ daemon, clock: this.#clock }, { folder });
    this.#policies = policies;
    await policies.loadPersisted();
    const changes = daemon.bus().subscribe("network.*");
    daemon.background("follow networks", async () => {
      for await (const _ of changes) policies.reconcile();
    });
    daemon.registerPolicyManager(policies);
  }

  async shutdown(): Promise<void> {
    await this.#policies?.stopAll();
  }
}
