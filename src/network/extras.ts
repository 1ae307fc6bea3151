/** The parts of libp2p that p2pd needs; imported on demand, since they are slow to load. */
export { Dht } from "./dht/dht.ts";
export { SqliteDatastore } from "./dht/sqlite_datastore.ts";
export { Pubsub } from "./pubsub.ts";
export { Reachability } from "./reachability.ts";
export { RelayPlaces } from "./relay_places.ts";
export { reachParts } from "./reach.ts";
export { reservationsOf } from "./relay_server.ts";
