/** Both front doors over the real operations, without a swarm behind them. */
import { type IncomingHttpHeaders, request } from "node:http";
import {
  GrpcServer,
  HttpAccess,
  PageSessions,
  RestServer,
  StreamPlaces,
} from "../../src/api/mod.ts";
import {
  DaemonError,
  Health,
  Metrics,
  OperationRegistry,
  systemClock,
  systemRandom,
} from "../../src/core/mod.ts";
import { isLan, PeerBook, type PeerGeo } from "../../src/network/mod.ts";
import { type Components, type DaemonState, operations } from "../../src/operations/mod.ts";
import { readAsset, versionInfo } from "../../src/system/mod.ts";

/** A location with every field set. */
export const LOCATION: PeerGeo = {
  ip: "203.0.113.7",
  city: "Bern",
  region: "Bern",
  countryCode: "CH",
  countryName: "Switzerland",
  timezone: "Europe/Zurich",
  latitude: 46.9481,
  longitude: 7.4474,
};

/** The peer id of the daemon behind the doors. */
export const OWN_ID = "12D3KooWown";

/** An HTTP answer. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Doors that are open; dispose of them. */
export class OpenDoors implements AsyncDisposable {
  readonly peers = new PeerBook({
    events: { publish: () => undefined },
    isLan,
    monotonic: () => systemClock.monotonic(),
  }, { selfId: OWN_ID });
  readonly health = new Health(["grpc", "rest"]);
  /** What GetGeolocation answers; undefined for a service that cannot be reached. */
  location: PeerGeo | undefined = LOCATION;
  readonly #grpc: GrpcServer<Components>;
  readonly #rest: RestServer<Components>;

  private constructor() {
    const metrics = new Metrics();
    const { peers, health } = this;
    const used: Pick<Components, "daemon" | "health" | "peers" | "geolocation" | "systemInfo"> = {
      daemon: this.#state(),
      health,
      peers,
      geolocation: { get: () => this.#locate() },
      systemInfo: () => Promise.resolve({ osName: "Plan 9", osVersion: "4" }),
    };
    const components = used as Components; // nobody calls what needs more
    const registry = new OperationRegistry<Components>(components, operations, {
      onCall: metrics.onCall,
    });
    const shared = { isDefault: false, allowRemote: false, maxConnections: 32 };
    this.#grpc = new GrpcServer(
      { registry, health },
      { ...shared, hosts: ["127.0.0.1"], port: 0 },
    );
    const sessions = new PageSessions({ clock: systemClock, random: systemRandom });
    const access = new HttpAccess({
      ...{ adminToken: { isIn: () => false }, sessions },
      port: () => this.#rest.endpoints()[0]?.port ?? 0,
    });
    this.#rest = new RestServer(
      {
        ...{ registry, health, readAsset, metrics },
        ...{ access, sessions },
        graphql: () => Promise.resolve(new Response(null, { status: 404 })),
        streams: new StreamPlaces(4),
      },
      { ...shared, endpoint: { host: "127.0.0.1", port: 0 }, version: versionInfo().version },
    );
  }

  static async open(): Promise<OpenDoors> {
    const doors = new OpenDoors();
    await doors.#grpc.start();
    await doors.#rest.start();
    return doors;
  }

  /** `host:port` of the gRPC listener. */
  get grpcAddress(): string {
    return this.#grpc.addresses()[0] ?? "";
  }

  /** `host:port` of the HTTP listener. */
  get restAddress(): string {
    return this.#rest.address();
  }

  /** Asks the HTTP door, with headers that `fetch` would not send. */
  get(path: string, headers: Record<string, string> = {}): Promise<HttpAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
    const url = `http://${this.restAddress}${path}`;
    const options = { headers: { connection: "close", ...headers }, agent: false, timeout: 5_000 };
    request(url, options, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => body += text);
      response.on("end", () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
      });
    }).on("error", reject).end();
    return promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#rest.stop();
    await this.#grpc.stop();
  }

  #locate(): Promise<PeerGeo> {
    if (this.location) return Promise.resolve(this.location);
    return Promise.reject(new DaemonError("unavailable", "Cannot get the geolocation: no network"));
  }

  #state(): DaemonState {
    return {
      version: versionInfo(),
      peerId: OWN_ID,
      instance: "",
      pid: 1,
      dataDir: "/data",
      grpcAddresses: () => this.#grpc.addresses(),
      restAddress: () => this.#rest.address(),
      controlAddress: () => "",
      p2pAddresses: () => [],
      uptimeMs: () => 1_500,
      counters: () => ({ peers_dropped: 0 }),
    };
  }
}
