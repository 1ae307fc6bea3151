import { pause } from "../core/mod.ts";
import type { PolicyEventType, PolicyManager } from "./plugin.ts";

/** Where peers ask for trust, contract 4.4; open to everybody. */
export const HANDSHAKE_PORT = 444;
/** Longest wait of an early caller for trust and policy to be up. */
const UP_TIMEOUT_MS = 10_000;

/** What {@link PortGate} decides by. */
export interface PortGateComponents {
  /** Untrusted peers get the handshake only. */
  isPrivate(): boolean;
  isTrusted(peerId: string): boolean;
  policies(): PolicyManager | null;
  selfId(): string;
  tagsOf(network: number, peerId: string): readonly string[];
}

/** What happens at a port. */
export interface PortEvent {
  readonly event: Extract<PolicyEventType, "connect" | "dial" | "datagram">;
  readonly peerId: string;
  readonly port: number;
  readonly size?: number;
  readonly direction: "in" | "out";
}

/** Decides about everything that wants to reach a port, here or at a peer. */
export class PortGate {
  readonly #components: PortGateComponents;
  readonly #up = Promise.withResolvers<void>();
  readonly #ended = new AbortController();
  #state: "starting" | "open" | "closed" = "starting";

  constructor(components: PortGateComponents) {
    this.#components = components;
  }

  /** Whether new traffic is taken. */
  get isClosed(): boolean {
    return this.#state === "closed";
  }

  /** Trust and policy are up. */
  open(): void {
    this.#state = "open";
    this.#up.resolve();
  }

  /** No new traffic from now on. */
  close(): void {
    this.#state = "closed";
    this.#up.resolve();
    this.#ended.abort();
  }

  /** Waits until decisions can be made. @returns Whether they can. */
  async opened(): Promise<boolean> {
    if (this.#state === "starting") {
      const abort = new AbortController();
      const late = pause(UP_TIMEOUT_MS, AbortSignal.any([abort.signal, this.#ended.signal]));
      await Promise.race([this.#up.promise, late]);
      abort.abort();
    }
    return this.#state === "open";
  }

  /** Whether it may happen; a denial by any network wins. */
  allows({ event, peerId, port, size = 0, direction }: PortEvent): boolean {
    if (this.isClosed) return false;
    if (port === HANDSHAKE_PORT) return true;
    const { isPrivate, isTrusted, policies, selfId, tagsOf } = this.#components;
    if (isPrivate() && !isTrusted(peerId)) return false;
    const runners = policies()?.all() ?? [];
    return runners.every((runner) => {
      if (!runner.hasMember(peerId)) return true;
      const network = runner.networkID();
      const [local, remote] = [tagsOf(network, selfId()), tagsOf(network, peerId)];
      return runner.evaluatePortGate(event, port, peerId, size, direction, local, remote);
    });
  }
}
