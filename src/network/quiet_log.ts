import type { ComponentLogger, Logger } from "@libp2p/interface";
import process from "node:process";

/**
 * A log for libp2p that keeps nothing. Its own makes several objects for every stream and formats
 * what nobody reads; it is used where `DEBUG` asks for it, as libp2p's documentation says.
 */
export function quietLog(): { logger: ComponentLogger } | Record<never, never> {
  if (process.env["DEBUG"]) return {};
  const ignore = () => undefined;
  const silent: Logger = Object.assign(ignore, {
    ...{ error: ignore, trace: ignore },
    enabled: false,
    newScope: () => silent,
  });
  return { logger: { forComponent: () => silent } };
}
