import { DaemonError } from "../core/mod.ts";
import { type PeerStream, PeerStreams } from "../network/mod.ts";

/** Streams of a daemon without a network: no peer can be reached, and none comes. */
export class OfflineStreams extends PeerStreams {
  override open(peerId: string): Promise<PeerStream> {
    return Promise.reject(
      new DaemonError("unavailable", `Cannot reach peer "${peerId}": there is no network`),
    );
  }

  override handle(): Promise<() => Promise<void>> {
    return Promise.resolve(() => Promise.resolve());
  }

  override cutPeer(): void {
    // there is no link
  }
}
