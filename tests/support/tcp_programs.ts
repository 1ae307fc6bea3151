/** Programs at both ends of a TCP connection, for what passes connections on. */
import { createHash, randomBytes } from "node:crypto";
import { waitFor } from "./wait.ts";

const PIECE_BYTES = 1 << 16;

/** Listens on loopback and serves each connection. */
export class TcpProgram implements Disposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open = new Set<Deno.TcpConn>();

  /** @param serve Its failures are the connection's. */
  constructor(serve: (connection: Deno.TcpConn) => Promise<unknown>) {
    void this.#accept(serve);
  }

  /** `127.0.0.1:port`. */
  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  /** Connections that are not closed yet. */
  get open(): number {
    return this.#open.size;
  }

  [Symbol.dispose](): void {
    this.#listener.close();
    for (const connection of this.#open) close(connection);
  }

  async #accept(serve: (connection: Deno.TcpConn) => Promise<unknown>): Promise<void> {
    try {
      for await (const connection of this.#listener) {
        this.#open.add(connection);
        void serve(connection).catch(() => undefined).finally(() => {
          this.#open.delete(connection);
          close(connection);
        });
      }
    } catch {
      // closed
    }
  }
}

/** Connects to `host:port`. */
export async function dial(address: string): Promise<Deno.TcpConn> {
  const [hostname = "", port] = address.split(":");
  return await Deno.connect({ hostname, port: Number(port) });
}

/** Closes what may be closed already. */
export function close(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // closed already
  }
}

/** Sends everything. */
export async function sendAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

/** Reads to the end. @throws if the connection breaks. */
export async function readAll(connection: Deno.Conn): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const piece of pieces(connection)) text += decoder.decode(piece, { stream: true });
  return text;
}

/** The SHA-256 of everything up to the end, and how many bytes it was. */
export async function hashAll(connection: Deno.Conn): Promise<{ digest: string; bytes: number }> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const piece of pieces(connection)) {
    hash.update(piece);
    bytes += piece.length;
  }
  return { digest: hash.digest("hex"), bytes };
}

/** Sends so many MiB of chance and ends the side. @returns Their SHA-256. */
export async function sendRandom(connection: Deno.TcpConn, mib: number): Promise<string> {
  const hash = createHash("sha256");
  for (let at = 0; at < mib; at++) {
    const bytes = randomBytes(1 << 20);
    hash.update(bytes);
    await sendAll(connection, bytes);
  }
  await connection.closeWrite();
  return hash.digest("hex");
}

/** Sends without end until nobody takes more for a moment. @returns Bytes taken. */
export async function sendUntilStuck(connection: Deno.Conn, maxBytes: number): Promise<number> {
  const bytes = new Uint8Array(PIECE_BYTES);
  let taken = 0;
  let last = performance.now();
  const sending = (async () => {
    while (taken < maxBytes) {
      taken += await connection.write(bytes);
      last = performance.now();
    }
  })().catch(() => undefined);
  await waitFor(
    "end of taking",
    () => taken >= maxBytes || performance.now() - last > 1_500,
    60_000,
  );
  void sending;
  return taken;
}

async function* pieces(connection: Deno.Conn): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(PIECE_BYTES);
  for (;;) {
    const size = await connection.read(buffer);
    if (size === null) return;
    yield buffer.subarray(0, size);
  }
}
