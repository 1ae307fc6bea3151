/** A shared library on a libp2p node of its own, in this process. */
import type { Libp2p } from "@libp2p/interface";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type BusEvent, type Clock, EventBus, systemClock } from "../../../src/core/mod.ts";
import { type ByteStream, ProtocolStreams } from "../../../src/network/mod.ts";
import { Catalog } from "../../../src/sharing/catalog.ts";
import type { BandwidthLimits, SharingComponents } from "../../../src/sharing/components.ts";
import { type Files, systemFiles } from "../../../src/sharing/files.ts";
import { Sharing } from "../../../src/sharing/sharing.ts";
import type { PlanStrategy } from "../../../src/sharing/planned.ts";
import type { Unpacker } from "../../../src/sharing/transaction.ts";
import { ArchiveUnpacker } from "../../../src/sharing/unpack/archives.ts";
import { createNode } from "../libp2p_pair.ts";
import { tempFolder } from "../temp_folder.ts";
import { waitFor } from "../wait.ts";

/** How a library is made. */
export interface LibraryNodeInit {
  readonly files?: Files;
  readonly unpacker?: Unpacker;
  readonly clock?: Clock;
  readonly watch?: SharingComponents["watch"];
  readonly limits?: Partial<BandwidthLimits>;
  readonly strategy?: PlanStrategy;
  readonly stallMs?: number;
  readonly roundWaitMs?: number;
  readonly directItemBytes?: number;
  readonly mayShareWith?: (peerId: string) => boolean;
  /** Stays after the end; a temporary one is made and removed when absent. */
  readonly folder?: string;
  /** Stands between the library and the streams. */
  readonly wrapStream?: (stream: ByteStream) => ByteStream;
}

/** A running library; dispose of it. */
export class LibraryNode implements AsyncDisposable {
  readonly events: BusEvent[] = [];

  private constructor(
    readonly sharing: Sharing,
    readonly node: Libp2p,
    readonly folder: string,
    readonly bus: EventBus,
    private readonly cleanUp: () => Promise<void>,
  ) {
    bus.listen((event) => void this.events.push(event));
  }

  /** Starts a library with its folder in `folder/library`. */
  static async start(init: LibraryNodeInit = {}): Promise<LibraryNode> {
    const temp = init.folder ? undefined : await tempFolder();
    const folder = init.folder ?? temp?.path ?? "";
    for (const name of ["data", "config", "library"]) {
      await mkdir(join(folder, name), { recursive: true });
    }
    const node = await createNode();
    const selfId = node.peerId.toString();
    const bus = new EventBus(() => selfId);
    node.addEventListener("peer:disconnect", ({ detail }) => {
      bus.publish("peer.disconnected", { peerId: detail.toString() });
    });
    const files = init.files ?? systemFiles;
    const streams = new ProtocolStreams({ node: () => node });
    const { wrapStream = (stream: ByteStream) => stream } = init;
    const sharing = new Sharing({
      clock: init.clock ?? systemClock,
      files,
      events: bus,
      streams: {
        open: async (...args) => wrapStream(await streams.open(...args)),
        handle: (...args) => streams.handle(...args),
        onSpeaker: (...args) => streams.onSpeaker(...args),
      },
      catalog: new Catalog(join(folder, "config")),
      unpacker: init.unpacker ?? new ArchiveUnpacker({ files, external: () => [] }),
      limits: () => ({
        ...{ uploadTotal: 0, uploadPerPeer: 0, downloadTotal: 0, downloadPerPeer: 0 },
        ...init.limits,
      }),
      ...(init.watch ? { watch: init.watch } : {}),
      mayShareWith: init.mayShareWith ?? (() => true),
      checkDir: (path) => Promise.resolve(path),
    }, {
      selfId,
      dataDir: join(folder, "data"),
      defaultDir: join(folder, "library"),
      ...(init.strategy ? { strategy: init.strategy } : {}),
      ...(init.stallMs ? { stallMs: init.stallMs } : {}),
      ...(init.roundWaitMs ? { roundWaitMs: init.roundWaitMs } : {}),
      ...(init.directItemBytes ? { directItemBytes: init.directItemBytes } : {}),
    });
    await sharing.start();
    return new LibraryNode(sharing, node, folder, bus, async () => {
      await temp?.[Symbol.asyncDispose]();
    });
  }

  get peerId(): string {
    return this.node.peerId.toString();
  }

  get dir(): string {
    return this.sharing.dir;
  }

  /** Connects and waits until both know each other's list. */
  async connect(other: LibraryNode): Promise<void> {
    await this.node.dial(other.node.getMultiaddrs());
    await waitFor("peers with libraries", () =>
      this.sharing.peers.ids().includes(other.peerId) &&
      other.sharing.peers.ids().includes(this.peerId));
    await this.sharing.peers.refresh();
    await other.sharing.peers.refresh();
  }

  /** Scans, hashes, and waits for both. */
  async scanned(): Promise<void> {
    await this.sharing.scan();
    await this.sharing.settled();
  }

  /** Waits until this library knows that peers have an item. */
  async knows(id: string, peers = 1): Promise<void> {
    await waitFor(`"${id}" at ${peers} peers`, async () => {
      await this.sharing.peers.refresh();
      return (this.sharing.peers.latest(id)?.peers.length ?? 0) >= peers;
    });
  }

  /** Fetches an item to the end. */
  async get(id: string, install = false): Promise<void> {
    const signal = AbortSignal.timeout(60_000);
    const { done } = await this.sharing.actions.download(id, { install, signal });
    await done;
  }

  /** Topics so far, without the progress of downloads. */
  topics(): string[] {
    return this.events.map(({ topic }) => topic)
      .filter((topic) => topic.startsWith("library.") && !topic.endsWith("progress"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sharing.stop();
    await this.node.stop();
    await this.cleanUp();
  }
}

/** Bytes that look random and are the same each time. */
export function noiseBytes(length: number, seed = 1): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4));
  let state = seed >>> 0 || 1;
  for (let index = 0; index < words.length; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[index] = state;
  }
  return new Uint8Array(words.buffer, 0, length);
}
