import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { guard, listenLocal, type LocalServer, type LocalSocket } from "../../core/mod.ts";
import { ClientSocket } from "../client_socket.ts";
import { encodeControlAddress } from "../wire/control_address.ts";
import { StreamInfo, type StreamInfoFields } from "../wire/messages.ts";

type Taker = (info: StreamInfoFields, socket: LocalSocket) => void;

/** Where a p2pd brings the streams that peers open: a Unix socket, or loopback TCP on Windows. */
export class StreamListener {
  readonly #takers = new Map<string, Taker>();
  #address: Uint8Array = new Uint8Array(0);
  #server: LocalServer | undefined;
  #folder: string | undefined;

  /** Binary multiaddr. */
  get address(): Uint8Array {
    return this.#address;
  }

  /** Listens at a place of its own. */
  static async open(): Promise<StreamListener> {
    const listener = new StreamListener();
    await listener.#open();
    return listener;
  }

  async #open(): Promise<void> {
    const take = (socket: LocalSocket) => guard("take a stream", () => this.#accept(socket));
    if (process.platform === "win32") {
      this.#server = await listenLocal({ host: "127.0.0.1", port: 0 }, take);
      const { port } = this.#server;
      this.#address = encodeControlAddress({ host: "127.0.0.1", port, family: 4 });
      return;
    }
    this.#folder = await mkdtemp(join(tmpdir(), "p2p-"));
    const path = join(this.#folder, "streams.sock");
    this.#server = await listenLocal({ path }, take);
    this.#address = encodeControlAddress({ path });
  }

  /** Takes the streams of protocols from now on. */
  add(protocols: readonly string[], take: Taker): void {
    for (const protocol of protocols) this.#takers.set(protocol, take);
  }

  /** Listens no more; streams go on. */
  async close(): Promise<void> {
    guard("listen for streams no more", () => this.#server?.close());
    if (this.#folder) await rm(this.#folder, { recursive: true, force: true });
  }

  async #accept(socket: LocalSocket): Promise<void> {
    const client = new ClientSocket(socket);
    const bytes = await client.next();
    const info = bytes && StreamInfo.decode(bytes);
    const take = info && this.#takers.get(info.proto);
    if (!take) return client.destroy();
    take(info, client.takeOver());
  }
}
