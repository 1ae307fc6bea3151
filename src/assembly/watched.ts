import type { Swarm } from "../network/mod.ts";
import type { WatchedListener } from "../system/mod.ts";
import type { Doors } from "./doors.ts";

/** Connection preface and an empty SETTINGS frame, RFC 9113 section 3.4. */
const HTTP2_GREETING = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const HTTP_GREETING = "GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n";
const CONTROL_GREETING = '"Ping"\n';
/** Length and name of multistream-select, with which every libp2p connection begins. */
const MULTISTREAM_GREETING = "\x13/multistream/1.0.0\n";

/** The listeners the watchdog calls. */
export function watchedListeners(
  { grpc, rest, control }: Doors,
  swarm: Swarm,
): readonly WatchedListener[] {
  return [
    {
      component: "grpc",
      greeting: HTTP2_GREETING,
      addresses: () => grpc.endpoints(),
      reopen: () => grpc.reopen(),
    },
    {
      component: "rest",
      greeting: HTTP_GREETING,
      addresses: () => rest.endpoints(),
      reopen: () => rest.reopen(),
    },
    { component: "control", greeting: CONTROL_GREETING, addresses: () => control.endpoints() },
    {
      component: "swarm",
      greeting: MULTISTREAM_GREETING,
      addresses: () => swarm.listenEndpoints(),
      reopen: () => swarm.reopen(),
    },
  ];
}
