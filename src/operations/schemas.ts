import * as z from "zod";
import { once } from "../core/mod.ts";

/** Id of the library that every daemon has, contract 2.4. */
export const DEFAULT_LIBRARY_ID = "default";

/** The id of anything. */
export const Id = once(() => z.string().min(1).max(128));

/** A location, field names as in `GetGeolocationResponse`, contract 1.1. */
export const GeolocationOutput = once(() =>
  z.object({
    ip: z.string(),
    city: z.string(),
    region: z.string(),
    country_code: z.string(),
    country_name: z.string(),
    timezone: z.string(),
    latitude: z.number(),
    longitude: z.number(),
  })
);

/** One peer, field names as in `PeerInfo`, contract 1.1. */
export const PeerInfo = once(() =>
  z.object({
    peer_id: z.string(),
    addresses: z.array(z.string()).readonly(),
    is_internal: z.boolean(),
    is_connected: z.boolean(),
    is_self: z.boolean(),
    connection: z.enum(["direct", "relayed"]).optional().describe("Of connected peers"),
    geo: GeolocationOutput().optional(),
  })
);

interface GeoFields {
  readonly ip: string;
  readonly city: string;
  readonly region: string;
  readonly countryCode: string;
  readonly countryName: string;
  readonly timezone: string;
  readonly latitude: number;
  readonly longitude: number;
}

/** A location in wire form. */
export function geolocationOutput(geo: GeoFields): z.input<ReturnType<typeof GeolocationOutput>> {
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
}
