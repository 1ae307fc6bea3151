import type { BusEvent, Clock, EventBus } from "../core/mod.ts";
import type { ProtocolStreams } from "../network/mod.ts";
import type { Catalog } from "./catalog.ts";
import type { LibraryEventName } from "./events.ts";
import type { Files } from "./files.ts";
import type { MonitorComponents } from "./monitor.ts";
import type { PlanStrategy } from "./planned.ts";
import type { Unpacker } from "./transaction.ts";

/** Bytes a second; 0 for no limit. */
export interface BandwidthLimits {
  readonly uploadTotal: number;
  readonly uploadPerPeer: number;
  readonly downloadTotal: number;
  readonly downloadPerPeer: number;
}

/** Where news goes. */
export interface LibraryNews {
  publish(topic: `library.${LibraryEventName}`, payload: Record<string, unknown>): void;
  listen(listener: (event: BusEvent) => void): ReturnType<EventBus["listen"]>;
}

/** What the shared library stands on. */
export interface SharingComponents {
  readonly clock: Clock;
  readonly files: Files;
  readonly events: LibraryNews;
  readonly streams: Pick<ProtocolStreams, "open" | "handle" | "onSpeaker">;
  readonly catalog: Catalog;
  readonly unpacker: Unpacker;
  readonly limits: () => BandwidthLimits;
  readonly watch?: MonitorComponents["watch"];
  /** Whether a peer may ask and be asked: on this LAN or trusted; trusted only if it is private. */
  mayShareWith(peerId: string): boolean;
  /** The folder itself, absolute, if it can be the library's. @throws {DaemonError} */
  checkDir(path: string): Promise<string>;
}

/** How the shared library behaves. */
export interface SharingInit {
  readonly selfId: string;
  /** Holds the index and the settings. */
  readonly dataDir: string;
  /** The library's folder until another one is chosen. */
  readonly defaultDir: string;
  /** @default {"measured"} */
  readonly strategy?: PlanStrategy;
  readonly stallMs?: number;
  readonly roundWaitMs?: number;
  /** Items from this size on are written past the system's cache. @default {268_435_456} */
  readonly directItemBytes?: number;
}
