import type { WatchedListener } from "../system/mod.ts";
import type { Doors } from "./doors.ts";
import type { NetworkParts } from "./network.ts";

/** Connection preface and an empty SETTINGS frame, RFC 9113 section 3.4. */
const HTTP2_GREETING = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const HTTP_GREETING = "GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n";
const CONTROL_GREETING = '"Ping"\n';
/** A request of type IDENTIFY and its length, contract 3.1. */
const P2PD_GREETING = "\x02\x08\x00";
/** Length and name of multistream-select, with which every libp2p connection begins. */
const MULTISTREAM_GREETING = "\x13/multistream/1.0.0\n";

/** The listeners the watchdog calls. */
export function watchedListeners(
  { grpc, rest, control }: Doors,
  { swarm, p2pd }: Pick<NetworkParts, "swarm" | "p2pd">,
): readonly WatchedListener[] {
  return [
    ...p2pd
      ? [{ component: "p2pd", greeting: P2PD_GREETING, addresses: () => p2pd.endpoints() }]
      : [],
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
