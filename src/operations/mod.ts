/** What may be asked of the daemon: one file a noun, and the one list of all operations. */
import type { Operation } from "../core/mod.ts";
import type { Components } from "./components.ts";
import { geolocation, ping, status, systemInfo, version } from "./core.ts";
import { listPeers } from "./network.ts";

export type { Components, DaemonState } from "./components.ts";

/** Every operation; the front doors serve what stands here, and the client is typed by it. */
export const operations = [
  ping,
  version,
  systemInfo,
  geolocation,
  status,
  listPeers,
] as const satisfies readonly Operation<Components>[];

/** The operations as types: name, kind, input and output of each. */
export type Operations = typeof operations;
