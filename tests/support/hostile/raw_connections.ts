/** Plain TCP connections that send what they like and leave how they like. */

/** Where to connect. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** What one connection does. */
export interface RawVisit {
  readonly bytes: Uint8Array;
  /** Wait so long for the other side to close before closing. @default {0} */
  readonly lingerMs?: number;
  /** Send the bytes one part at a time. @default {1} */
  readonly parts?: number;
}

/** How a visit ended. */
export interface VisitOutcome {
  /** The other side closed before we did. */
  readonly wasClosed: boolean;
  /** What it said, as far as we listened. */
  readonly answer: string;
  readonly ms: number;
}

const KEPT_ANSWER = 2_048;

/** Connects, sends, listens for a while, closes. A refused or reset connection is an outcome too. */
export async function visit(
  target: Endpoint,
  { bytes, lingerMs = 0, parts = 1 }: RawVisit,
): Promise<VisitOutcome> {
  const startedAt = performance.now();
  let connection: Deno.TcpConn | undefined;
  let answer = "";
  let wasClosed = false;
  try {
    connection = await Deno.connect({ hostname: target.host, port: target.port });
    const open = connection;
    const size = Math.max(1, Math.ceil(bytes.length / parts));
    const reading = lingerMs > 0 ? readUntilClosed(open, (text) => answer += text) : undefined;
    for (let offset = 0; offset < bytes.length; offset += size) {
      await writeFully(open, bytes.subarray(offset, offset + size));
    }
    if (reading) wasClosed = await within(lingerMs, reading);
  } catch {
    wasClosed = true;
  } finally {
    closeQuietly(connection);
  }
  return { wasClosed, answer: answer.slice(0, KEPT_ANSWER), ms: performance.now() - startedAt };
}

/** Makes so many visits, some at a time; `next` gives the n-th. */
export async function visitMany(
  target: Endpoint,
  options: { count: number; atOnce: number },
  next: (index: number) => RawVisit,
): Promise<void> {
  let index = 0;
  const worker = async () => {
    while (index < options.count) await visit(target, next(index++));
  };
  await Promise.all(Array.from({ length: options.atOnce }, worker));
}

/** Connections that stay open, so that places are taken. */
export class HeldConnections {
  readonly #open = new Set<Deno.TcpConn>();
  #closed = 0;

  /** Open on our side and, as far as we know, on the other. */
  get openCount(): number {
    return this.#open.size;
  }

  /** Closed by the other side. */
  get closedCount(): number {
    return this.#closed;
  }

  /** Opens one more, sends the bytes and waits for nothing. */
  async add(target: Endpoint, bytes: Uint8Array = new Uint8Array()): Promise<void> {
    try {
      const connection = await Deno.connect({ hostname: target.host, port: target.port });
      this.#open.add(connection);
      readUntilClosed(connection, () => undefined).then(() => {
        closeQuietly(connection);
        if (this.#open.delete(connection)) this.#closed++;
      });
      if (bytes.length > 0) await writeFully(connection, bytes);
    } catch {
      this.#closed++;
    }
  }

  /** Sends the same to all that are still open. */
  async sendAll(bytes: Uint8Array): Promise<void> {
    await Promise.allSettled([...this.#open].map((connection) => writeFully(connection, bytes)));
  }

  /** Closes all. */
  close(): void {
    const connections = [...this.#open];
    this.#open.clear();
    for (const connection of connections) closeQuietly(connection);
  }
}

async function writeFully(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let offset = 0; offset < bytes.length;) {
    offset += await connection.write(bytes.subarray(offset));
  }
}

async function readUntilClosed(
  connection: Deno.TcpConn,
  take: (text: string) => void,
): Promise<boolean> {
  const buffer = new Uint8Array(16_384);
  const decoder = new TextDecoder("latin1");
  try {
    for (let count = await connection.read(buffer); count !== null;) {
      take(decoder.decode(buffer.subarray(0, count)));
      count = await connection.read(buffer);
    }
  } catch {
    // Reset instead of closed: the same to us.
  }
  return true;
}

async function within(ms: number, promise: Promise<boolean>): Promise<boolean> {
  const { promise: expired, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), ms);
  const outcome = await Promise.race([promise, expired]);
  clearTimeout(timer);
  return outcome;
}

function closeQuietly(connection: Deno.TcpConn | undefined): void {
  try {
    connection?.close();
  } catch {
    // The other side was first.
  }
}
