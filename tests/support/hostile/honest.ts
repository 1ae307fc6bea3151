/** Well-behaved callers of every door, to prove that a daemon still serves. */
import { credentials, makeClientConstructor, Metadata, type ServiceError } from "@grpc/grpc-js";
import { Buffer } from "node:buffer";
import { type Endpoint, visit } from "./raw_connections.ts";
import { visitAsPeer } from "./peers.ts";
import { joined } from "./seeded.ts";

/** Where a daemon listens, from its ready line. */
export interface Doors {
  readonly grpc: readonly Endpoint[];
  readonly rest: Endpoint;
  /** Multiaddrs that end with the peer id. */
  readonly swarm: readonly string[];
}

/** Milliseconds each door took to answer. */
export type Answers = Readonly<Record<string, number>>;

/** Longest wait of an honest caller. */
const PATIENCE_MS = 5_000;

/** Calls every door once. @throws what the first one that does not answer properly says. */
export async function callEveryDoor(doors: Doors): Promise<Answers> {
  const answers: Record<string, number> = {};
  for (const endpoint of doors.grpc) {
    answers[`grpc ${endpoint.host}`] = await grpcPing(endpoint);
  }
  answers["rest"] = await restStatus(doors.rest);
  for (const address of doors.swarm) {
    answers[`swarm ${address.split("/")[1]}`] = await visitAsPeer(address, PATIENCE_MS);
  }
  return answers;
}

const DaemonClient = makeClientConstructor({
  Ping: {
    path: "/almena.daemon.v1.DaemonService/Ping",
    requestStream: false,
    responseStream: false,
    requestSerialize: () => Buffer.alloc(0),
    requestDeserialize: () => ({}),
    responseSerialize: () => Buffer.alloc(0),
    responseDeserialize: (bytes: Uint8Array) => new TextDecoder().decode(bytes.subarray(2)),
  },
}, "DaemonService");

/** Connects, calls Ping and closes; gives milliseconds. */
export async function grpcPing({ host, port }: Endpoint): Promise<number> {
  const startedAt = performance.now();
  const target = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  const client = new DaemonClient(target, credentials.createInsecure(), {
    "grpc.use_local_subchannel_pool": 1, // a connection of its own
    // Hung up on as it opens one, grpc-js tries the same dead one again from promise to promise, and
    // no deadline can end that.
    "grpc.enable_retries": 0,
  });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const call = client["Ping"] as unknown as (...args: unknown[]) => void;
  const finish = (failure: ServiceError | null, answer: string) =>
    failure ? reject(failure) : resolve(answer);
  call.call(client, {}, new Metadata(), { deadline: Date.now() + PATIENCE_MS }, finish);
  try {
    const answer = await promise;
    if (answer !== "pong") throw new TypeError(`gRPC Ping at ${target} answered "${answer}"`);
    return performance.now() - startedAt;
  } finally {
    client.close();
  }
}

/** Connects, asks for /status and closes; gives milliseconds. */
export async function restStatus(endpoint: Endpoint): Promise<number> {
  const { answer, ms } = await visit(endpoint, {
    bytes: joined("GET /status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
    lingerMs: PATIENCE_MS,
  });
  if (!answer.startsWith("HTTP/1.1 200")) {
    throw new TypeError(`REST answered "${answer.slice(0, 100)}" after ${Math.round(ms)} ms`);
  }
  return ms;
}
