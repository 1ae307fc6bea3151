/** The runtime's scheduler looks at sockets and other threads when it has nothing else to do, or every 61 turns. */
import { createSocket, type Socket } from "node:dgram";

/** So much is handled between two looks; some 5 ms of work. */
const TURN_BYTES = 2 * 1_024 * 1_024;
/** What a read costs at the least, however few bytes it brings. */
const LEAST_BYTES = 16_384;
/** Who takes longer over so much leaves the runtime time enough to look by itself. */
const WINDOW_MS = 100;
/** A word that got lost is not waited for any longer. */
const LONGEST_MS = 10;

/**
 * Lets everything that waits have its turn. A socket that always has more bytes is served from promise
 * to promise, and so is one that always takes more; callers on other sockets, files and threads then wait
 * for 100 to 400 ms (measured). Whoever moves much counts it here, and pauses for {@link turn} when told to.
 */
export class LoopTurns {
  #bytes = 0;
  #since = 0;
  #turn: Promise<void> | undefined;
  #socket: Promise<Socket | undefined> | undefined;
  #heard: () => void = () => undefined;
  #isClosed = false;

  /** Counts what was read or written. @returns Whether it is time to wait for {@link turn}. */
  handled(bytes: number): boolean {
    if (this.#turn) return true;
    this.#bytes += Math.max(bytes, LEAST_BYTES);
    if (this.#bytes < TURN_BYTES) return false;
    const now = performance.now();
    const isFast = now - this.#since < WINDOW_MS;
    this.#bytes = 0;
    this.#since = now;
    return isFast;
  }

  /** Resolves once the runtime has looked at every socket, and never rejects; one wait serves all callers. */
  turn(): Promise<void> {
    this.#turn ??= this.#look().finally(() => {
      this.#turn = undefined;
      this.#bytes = 0;
      this.#since = performance.now();
    });
    return this.#turn;
  }

  /** Gives the socket back; safe to call twice. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#heard();
    const socket = await this.#socket;
    this.#socket = undefined;
    socket?.close();
  }

  // A word to ourselves: it comes back when sockets are looked at, and not before.
  async #look(): Promise<void> {
    if (this.#isClosed) return;
    this.#socket ??= open(() => this.#heard());
    const socket = await this.#socket;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#heard = resolve;
    const timer = setTimeout(resolve, socket ? LONGEST_MS : 1);
    try {
      socket?.send(new Uint8Array(1));
    } catch {
      // the timer tells
    }
    await promise;
    clearTimeout(timer);
  }
}

// Connected to itself, so that nobody else can send to it. Without one, as where descriptors ran out,
// the timer alone tells.
async function open(heard: () => void): Promise<Socket | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let socket: Socket | undefined;
  try {
    socket = createSocket("udp4");
    socket.on("error", reject);
    socket.on("message", heard);
    socket.bind(0, "127.0.0.1", resolve);
    await promise;
    socket.unref();
    const { port } = socket.address();
    await new Promise<void>((connected) => socket?.connect(port, "127.0.0.1", connected));
    return socket;
  } catch {
    socket?.close();
    return undefined;
  }
}
