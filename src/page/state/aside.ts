import { Store } from "./store.ts";

/** A request that is not to be shown: for a while, or until the peer asks again. */
interface Put {
  readonly receivedAt: string;
  /** Milliseconds since 1970; absent for as long as the request stays the same. */
  readonly untilMs?: number;
}

/** Requests put aside, by peer id. */
export type PutAside = Readonly<Record<string, Put>>;

const KEY = "almenad.aside";
const LATER_MS = 3_600_000;
/** Requests that are remembered as put aside. */
const MAX_PUT = 500;

/**
 * Requests for trust that this browser does not ask about: the daemon keeps them, so that they can
 * be answered at any time, here or by the command line.
 */
export class Aside {
  readonly store: Store<PutAside>;
  readonly #storage: Pick<Storage, "getItem" | "setItem">;

  constructor(storage: Pick<Storage, "getItem" | "setItem">) {
    this.#storage = storage;
    this.store = new Store<PutAside>(read(storage));
  }

  /** Whether a request is out of sight now. */
  has(put: PutAside, peerId: string, receivedAt: string, nowMs: number): boolean {
    const entry = Object.hasOwn(put, peerId) ? put[peerId] : undefined;
    return entry !== undefined && entry.receivedAt === receivedAt &&
      nowMs < (entry.untilMs ?? Infinity);
  }

  /** Out of sight for an hour. */
  later(peerId: string, receivedAt: string): void {
    this.#put(peerId, { receivedAt, untilMs: Date.now() + LATER_MS });
  }

  /** Out of sight until the peer asks anew. */
  ignore(peerId: string, receivedAt: string): void {
    this.#put(peerId, { receivedAt });
  }

  /** In sight again. */
  takeBack(peerId: string): void {
    this.#write(Object.entries(this.store.value).filter(([id]) => id !== peerId));
  }

  #put(peerId: string, put: Put): void {
    const others = Object.entries(this.store.value).filter(([id]) => id !== peerId);
    this.#write([...others, [peerId, put] as const].slice(-MAX_PUT));
  }

  #write(entries: readonly (readonly [string, Put])[]): void {
    const put = Object.fromEntries(entries);
    this.store.set(put);
    try {
      this.#storage.setItem(KEY, JSON.stringify(put));
    } catch {
      // a browser that keeps nothing; it lasts until the page is closed
    }
  }
}

function read(storage: Pick<Storage, "getItem">): PutAside {
  try {
    const found = JSON.parse(storage.getItem(KEY) ?? "{}");
    return typeof found === "object" && found !== null ? found : {};
  } catch {
    return {};
  }
}
