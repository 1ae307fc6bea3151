import type { Connection, Stream } from "@libp2p/interface";
import assert from "node:assert/strict";
import { PeerStream } from "../../../src/network/peer_stream.ts";

/** A stream of libp2p that tells what it is made to tell. */
class ToldStream extends EventTarget {
  readonly status = "open";
  readonly readStatus: "readable" | "paused" = "readable";
  readonly remoteWriteStatus = "writable";
  readonly readableEnded: boolean;
  readonly readBufferLength: number;

  constructor(readableEnded = false) {
    super();
    this.readableEnded = readableEnded;
    this.readBufferLength = readableEnded ? 3 : 0;
  }
}

function peerStream(told = new ToldStream()): { told: ToldStream; stream: PeerStream } {
  const connection = { remotePeer: "ada", remoteAddr: "/ip4/127.0.0.1/tcp/1" };
  const stream = new PeerStream(
    told as unknown as Stream,
    connection as unknown as Connection,
  );
  return { told, stream };
}

Deno.test("PeerStream.read() tells the peer's end from the end of the link", async () => {
  const ended = peerStream();
  ended.told.dispatchEvent(new Event("remoteCloseWrite"));
  ended.told.dispatchEvent(new Event("end"));
  assert.equal(await ended.stream.read(), undefined);
  const cut = peerStream();
  const reading = cut.stream.read();
  cut.told.dispatchEvent(new Event("end"));
  await assert.rejects(reading, { code: "aborted", message: /the stream broke/ });
});

Deno.test("PeerStream.read() gives what came before an end that was told early", async () => {
  const { told, stream } = peerStream(new ToldStream(true));
  const reading = stream.read();
  told.dispatchEvent(Object.assign(new Event("message"), { data: Uint8Array.of(1, 2, 3) }));
  assert.deepEqual(await reading, Uint8Array.of(1, 2, 3));
  assert.equal(await stream.read(), undefined);
});

Deno.test("PeerStream pauses after libp2p has opened the window, not while it hands out what waited", async () => {
  const calls: string[] = [];
  class Paused extends ToldStream {
    override readStatus: "readable" | "paused" = "readable";
    pause(): void {
      this.readStatus = "paused";
      calls.push("pause");
    }
    // As in libp2p: first what waited goes out, then the window opens, paused or not.
    resume(): void {
      this.readStatus = "readable";
      tell(300_000);
      calls.push("window opens");
    }
  }
  const told = new Paused();
  const tell = (bytes: number) =>
    told.dispatchEvent(Object.assign(new Event("message"), { data: new Uint8Array(bytes) }));
  const { stream } = peerStream(told);
  tell(300_000);
  assert.equal((await stream.read())?.byteLength, 300_000);
  assert.deepEqual(calls, ["pause", "window opens", "pause"]);
});
