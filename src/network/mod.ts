/** The libp2p side: identity, swarm, peer book, discovery, dialling, streams. */
export { isLan } from "./addresses.ts";
export { type RefusalCounts } from "./admission.ts";
export { parseBootstrapPeers } from "./bootstrap.ts";
export { type BootstrapPeer, Dialer } from "./dialer.ts";
export type { Dht, Pubsub, Reachability, RelayPlaces } from "./extras.ts";
export { GeoExchange } from "./geo_exchange.ts";
export { DamagedIdentityError, type Identity, loadIdentity } from "./identity.ts";
export { LateMetrics } from "./late_metrics.ts";
export { Links } from "./links.ts";
export { MdnsDiscovery } from "./mdns.ts";
export { PeerBook, type PeerGeo, type PeerSnapshot } from "./peer_book.ts";
export { PeerCountries } from "./peer_countries.ts";
export type { PeerStream } from "./peer_stream.ts";
export { PeerStreams, type StreamLimits } from "./peer_streams.ts";
export { type ByteStream, ProtocolStreams } from "./protocol_streams.ts";
export { drained, MAX_WRITE_BYTES, widenWindow, writeAll } from "./streams.ts";
export { Swarm } from "./swarm.ts";
export type { SwarmExtras } from "./swarm_extras.ts";
