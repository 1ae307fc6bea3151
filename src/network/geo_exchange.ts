import type { Connection, IdentifyResult, Libp2p, Stream } from "@libp2p/interface";
import { guard, logger, type Service, withDeadline } from "../core/mod.ts";
import type { PeerGeo } from "./peer_book.ts";
import { MAX_STREAMS_PER_PROTOCOL, readAll, writeAll } from "./streams.ts";

/** Protocol id, contract 1.6. */
export const GEO_PROTOCOL = "/almena/geo/1.0";
/** Largest request, contract 1.6. */
export const GEO_REQUEST_BYTES = 4_096;
/** Largest answer, contract 1.6. */
export const GEO_ANSWER_BYTES = 65_536;
/** Longest exchange in milliseconds, contract 1.6. */
export const GEO_TIMEOUT_MS = 10_000;

/** What {@link GeoExchange} uses. */
export interface GeoExchangeComponents {
  /** The running node; called after the swarm started. */
  node(): Libp2p;
  /** Where this daemon is; rejects when unknown. */
  ownGeo(): Promise<PeerGeo>;
  /** Told what a peer says of itself. */
  onGeo(peerId: string, geo: PeerGeo): void;
  /** Checks and cleans an answer. @throws if it is no location. */
  parseGeo(json: unknown): PeerGeo;
}

const log = logger("network");

/** Tells peers where this daemon is, if sharing is on, and asks each of them once a connection. */
export class GeoExchange implements Service {
  readonly name = "geo-exchange";
  readonly #components: GeoExchangeComponents;
  #isSharing: boolean;
  #node: Libp2p | undefined;

  constructor(components: GeoExchangeComponents, init: { isSharing: boolean }) {
    this.#components = components;
    this.#isSharing = init.isSharing;
  }

  /** Turns sharing on or off for answers from now on. */
  setSharing(isSharing: boolean): void {
    this.#isSharing = isSharing;
  }

  async start(): Promise<void> {
    this.#node = this.#components.node();
    await this.#node.handle(
      GEO_PROTOCOL,
      (stream) => guard("answer a geo request", () => this.#answer(stream)),
      {
        maxInboundStreams: MAX_STREAMS_PER_PROTOCOL,
        maxOutboundStreams: MAX_STREAMS_PER_PROTOCOL,
      },
    );
    this.#node.addEventListener("peer:identify", this.#onIdentify);
  }

  async stop(): Promise<void> {
    this.#node?.removeEventListener("peer:identify", this.#onIdentify);
    await this.#node?.unhandle(GEO_PROTOCOL);
    this.#node = undefined;
  }

  readonly #onIdentify = ({ detail }: CustomEvent<IdentifyResult>): void => {
    if (!detail.protocols.includes(GEO_PROTOCOL)) return;
    guard("ask a peer for its location", () => this.#ask(detail.connection));
  };

  async #ask(connection: Connection): Promise<void> {
    let stream: Stream | undefined;
    try {
      const signal = AbortSignal.timeout(GEO_TIMEOUT_MS);
      stream = await connection.newStream(GEO_PROTOCOL, { signal });
      await writeAll(stream, new TextEncoder().encode("{}"), signal);
      await stream.close({ signal });
      const limits = { maxBytes: GEO_ANSWER_BYTES, timeoutMs: GEO_TIMEOUT_MS };
      const json = parseObject(await readAll(stream, limits));
      if (Object.keys(json).length === 0) return; // it has none, or does not share it
      this.#components.onGeo(connection.remotePeer.toString(), this.#components.parseGeo(json));
    } catch (error) {
      stream?.abort(error as Error);
      log.debug("Peer gave no location", { peerId: connection.remotePeer.toString(), error });
    }
  }

  async #answer(stream: Stream): Promise<void> {
    try {
      const limits = { maxBytes: GEO_REQUEST_BYTES, timeoutMs: GEO_TIMEOUT_MS };
      const request = parseObject(await readAll(stream, limits));
      if (Object.keys(request).length > 0) throw new TypeError("the request is not {}");
      const text = JSON.stringify(await this.#ownAnswer());
      const signal = AbortSignal.timeout(GEO_TIMEOUT_MS);
      await writeAll(stream, new TextEncoder().encode(text), signal);
      await stream.close({ signal });
    } catch (error) {
      stream.abort(error as Error); // any other shape: stream reset, peer kept
    }
  }

  async #ownAnswer(): Promise<Record<string, unknown>> {
    if (!this.#isSharing) return {};
    try {
      const geo = await withDeadline(this.#components.ownGeo(), 6_000, "get the own location");
      return {
        ip: geo.ip,
        city: geo.city,
        region: geo.region,
        country_code: geo.countryCode,
        country_name: geo.countryName,
        timezone: geo.timezone,
        latitude: geo.latitude,
        longitude: geo.longitude,
      };
    } catch {
      return {};
    }
  }
}

function parseObject(bytes: Uint8Array): Record<string, unknown> {
  const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new TypeError("the peer sent something else than a JSON object");
}
