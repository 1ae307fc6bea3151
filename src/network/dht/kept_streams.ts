import type { AbortOptions, PeerId, Stream } from "@libp2p/interface";
import { systemClock, type Timer } from "../../core/mod.ts";

/** Longest idleness of a stream that is kept; the other side gives up after 10 s (js) or 60 s (Go). */
const KEPT_MS = 5_000;
/** Idle streams kept; one a peer. */
const MAX_KEPT = 256;

type Exchange = (stream: Stream, message: unknown, options: AbortOptions) => Promise<unknown>;
type OpenStream = (peer: PeerId, protocol: string, options: AbortOptions) => Promise<Stream>;

/** The part of the library's DHT that asks other peers; none of it is its public interface. */
export interface DhtNetwork {
  components: { connectionManager: { openStream: OpenStream } };
  protocol: string;
  _writeReadMessage: Exchange;
}

interface Kept {
  readonly stream: Stream;
  readonly timer: Timer;
}

/**
 * Lets a DHT ask a peer several things over one stream, as Go's does. Alone the library opens one a
 * question: two more round trips, and three times the frames (measured).
 */
export class KeptStreams {
  readonly #network: DhtNetwork;
  readonly #open: OpenStream;
  readonly #idle = new Map<string, Kept>();
  /** What was handed out, and of it what had been used before. */
  readonly #leases = new WeakMap<Stream, { readonly peer: PeerId; readonly isUsed: boolean }>();

  constructor(network: DhtNetwork) {
    this.#network = network;
    const { components } = network;
    this.#open = (...args) => components.connectionManager.openStream(...args);
    const exchange = network._writeReadMessage.bind(network);
    const openStream: OpenStream = (peer, _protocol, options) => this.#take(peer, options);
    // They are looked up by name when they are used, so they cannot be copied.
    network.components = new Proxy(components, {
      get: (target, name) =>
        name === "connectionManager" ? { openStream } : Reflect.get(target, name),
    });
    network._writeReadMessage = (stream, message, options) =>
      this.#ask(exchange, stream, message, options);
  }

  /** Streams that wait for the next question. */
  get idle(): number {
    return this.#idle.size;
  }

  async #take(peer: PeerId, options: AbortOptions): Promise<Stream> {
    const kept = this.#unkeep(peer.toString());
    if (kept && isWhole(kept)) return this.#lease(peer, kept, true);
    return await this.#fresh(peer, options);
  }

  async #fresh(peer: PeerId, options: AbortOptions): Promise<Stream> {
    return this.#lease(peer, await this.#open(peer, this.#network.protocol, options), false);
  }

  // The other side may have given a kept stream up at the moment it was taken.
  async #ask(exchange: Exchange, stream: Stream, message: unknown, options: AbortOptions) {
    try {
      return await exchange(stream, message, options);
    } catch (failure) {
      const lease = this.#leases.get(stream);
      if (!lease?.isUsed || options.signal?.aborted) throw failure;
      stream.abort(failure as Error);
      const fresh = await this.#fresh(lease.peer, options);
      try {
        const answer = await exchange(fresh, message, options);
        await fresh.close();
        return answer;
      } catch (again) {
        fresh.abort(again as Error);
        throw again;
      }
    }
  }

  // The library takes it for a stream of its own: its close gives it back, and its listeners go.
  #lease(peer: PeerId, stream: Stream, isUsed: boolean): Stream {
    const added: [string, EventListener][] = [];
    const own: Record<string, unknown> = {
      addEventListener: (type: string, listener: EventListener) => {
        added.push([type, listener]);
        stream.addEventListener(type as "message", listener as never);
      },
      close: () => {
        for (const [type, listener] of added.splice(0)) {
          stream.removeEventListener(type as "message", listener as never);
        }
        this.#keep(peer.toString(), stream);
        return Promise.resolve();
      },
    };
    const lease = new Proxy(stream, {
      get(target, name) {
        if (typeof name === "string" && name in own) return own[name];
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
      set: (target, name, value) => Reflect.set(target, name, value, target),
    });
    this.#leases.set(lease, { peer, isUsed });
    return lease;
  }

  #keep(peer: string, stream: Stream): void {
    if (!isWhole(stream)) return;
    if (this.#idle.has(peer) || this.#idle.size >= MAX_KEPT) return end(stream);
    const timer = systemClock.after(KEPT_MS, () => {
      this.#unkeep(peer);
      end(stream);
    });
    this.#idle.set(peer, { stream, timer });
    stream.addEventListener("close", () => {
      if (this.#idle.get(peer)?.stream === stream) this.#unkeep(peer);
    }, { once: true });
  }

  #unkeep(peer: string): Stream | undefined {
    const kept = this.#idle.get(peer);
    kept?.timer.cancel();
    this.#idle.delete(peer);
    return kept?.stream;
  }
}

function isWhole(stream: Stream): boolean {
  return stream.status === "open" && stream.writeStatus === "writable" &&
    stream.remoteWriteStatus === "writable";
}

function end(stream: Stream): void {
  stream.close({ signal: AbortSignal.timeout(1_000) }).catch((error) => stream.abort(error));
}
