/** A peer that speaks the transfer protocol as an honest one would, but for one lie. */
import { Buffer } from "node:buffer";
import type { Libp2p } from "@libp2p/interface";
import { type ByteStream, ProtocolStreams } from "../../../src/network/mod.ts";
import { frame, FrameReader, LIBRARY_PROTOCOL } from "../../../src/sharing/messages.ts";
import { createNode } from "../libp2p_pair.ts";
import { waitFor } from "../wait.ts";
import type { Manifest } from "../../../src/sharing/manifest.ts";
import type { LibraryNode } from "./library_node.ts";

/** What it lies about: the bytes of chunks, or a path in the manifest. */
export type Lie =
  | "flipped byte"
  | "short"
  | "long"
  | "empty"
  | "endless"
  | "stall"
  | "leave"
  | "size"
  | "whole only"
  | { readonly path: string }
  | { readonly edit: (manifest: Manifest) => unknown };

/** A whole file may come behind an answer that alone is read. */
const UNREAD_BYTES = 32 * 1_048_576;

/** A running liar; it copies lists and manifests of an honest library. */
export class LyingPeer implements AsyncDisposable {
  /** Chunks it was asked for. */
  asked = 0;
  /** Whole files it was asked for. */
  wholes = 0;
  /** The version it lists, if not the honest one. */
  version: string | undefined;

  private constructor(
    readonly node: Libp2p,
    private readonly streams: ProtocolStreams,
    private readonly honest: LibraryNode,
    /** May be changed while it runs. */
    public lie: Lie,
  ) {}

  /** Starts one that claims to have an item. */
  static async start(honest: LibraryNode, id: string, lie: Lie): Promise<LyingPeer> {
    const node = await createNode();
    const streams = new ProtocolStreams({ node: () => node });
    const peer = new LyingPeer(node, streams, honest, lie);
    const manifest = await honest.sharing.actions.get(id, AbortSignal.timeout(5_000));
    const answer = async (stream: ByteStream) => await peer.#answer(stream, id, manifest);
    await streams.handle(LIBRARY_PROTOCOL, { maxStreams: 64, maxUnreadBytes: 1_000_000 }, answer);
    return peer;
  }

  /** Dials a library and waits until that knows this peer. */
  async connect(to: LibraryNode): Promise<void> {
    await this.node.dial(to.node.getMultiaddrs());
    const id = this.node.peerId.toString();
    await waitFor("the liar among peers", () => to.sharing.peers.ids().includes(id));
  }

  /** Sends a frame with these bytes. @returns The answer's text; undefined when the stream was reset. */
  async raw(peerId: string, body: Uint8Array): Promise<string | undefined> {
    const signal = AbortSignal.timeout(12_000);
    try {
      const stream = await this.streams.open(peerId, LIBRARY_PROTOCOL, {
        signal,
        maxUnreadBytes: UNREAD_BYTES,
      });
      const length = frame(0).subarray(0, 0);
      const size = [
        body.byteLength & 127 | 128,
        body.byteLength >> 7 & 127 | 128,
        body.byteLength >> 14,
      ];
      await stream.write(Uint8Array.of(...length, ...size), signal);
      await stream.write(body, signal);
      await stream.closeWrite(signal);
      return JSON.stringify(await new FrameReader(stream).message(1_000_000, signal));
    } catch {
      return undefined;
    }
  }

  async #answer(
    stream: ByteStream,
    id: string,
    manifest: Awaited<ReturnType<LibraryNode["sharing"]["actions"]["get"]>>,
  ): Promise<void> {
    const signal = AbortSignal.timeout(30_000);
    const request = await new FrameReader(stream).message(65_536, signal) as Record<string, never>;
    if ("Ping" in request) await stream.write(frame({ Pong: {} }));
    else if ("ListGames" in request) {
      const game = {
        id,
        name: id,
        version: this.version ?? manifest.version,
        size: 1,
        downloaded: true,
        installed: false,
      };
      await stream.write(frame({ Games: [game] }));
    } else if ("GetGame" in request) await stream.write(frame({ Game: this.#manifest(manifest) }));
    else if ("GetGameFileChunk" in request) {
      this.asked++;
      if (this.lie === "whole only") await stream.write(frame({ Error: { class: "Io" } }));
      else return await this.#sendChunk(stream, request["GetGameFileChunk"], signal);
    } else if ("GetGameFileData" in request && this.lie === "whole only") {
      this.wholes++;
      const { path } = request["GetGameFileData"] as { path: string };
      const bytes = await Deno.readFile(`${this.honest.dir}/game/${path}`);
      await stream.write(frame({ Data: { size: bytes.byteLength } }));
      await stream.write(bytes, signal);
    } else await stream.write(frame({ Error: { class: "BadRequest" } }));
    await stream.closeWrite();
  }

  #manifest(manifest: Manifest): unknown {
    if (typeof this.lie === "string") return manifest;
    if ("edit" in this.lie) return this.lie.edit(manifest);
    const { path } = this.lie;
    return {
      ...manifest,
      files: manifest.files.map((file, index) => index ? file : { ...file, path }),
    };
  }

  async #sendChunk(
    stream: ByteStream,
    { path, offset, length }: { path: string; offset: number; length: number },
    signal: AbortSignal,
  ): Promise<void> {
    const file = await Deno.readFile(`${this.honest.dir}/game/${path}`);
    const bytes = file.slice(offset, offset + length);
    const { lie } = this;
    const size = lie === "size" ? length + 1 : length;
    await stream.write(frame({ Data: { size } }));
    if (lie === "flipped byte") {
      bytes[bytes.byteLength >> 1] = (bytes[bytes.byteLength >> 1] ?? 0) ^ 1;
    }
    if (lie === "empty") return await stream.closeWrite();
    if (lie === "leave") {
      await stream.write(bytes.subarray(0, bytes.byteLength >> 1));
      return await this.node.stop();
    }
    const isCut = lie === "short" || lie === "stall";
    await stream.write(
      isCut ? bytes.subarray(0, Math.floor(bytes.byteLength * 0.99)) : bytes,
      signal,
    );
    if (lie === "stall") return;
    if (lie === "long") await stream.write(Buffer.from("one byte too many"));
    for (let sent = 0; lie === "endless" && sent < 64; sent++) {
      await stream.write(new Uint8Array(1_048_576), signal);
    }
    await stream.closeWrite();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.node.stop();
  }
}
