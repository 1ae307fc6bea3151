import { Buffer } from "node:buffer";
import * as z from "zod";
import { type Clock, DaemonError, messageOf, once } from "../core/mod.ts";

/** Where an address is, in the eight fields of contract 1.1. */
export interface Geolocation {
  readonly ip: string;
  readonly city: string;
  readonly region: string;
  readonly countryCode: string;
  readonly countryName: string;
  readonly timezone: string;
  readonly latitude: number;
  readonly longitude: number;
}

/** Longest wait for the online service, contract 1.1. */
export const GEOLOCATION_TIMEOUT_MS = 5_000;
/** How long an answer is kept, contract 1.1. */
export const GEOLOCATION_CACHE_MS = 3_600_000;
/** How long a failure is kept, contract 1.1. */
export const GEOLOCATION_FAILURE_CACHE_MS = 60_000;
/** Largest answer read, in bytes. */
export const GEOLOCATION_ANSWER_BYTES = 65_536;

const Text = once(() =>
  z.string().max(256).nullish().transform((value) => stripControl(value ?? ""))
);

/** The JSON of the online service, and of `/almena/geo/1.0`, contract 1.1 and 1.6. */
export const GeolocationJson = once(() =>
  z.object({
    ip: Text(),
    city: Text(),
    region: Text(),
    country_code: Text(),
    country_name: Text(),
    timezone: Text(),
    latitude: z.number().min(-90).max(90).nullish().transform((value) => value ?? 0),
    longitude: z.number().min(-180).max(180).nullish().transform((value) => value ?? 0),
  }).transform((json): Geolocation => ({
    ip: json.ip,
    city: json.city,
    region: json.region,
    countryCode: json.country_code,
    countryName: json.country_name,
    timezone: json.timezone,
    latitude: json.latitude,
    longitude: json.longitude,
  }))
);

/** What {@link OnlineGeolocation} uses. */
export interface OnlineGeolocationComponents {
  clock: Clock;
  /** HTTP client. */
  fetch: typeof fetch;
}

/** How {@link OnlineGeolocation} behaves. */
export interface OnlineGeolocationInit {
  /** Address of the JSON document. */
  url: string;
}

type Outcome = { until: number; value: Geolocation } | { until: number; error: DaemonError };

/** Asks the online service where this machine's public address is, and remembers the answer. */
export class OnlineGeolocation {
  readonly #components: OnlineGeolocationComponents;
  #url: string;
  #cached: Outcome | undefined;
  #pending: Promise<Geolocation> | undefined;

  constructor(components: OnlineGeolocationComponents, init: OnlineGeolocationInit) {
    this.#components = components;
    this.#url = init.url;
  }

  /** Asks another service from now on; what was remembered of the old one is forgotten. */
  setUrl(url: string): void {
    if (url === this.#url) return;
    this.#url = url;
    this.#cached = undefined;
    this.#pending = undefined;
  }

  /**
   * The location; concurrent callers share one request.
   *
   * @throws {DaemonError} `unavailable` within 6 s when the service cannot be reached or makes no sense.
   */
  get(): Promise<Geolocation> {
    const cached = this.#cached;
    if (cached && this.#components.clock.monotonic() < cached.until) {
      return "value" in cached ? Promise.resolve(cached.value) : Promise.reject(cached.error);
    }
    this.#pending ??= this.#ask(this.#url);
    return this.#pending;
  }

  async #ask(url: string): Promise<Geolocation> {
    try {
      const value = await this.#request(url);
      if (url === this.#url) this.#cached = { value, until: this.#until(GEOLOCATION_CACHE_MS) };
      return value;
    } catch (cause) {
      const error = new DaemonError(
        "unavailable",
        `Cannot get the geolocation from ${url}: ${messageOf(cause)}`,
        { cause },
      );
      if (url === this.#url) {
        this.#cached = { error, until: this.#until(GEOLOCATION_FAILURE_CACHE_MS) };
      }
      throw error;
    } finally {
      if (url === this.#url) this.#pending = undefined;
    }
  }

  #until(ms: number): number {
    return this.#components.clock.monotonic() + ms;
  }

  async #request(url: string): Promise<Geolocation> {
    const signal = AbortSignal.timeout(GEOLOCATION_TIMEOUT_MS);
    const response = await this.#components.fetch(url, {
      signal,
      headers: { accept: "application/json", "user-agent": "almenad" },
    });
    if (!response.ok) {
      await response.body?.cancel();
      throw new DaemonError("unavailable", `the service answered ${response.status}`);
    }
    const parsed = GeolocationJson().safeParse(JSON.parse(await readBounded(response)));
    if (parsed.success && parsed.data.ip !== "") return parsed.data;
    throw new DaemonError("unavailable", "the service answered something else than a location");
  }
}

async function readBounded(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > GEOLOCATION_ANSWER_BYTES) {
      throw new DaemonError(
        "unavailable",
        `the answer is larger than ${GEOLOCATION_ANSWER_BYTES} bytes`,
      );
    }
    chunks.push(chunk);
  }
  return new TextDecoder().decode(Buffer.concat(chunks));
}

function stripControl(value: string): string {
  // deno-lint-ignore no-control-regex -- control characters are what is removed
  return value.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "");
}
