import { type EventBus, logger, type Service } from "../core/mod.ts";
import type { DaemonState } from "../operations/mod.ts";
import {
  type ConnectionCaps,
  DEFAULT_CAPS,
  fitCaps,
  openFileLimit,
  runtimeWarning,
} from "../system/mod.ts";

const log = logger("core");

/** How many connections each door may have, as far as the open files that are allowed suffice. */
export function connectionCaps(): ConnectionCaps {
  const limit = openFileLimit();
  const caps = fitCaps(DEFAULT_CAPS, limit);
  if (caps !== DEFAULT_CAPS) {
    log.warn(
      "Few open files are allowed, so fewer connections are; raise the limit with ulimit -n",
      { limit, caps },
    );
  }
  return caps;
}

/** Tells log and bus that everything runs, and that it stops. */
export function announcer(events: EventBus, state: DaemonState): Service {
  return {
    name: "announcer",
    start: () => {
      const { version } = state.version;
      const warning = runtimeWarning(state.version.runtime);
      if (warning) log.warn(warning);
      log.info("Daemon is ready", { version, peerId: state.peerId, pid: state.pid });
      events.publish("core.started", { version, peerId: state.peerId });
      return Promise.resolve();
    },
    stop: () => {
      log.info("Daemon stops");
      events.publish("core.stopping", {});
      return Promise.resolve();
    },
  };
}
