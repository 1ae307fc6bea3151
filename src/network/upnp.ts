import { uPnPNAT } from "@libp2p/upnp-nat";

/** Asks the router for a port; what it maps counts as reachable. */
export function mapPorts(): ReturnType<typeof uPnPNAT> {
  return uPnPNAT({ autoConfirmAddress: true, portMappingDescription: "almenad" });
}
