import { join } from "node:path";
import type { Config } from "../config/mod.ts";
import {
  DaemonError,
  type DataDirs,
  type EventBus,
  type Service,
  systemClock,
} from "../core/mod.ts";
import { FolderRules } from "../library/mod.ts";
import { ProtocolStreams } from "../network/mod.ts";
import {
  ArchiveUnpacker,
  Catalog,
  Sharing,
  type SharingComponents,
  systemFiles,
} from "../sharing/mod.ts";
import type { NetworkParts } from "./network.ts";

/** What the shared library stands on. */
export interface SharingInput {
  readonly dirs: DataDirs;
  readonly config: Config;
  readonly events: EventBus;
  readonly network: NetworkParts;
  /** Whether there is a swarm that peers can be reached by. */
  readonly isNetworked: boolean;
  readonly selfId: string;
  /** Whether a peer is trusted; nobody is until there is a trust service. */
  isTrusted?(peerId: string): boolean;
}

/** The shared library, and how a new configuration reaches it. */
export interface SharingParts {
  readonly sharing: Sharing;
  readonly services: readonly Service[];
  reload(config: Config): void;
}

// A daemon without a network has no peers that could ask or be asked.
const NO_STREAMS: SharingComponents["streams"] = {
  handle: () => Promise.resolve(() => Promise.resolve()),
  onSpeaker: () => () => undefined,
  open: (peerId) =>
    Promise.reject(
      new DaemonError("unavailable", `Cannot ask peer "${peerId}": there is no network`),
    ),
};

/** Makes the shared library on the swarm's streams. */
export function assembleSharing(input: SharingInput): SharingParts {
  const { dirs, events, network } = input;
  let settings = input.config.library;
  const defaultDir = settings.dir || join(dirs.base, "library");
  const rules = new FolderRules(dirs.root, defaultDir);
  const isTrusted = (peerId: string) => input.isTrusted?.(peerId) ?? false;
  const sharing = new Sharing({
    clock: systemClock,
    files: systemFiles,
    events,
    streams: input.isNetworked
      ? new ProtocolStreams({ node: () => network.swarm.node })
      : NO_STREAMS,
    catalog: new Catalog(dirs.config),
    unpacker: new ArchiveUnpacker({ files: systemFiles, external: () => settings.unpackers }),
    limits: () => ({
      uploadTotal: settings.upload_limit,
      uploadPerPeer: settings.upload_limit_per_peer,
      downloadTotal: settings.download_limit,
      downloadPerPeer: settings.download_limit_per_peer,
    }),
    mayShareWith: (peerId) =>
      isTrusted(peerId) || (!settings.private && (network.peers.get(peerId)?.isInternal ?? false)),
    checkDir: (path) => rules.usableFolder(path, "library folder"),
  }, { selfId: input.selfId, dataDir: dirs.data, defaultDir });
  return {
    sharing,
    services: [sharing],
    reload: (config) => void (settings = config.library),
  };
}
