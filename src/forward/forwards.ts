import { DaemonError, logger, messageOf, type Service } from "../core/mod.ts";
import type { Links, PeerStreams } from "../network/mod.ts";
import type { ForwardCounts, SharedCount } from "./connections.ts";
import { endpointText, parseEndpoint } from "./endpoint.ts";
import { type KeptForwards, loadForwards, saveForwards } from "./kept_forwards.ts";
import { LocalPort, type PortInit } from "./local_port.ts";
import { ServedService, type ServiceInit } from "./served_service.ts";

/** Services and ports at a time, each. */
export const MAX_FORWARDS = 64;

/** What {@link Forwards} uses. */
export interface ForwardsComponents {
  readonly streams: Pick<PeerStreams, "open" | "handle" | "isConnected">;
  readonly links: Pick<Links, "connect">;
  isTrusted(peerId: string): boolean;
}

/** How {@link Forwards} behaves. */
export interface ForwardsInit {
  /** Where those are kept that outlive a restart. */
  readonly path: string;
  /** Whether ports may be opened to other machines. */
  readonly allowsRemote: boolean;
}

/** One of them, as readers see it. */
export interface ServiceStatus extends ServiceInit, ForwardCounts {
  readonly isKept: boolean;
}

/** One of them, as readers see it. */
export interface PortStatus extends PortInit, ForwardCounts {
  readonly isKept: boolean;
  /** Why the last connection failed; empty if it did not. */
  readonly problem: string;
}

const log = logger("forward");

/** Services of this machine that peers reach, and ports of it that lead to services of peers. */
export class Forwards implements Service {
  readonly name = "forwards";
  readonly #components: ForwardsComponents;
  readonly #init: ForwardsInit;
  readonly #shared: SharedCount = { open: 0 };
  readonly #services = new Map<string, ServedService>();
  readonly #ports = new Map<string, LocalPort>();
  #kept: KeptForwards = { services: [], ports: [] };
  // One change after another, so that two callers cannot both take the same name.
  #last: Promise<unknown> = Promise.resolve();

  constructor(components: ForwardsComponents, init: ForwardsInit) {
    this.#components = components;
    this.#init = init;
  }

  async start(): Promise<void> {
    this.#kept = await loadForwards(this.#init.path);
    const begin = async (what: string, work: () => Promise<unknown>) => {
      try {
        await work();
      } catch (failure) {
        log.warn("A kept forward could not begin again", { what, reason: messageOf(failure) });
      }
    };
    for (const one of this.#kept.services) await begin(one.service, () => this.#serve(one));
    for (const one of this.#kept.ports) await begin(one.listen, () => this.#open(one));
  }

  async stop(): Promise<void> {
    const all = [...this.#services.values(), ...this.#ports.values()];
    this.#services.clear();
    this.#ports.clear();
    await Promise.all(all.map((one) => one.stop()));
  }

  /**
   * Lets peers reach a program of this machine.
   *
   * @throws {DaemonError} `already_exists`, `invalid_argument`, `resource_exhausted`.
   */
  async listen(init: ServiceInit & { isKept: boolean }): Promise<ServiceStatus> {
    return await this.#inTurn(async () => {
      const { isKept, ...wanted } = init;
      if (this.#services.has(init.service)) {
        throw new DaemonError(
          "already_exists",
          `Cannot listen for "${init.service}": it is served already; close it first`,
        );
      }
      const served = await this.#serve(wanted);
      if (isKept) {
        await this.#save({ services: [...this.#kept.services, served.init] }, async () => {
          this.#services.delete(init.service);
          await served.stop();
        });
      }
      return this.#serviceStatus(served);
    });
  }

  /**
   * Opens a port of this machine that leads to a peer's service.
   *
   * @throws {DaemonError} `already_exists`, `invalid_argument`, `permission_denied`,
   *   `resource_exhausted`, `unavailable`.
   */
  async dial(init: PortInit & { isKept: boolean }): Promise<PortStatus> {
    return await this.#inTurn(async () => {
      const { isKept, ...wanted } = init;
      const listen = endpointText(parseEndpoint(init.listen));
      if (this.#ports.has(listen)) {
        throw new DaemonError(
          "already_exists",
          `Cannot listen on ${listen}: it is forwarded already; close it first`,
        );
      }
      const port = await this.#open({ ...wanted, listen });
      if (isKept) {
        await this.#save({ ports: [...this.#kept.ports, port.init] }, async () => {
          this.#ports.delete(port.init.listen);
          await port.stop();
        });
      }
      return this.#portStatus(port);
    });
  }

  /** Everything that is forwarded now. */
  list(): { services: ServiceStatus[]; ports: PortStatus[] } {
    return {
      services: [...this.#services.values()].map((one) => this.#serviceStatus(one)),
      ports: [...this.#ports.values()].map((one) => this.#portStatus(one)),
    };
  }

  /**
   * Ends some, their connections too, for good.
   *
   * @param what Name of a service, address of a port, or `all`.
   * @returns What was closed.
   */
  async close(what: string): Promise<string[]> {
    return await this.#inTurn(async () => {
      const isMeant = (name: string) => what === "all" || what === name;
      const { services, ports } = this.#kept;
      await this.#save({
        services: services.filter(({ service }) => !isMeant(service)),
        ports: ports.filter(({ listen }) => !isMeant(listen)),
      });
      const closed = [...services.map(({ service }) => service), ...ports.map((one) => one.listen)];
      for (const all of [this.#services, this.#ports]) {
        for (const [name, one] of [...all]) {
          if (!isMeant(name)) continue;
          all.delete(name);
          closed.push(name);
          await one.stop();
        }
      }
      return [...new Set(closed.filter(isMeant))];
    });
  }

  async #serve(init: ServiceInit): Promise<ServedService> {
    refuseSurplus(this.#services.size);
    const { streams, isTrusted } = this.#components;
    const served = new ServedService({ streams, shared: this.#shared, isTrusted }, init);
    await served.start();
    this.#services.set(init.service, served);
    return served;
  }

  async #open(init: PortInit): Promise<LocalPort> {
    refuseSurplus(this.#ports.size);
    const { streams, links } = this.#components;
    const { allowsRemote } = this.#init;
    const port = new LocalPort({ streams, links, shared: this.#shared }, { ...init, allowsRemote });
    await port.start();
    this.#ports.set(port.init.listen, port);
    return port;
  }

  #serviceStatus({ init, counts }: ServedService): ServiceStatus {
    const isKept = this.#kept.services.some(({ service }) => service === init.service);
    return { ...init, ...counts, isKept };
  }

  #portStatus({ init, counts, problem }: LocalPort): PortStatus {
    const isKept = this.#kept.ports.some(({ listen }) => listen === init.listen);
    return { ...init, ...counts, problem, isKept };
  }

  async #save(change: Partial<KeptForwards>, undo?: () => Promise<void>): Promise<void> {
    const kept = { ...this.#kept, ...change };
    const text = JSON.stringify(kept);
    if (text === JSON.stringify(this.#kept)) return;
    try {
      await saveForwards(this.#init.path, kept);
      this.#kept = kept;
    } catch (cause) {
      await undo?.();
      const message = `Cannot write ${this.#init.path}: ${messageOf(cause)}`;
      throw new DaemonError("unavailable", message, { cause });
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}

function refuseSurplus(count: number): void {
  if (count < MAX_FORWARDS) return;
  throw new DaemonError("resource_exhausted", `Cannot forward more: ${MAX_FORWARDS} are open`);
}
