/** Multiaddrs in words. */

/** Whether an address goes through a relay. */
export function isRelayed(address: string): boolean {
  return address.includes("/p2p-circuit");
}

/** Whether an address is of this machine alone, of a private network, or of the internet. */
export function reachOf(address: string): "machine" | "lan" | "internet" {
  const [, family = "", host = ""] = /^\/(ip4|ip6|dns\w*)\/([^/]+)/.exec(address) ?? [];
  if (family.startsWith("dns")) return "internet";
  if (/^(127\.|::1$)/.test(host)) return "machine";
  const isPrivate =
    /^(10\.|192\.168\.|169\.254\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.)/;
  return isPrivate.test(host) || /^f[cde]/i.test(host) ? "lan" : "internet";
}

const WORDS = { machine: "this machine", lan: "local network", internet: "internet" } as const;

/** What an address is for, in words. */
export function reachText(address: string): string {
  return isRelayed(address) ? "through a relay" : WORDS[reachOf(address)];
}

const NAMES = typeof Intl.DisplayNames === "function"
  ? new Intl.DisplayNames(["en"], { type: "region" })
  : undefined;

/** The name of a country by its code of two letters. */
export function countryText(code: string | undefined): string {
  if (!code || !/^[A-Z]{2}$/.test(code)) return "";
  return NAMES?.of(code) ?? code;
}
