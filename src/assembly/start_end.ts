import { type Clock, type EventBus, logger, type Service, type Timer } from "../core/mod.ts";
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

/**
 * Tells log and bus that everything runs, and that it stops. The first log line takes some
 * milliseconds, so it comes in the next turn, after whoever waits for the daemon was told.
 */
export function announcer(clock: Clock, events: EventBus, state: DaemonState): Service {
  let later: Timer | undefined;
  const { peerId, pid } = state;
  const { version, runtime } = state.version;
  const tellLog = () => {
    const warning = runtimeWarning(runtime);
    if (warning) log.warn(warning);
    log.info("Daemon is ready", { version, peerId, pid });
  };
  return {
    name: "announcer",
    start: () => {
      later = clock.after(0, tellLog);
      events.publish("core.started", { version, peerId });
      return Promise.resolve();
    },
    stop: () => {
      later?.cancel();
      log.info("Daemon stops");
      events.publish("core.stopping", {});
      return Promise.resolve();
    },
  };
}
