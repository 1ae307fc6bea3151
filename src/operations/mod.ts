/** What may be asked of the daemon: one file a noun, and the one list of all operations. */
import type { Operation } from "../core/mod.ts";
import type { Components } from "./components.ts";
import { geolocation, ping, status, systemInfo, version } from "./core.ts";
import { listPeers } from "./network.ts";

export type { Components, DaemonState } from "./components.ts";

/** Every operation; the front doors serve what stands here. */
export const operations: readonly Operation<Components>[] = [
  ping,
  version,
  systemInfo,
  geolocation,
  status,
  listPeers,
];
