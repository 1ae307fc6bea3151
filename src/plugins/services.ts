import { DaemonError, logger } from "../core/mod.ts";
import type { HandshakeService, PolicyManager, TrustChecker, WebhookManager } from "./plugin.ts";

/** Nobody registered the service that is asked for. */
export class NoServiceError extends DaemonError {
  override readonly name = "NoServiceError";

  constructor(service: string) {
    super("failed_precondition", `Cannot use the ${service} service: no plugin offers it`);
  }
}

interface Offered {
  readonly "trust checker": TrustChecker;
  readonly handshake: HandshakeService;
  readonly policy: PolicyManager;
  readonly webhook: WebhookManager;
}

const log = logger("plugins");

/** What plugins offer one another and the daemon, contract 4.2. */
export class Services {
  readonly #offered = new Map<keyof Offered, { by: string; service: Offered[keyof Offered] }>();

  /** Takes an offer; the last one wins, with a warning. */
  register<K extends keyof Offered>(kind: K, service: Offered[K], by: string): void {
    const before = this.#offered.get(kind);
    if (before && before.service !== service) {
      log.warn("A service is replaced", { service: kind, before: before.by, now: by });
    }
    this.#offered.set(kind, { by, service });
  }

  /** The offer; null when there is none. */
  find<K extends keyof Offered>(kind: K): Offered[K] | null {
    return (this.#offered.get(kind)?.service ?? null) as Offered[K] | null;
  }

  /** The offer. @throws {NoServiceError} */
  need<K extends keyof Offered>(kind: K): Offered[K] {
    const service = this.find(kind);
    if (service) return service;
    throw new NoServiceError(kind);
  }

  /** Which plugin offers what. */
  offeredBy(plugin: string): string[] {
    return [...this.#offered].filter(([, { by }]) => by === plugin).map(([kind]) => kind);
  }

  /** Forgets everything, before another load. */
  clear(): void {
    this.#offered.clear();
  }
}
