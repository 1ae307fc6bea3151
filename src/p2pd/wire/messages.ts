/** The messages of `proto/p2pd/p2pd.proto` as types and codecs, contract 3.1. */
import protobuf from "protobufjs";
import { DaemonError } from "../../core/mod.ts";
import descriptor from "./descriptor.json" with { type: "json" };

/** `Request.Type`. */
export const REQUEST = {
  identify: 0,
  connect: 1,
  streamOpen: 2,
  streamHandler: 3,
  dht: 4,
  listPeers: 5,
  connManager: 6,
  disconnect: 7,
  pubsub: 8,
  peerstoreOrPersistent: 9,
  removeStreamHandler: 10,
} as const;
/** `Response.Type`. */
export const RESPONSE = { ok: 0, error: 1 } as const;
/** `DHTRequest.Type`. */
export const DHT = {
  findPeer: 0,
  findPeersConnectedToPeer: 1,
  findProviders: 2,
  getClosestPeers: 3,
  getPublicKey: 4,
  getValue: 5,
  searchValue: 6,
  putValue: 7,
  provide: 8,
} as const;
/** `DHTResponse.Type`. */
export const DHT_RESPONSE = { begin: 0, value: 1, end: 2 } as const;
/** `ConnManagerRequest.Type`. */
export const CONN_MANAGER = { tagPeer: 0, untagPeer: 1, trim: 2 } as const;
/** `PSRequest.Type`. */
export const PUBSUB = { getTopics: 0, listPeers: 1, publish: 2, subscribe: 3 } as const;
/** `PeerstoreRequest.Type`. */
export const PEERSTORE = { getProtocols: 1, getPeerInfo: 2 } as const;

/** `PeerInfo` and `IdentifyResponse`. */
export interface PeerInfoFields {
  id: Uint8Array;
  addrs?: Uint8Array[];
}
/** `ConnectRequest`. */
export interface ConnectFields {
  peer: Uint8Array;
  addrs?: Uint8Array[];
  timeout?: number;
}
/** `StreamOpenRequest`. */
export interface StreamOpenFields {
  peer: Uint8Array;
  proto?: string[];
  timeout?: number;
}
/** `StreamInfo`. */
export interface StreamInfoFields {
  peer: Uint8Array;
  addr: Uint8Array;
  proto: string;
}
/** `StreamHandlerRequest`, and without `balanced` `RemoveStreamHandlerRequest`. */
export interface StreamHandlerFields {
  addr: Uint8Array;
  proto?: string[];
  balanced?: boolean;
}
/** `DHTRequest`. */
export interface DhtFields {
  type: number;
  peer?: Uint8Array;
  cid?: Uint8Array;
  key?: Uint8Array;
  value?: Uint8Array;
  count?: number;
  timeout?: number;
}
/** `DHTResponse`. */
export interface DhtResponseFields {
  type: number;
  peer?: PeerInfoFields;
  value?: Uint8Array;
}
/** `ConnManagerRequest`. */
export interface ConnManagerFields {
  type: number;
  peer?: Uint8Array;
  tag?: string;
  weight?: number;
}
/** `PSRequest`. */
export interface PubsubFields {
  type: number;
  topic?: string;
  data?: Uint8Array;
}
/** `PSMessage`. */
export interface PubsubMessageFields {
  from?: Uint8Array;
  data?: Uint8Array;
  seqno?: Uint8Array;
  topicIDs?: string[];
  signature?: Uint8Array;
  key?: Uint8Array;
}
/** `PeerstoreRequest`. */
export interface PeerstoreFields {
  type: number;
  id?: Uint8Array;
  protos?: string[];
}
/** `Request`; field 9 is bytes, since its meaning depends on the type. */
export interface RequestFields {
  type: number;
  connect?: ConnectFields;
  streamOpen?: StreamOpenFields;
  streamHandler?: StreamHandlerFields;
  dht?: DhtFields;
  connManager?: ConnManagerFields;
  disconnect?: { peer: Uint8Array };
  pubsub?: PubsubFields;
  body9?: Uint8Array;
}
/** `Response`. */
export interface ResponseFields {
  type: number;
  error?: { msg: string };
  streamInfo?: StreamInfoFields;
  identify?: PeerInfoFields;
  dht?: DhtResponseFields;
  peers?: PeerInfoFields[];
  pubsub?: { topics?: string[]; peerIDs?: Uint8Array[] };
  peerStore?: { peer?: PeerInfoFields; protos?: string[] };
}
/** `CallUnaryRequest`. */
export interface CallUnaryFields {
  peer: Uint8Array;
  proto: string;
  data: Uint8Array;
}
/** `CallUnaryResponse`. */
export interface UnaryResponseFields {
  response?: Uint8Array;
  error?: Uint8Array;
}
/** `PersistentConnectionRequest`. */
export interface PersistentRequestFields {
  callId: Uint8Array;
  addUnaryHandler?: { proto: string; balanced?: boolean };
  callUnary?: CallUnaryFields;
  unaryResponse?: UnaryResponseFields;
  cancel?: Record<never, never>;
  removeUnaryHandler?: { proto: string };
}
/** `PersistentConnectionResponse`. */
export interface PersistentResponseFields {
  callId: Uint8Array;
  callUnaryResponse?: UnaryResponseFields;
  requestHandling?: CallUnaryFields;
  daemonError?: { message?: string };
  cancel?: Record<never, never>;
}

/** Turns one kind of message into bytes and back. */
export interface Codec<Fields> {
  /** The message with its length before it. */
  encode(fields: Fields): Uint8Array;
  /** @throws {DaemonError} `invalid_argument` for bytes that are no such message. */
  decode(bytes: Uint8Array): Fields;
}

const schema = protobuf.Root.fromJSON(descriptor as protobuf.INamespace);

function codec<Fields extends object>(name: string): Codec<Fields> {
  const type = schema.lookupType(`p2pd.${name}`);
  return {
    encode: (fields) => type.encodeDelimited(fields as protobuf.Message).finish(),
    decode(bytes) {
      try {
        return type.toObject(type.decode(bytes), { longs: Number }) as Fields;
      } catch (cause) {
        throw new DaemonError("invalid_argument", `Cannot decode a p2pd ${name}`, { cause });
      }
    },
  };
}

/** Codec of `Request`. */
export const Request = codec<RequestFields>("Request");
/** Codec of `Response`. */
export const Response = codec<ResponseFields>("Response");
/** Codec of `StreamInfo`. */
export const StreamInfo = codec<StreamInfoFields>("StreamInfo");
/** Codec of `RemoveStreamHandlerRequest`. */
export const RemoveStreamHandlerRequest = codec<StreamHandlerFields>("RemoveStreamHandlerRequest");
/** Codec of `PeerstoreRequest`. */
export const PeerstoreRequest = codec<PeerstoreFields>("PeerstoreRequest");
/** Codec of `DHTResponse`. */
export const DhtResponse = codec<DhtResponseFields>("DHTResponse");
/** Codec of `PSMessage`. */
export const PubsubMessage = codec<PubsubMessageFields>("PSMessage");
/** Codec of `PersistentConnectionRequest`. */
export const PersistentRequest = codec<PersistentRequestFields>("PersistentConnectionRequest");
/** Codec of `PersistentConnectionResponse`. */
export const PersistentResponse = codec<PersistentResponseFields>("PersistentConnectionResponse");
