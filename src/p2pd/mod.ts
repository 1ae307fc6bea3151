/** The p2pd control protocol: what programs in any language use to drive the swarm. */
export { type P2pdParts } from "./connection.ts";
export { freshKey, loadKeyFile } from "./identity_file.ts";
export { DEFAULT_LISTEN, defaultFlags, type Flags, parseFlags } from "./options/flags.ts";
export { usage, UsageError } from "./options/flags.ts";
export { dhtMode, listOf, resolveOptions } from "./options/options.ts";
export { P2PD_CONNECTIONS, P2pdServer } from "./server.ts";
export { StreamHandlers } from "./stream_handlers.ts";
export { UnaryHandlers } from "./unary_handlers.ts";
export { PeerTags, type WaterMarks } from "./verbs/conn_manager.ts";
export { type DhtPart } from "./verbs/dht.ts";
export { type PubsubPart } from "./verbs/pubsub.ts";
