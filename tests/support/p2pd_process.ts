/** A p2pd of either kind, ours or the Go one, driven by the same client and by raw bytes. */
import { join } from "node:path";
import { P2PClient, type P2PPeer } from "../../src/p2pd/client/mod.ts";
import { FrameReader } from "../../src/p2pd/wire/frames.ts";
import { almenadCommand } from "./daemon.ts";
import { GO_P2PD } from "./go_p2pd.ts";
import { LineProcess } from "./line_process.ts";
import { waitFor } from "./wait.ts";

/** Which program. */
export type P2pdKind = "almenad" | "go";

/** How a p2pd is started. */
export interface P2pdInit {
  flags?: readonly string[];
  netns?: string;
  hostAddrs?: string;
  /** Multiaddr of the control socket; one in a folder of its own by default. */
  listen?: string;
  env?: Record<string, string>;
}

/** A running p2pd. */
export class P2pd implements AsyncDisposable {
  readonly kind: P2pdKind;
  readonly folder: string;
  readonly process: LineProcess;
  readonly client: P2PClient;
  readonly listen: string;
  info: P2PPeer = { peerId: "", addrs: [] };

  private constructor(kind: P2pdKind, folder: string, process: LineProcess, listen: string) {
    this.kind = kind;
    this.folder = folder;
    this.process = process;
    this.listen = listen;
    this.client = new P2PClient(listen);
  }

  /** Starts one and waits for its lines. */
  static async start(kind: P2pdKind, init: P2pdInit = {}): Promise<P2pd> {
    const folder = await Deno.makeTempDir({ prefix: "p2pd-" });
    const listen = init.listen ?? `/unix${join(folder, "p2pd.sock")}`;
    const program = kind === "go" ? [GO_P2PD.path] : [...almenadCommand(), "p2pd"];
    const child = new LineProcess({
      command: [
        ...program,
        `-listen=${listen}`,
        `-hostAddrs=${init.hostAddrs ?? "/ip4/127.0.0.1/tcp/0"}`,
        ...init.flags ?? [],
      ],
      netns: init.netns,
      ...(init.env ? { env: init.env } : {}),
    });
    try {
      const control = await child.waitFor(
        "control socket",
        (line) => /^Control socket: (.+)$/.exec(line)?.[1],
        20_000,
      );
      await child.waitFor("addresses", (line) => line.startsWith("Peer Addrs:") || undefined);
      const p2pd = new P2pd(kind, folder, child, control);
      p2pd.info = await p2pd.client.info();
      return p2pd;
    } catch (failure) {
      await child.stop();
      await Deno.remove(folder, { recursive: true });
      throw failure;
    }
  }

  /** Its peer id. */
  get peerId(): string {
    return this.info.peerId;
  }

  /** Connects to another and waits until both know. */
  async join(other: P2pd): Promise<void> {
    await this.client.connect(other.peerId, other.info.addrs, 10);
    await waitFor(
      "the connection at the other end",
      async () => (await other.client.listPeers()).some(({ peerId }) => peerId === this.peerId),
    );
  }

  /**
   * Sends bytes and gives the messages that come back until the end, or so many of them.
   *
   * @param isLast Whether nothing more is sent, which the other side is told.
   */
  async raw(
    bytes: Uint8Array,
    count = 1,
    timeoutMs = 5_000,
    isLast = false,
  ): Promise<Uint8Array[] | "closed"> {
    const connection = await this.#dial();
    const reader = new FrameReader(1 << 26);
    const found: Uint8Array[] = [];
    const timer = setTimeout(() => connection.close(), timeoutMs);
    try {
      await connection.write(bytes);
      if (isLast) await connection.closeWrite();
      const buffer = new Uint8Array(65_536);
      while (found.length < count) {
        const size = await connection.read(buffer);
        if (size === null) break;
        reader.push(buffer.slice(0, size));
        for (let frame = reader.next(); frame; frame = reader.next()) found.push(frame);
      }
    } catch {
      // closed by the other side
    } finally {
      clearTimeout(timer);
      try {
        connection.close();
      } catch {
        // closed already
      }
    }
    return found.length > 0 ? found : "closed";
  }

  /** Resident memory in MiB. */
  residentMiB(): number {
    const status = Deno.readTextFileSync(`/proc/${this.process.pid}/status`);
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1_024;
  }

  /** Ends it. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<Deno.CommandStatus> {
    await this.client.close();
    return await this.process.stop(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await Deno.remove(this.folder, { recursive: true });
  }

  async #dial(): Promise<Deno.TcpConn | Deno.UnixConn> {
    const [, family, host = "", , port] = this.listen.split("/");
    if (family !== "unix") return await Deno.connect({ hostname: host, port: Number(port) });
    return await Deno.connect({ transport: "unix", path: this.listen.slice("/unix".length) });
  }
}
