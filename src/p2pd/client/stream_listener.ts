import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { guard } from "../../core/mod.ts";
import { ClientSocket } from "../client_socket.ts";
import { encodeControlAddress } from "../wire/control_address.ts";
import { StreamInfo, type StreamInfoFields } from "../wire/messages.ts";
import { IoError } from "./errors.ts";

type Taker = (info: StreamInfoFields, socket: Socket) => void;

/** Where a p2pd brings the streams that peers open: a Unix socket, or loopback TCP on Windows. */
export class StreamListener {
  /** Binary multiaddr. */
  readonly address: Uint8Array;
  readonly #server: Server;
  readonly #folder: string | undefined;
  readonly #takers = new Map<string, Taker>();

  private constructor(server: Server, address: Uint8Array, folder: string | undefined) {
    this.#server = server;
    this.address = address;
    this.#folder = folder;
    server.on("connection", (socket) => guard("take a stream", () => this.#accept(socket)));
  }

  /** Listens at a place of its own. */
  static async open(): Promise<StreamListener> {
    const usesTcp = process.platform === "win32";
    const folder = usesTcp ? undefined : await mkdtemp(join(tmpdir(), "p2p-"));
    const server = createServer({ allowHalfOpen: true });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once("error", reject);
    const path = folder && join(folder, "streams.sock");
    if (path) server.listen(path, () => resolve());
    else server.listen(0, "127.0.0.1", () => resolve());
    await promise;
    const bound = server.address();
    if (path) return new StreamListener(server, encodeControlAddress({ path }), folder);
    if (!bound || typeof bound === "string") throw new IoError("Cannot listen for streams");
    const where = { host: "127.0.0.1", port: bound.port, family: 4 } as const;
    return new StreamListener(server, encodeControlAddress(where), folder);
  }

  /** Takes the streams of protocols from now on. */
  add(protocols: readonly string[], take: Taker): void {
    for (const protocol of protocols) this.#takers.set(protocol, take);
  }

  /** Listens no more; streams go on. */
  async close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    if (this.#folder) await rm(this.#folder, { recursive: true, force: true });
    await Promise.race([promise, Promise.resolve()]);
  }

  async #accept(socket: Socket): Promise<void> {
    const client = new ClientSocket(socket);
    const bytes = await client.next();
    const info = bytes && StreamInfo.decode(bytes);
    const take = info && this.#takers.get(info.proto);
    if (!take) return client.destroy();
    take(info, client.takeOver());
  }
}
