import { lookup } from "node:dns/promises";
import { isIP, isIPv4 } from "node:net";
import { DaemonError, messageOf } from "../../core/mod.ts";

/** Where a name leads; the system's resolver in production. */
export type Resolve = (host: string) => Promise<readonly { readonly address: string }[]>;

/** The system's resolver. */
export async function systemResolve(
  host: string,
): Promise<readonly { readonly address: string }[]> {
  return await lookup(host, { all: true });
}

/** Names under which clouds hand out their secrets. */
const METADATA_NAMES: readonly string[] = [
  "metadata.google.internal",
  "metadata.goog",
  "metadata",
  "instance-data",
];
/**
 * Metadata services that are not link-local: of Alibaba, Oracle, Azure, Amazon, Google and Scaleway.
 */
const METADATA_ADDRESSES: readonly string[] = [
  "100.100.100.200",
  "192.0.0.192",
  "168.63.129.16",
  "fd00:ec2::254",
  "fd20:ce::254",
  "fd00:42::42",
];

/**
 * The URL, if events may be sent there, contract 4.6.
 *
 * @throws {DaemonError} `invalid_argument`, with the reason.
 */
export function checkUrl(text: string): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw refused(text, "it is no URL");
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw refused(text, "it is neither http nor https");
  }
  if (url.username || url.password) throw refused(text, "it holds a password; use a secret");
  const host = hostOf(url);
  if (METADATA_NAMES.includes(host.replace(/\.$/, "").toLowerCase()) || isForbidden(host)) {
    throw refused(text, "it is a link-local or metadata address");
  }
  return url;
}

/**
 * The address to connect to. Every address of the name is checked, and the one that was checked is
 * the one that is dialled, so a name cannot change its mind in between.
 *
 * @throws {DaemonError} `permission_denied` if any of them is forbidden, `unavailable`.
 */
export async function addressOf(url: URL, resolve: Resolve): Promise<string> {
  const host = hostOf(url);
  if (isIP(host)) return host;
  let found: readonly { readonly address: string }[];
  try {
    found = await resolve(host);
  } catch (cause) {
    throw new DaemonError("unavailable", `Cannot find "${host}": ${messageOf(cause)}`, { cause });
  }
  const forbidden = found.find(({ address }) => isForbidden(address));
  if (forbidden) {
    throw new DaemonError(
      "permission_denied",
      `Cannot send to "${host}": it leads to ${forbidden.address}, a link-local or metadata address`,
    );
  }
  const [first] = found;
  if (first) return first.address;
  throw new DaemonError("unavailable", `Cannot find "${host}": it has no address`);
}

/**
 * Whether an address is link-local, unspecified or a metadata service, in any spelling.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(isForbidden("169.254.169.254"), true);
 * assert.equal(isForbidden("::ffff:169.254.169.254"), true);
 * assert.equal(isForbidden("127.0.0.1"), false);
 * ```
 */
export function isForbidden(address: string): boolean {
  if (!isIP(address)) return false;
  if (isIPv4(address)) {
    return address.startsWith("169.254.") || address.startsWith("0.") ||
      METADATA_ADDRESSES.includes(address);
  }
  const words = ipv6Words(address);
  const [first = 0] = words;
  if ((first & 0xffc0) === 0xfe80) return true;
  if (words.every((word) => word === 0)) return true;
  if (METADATA_ADDRESSES.some((known) => known.includes(":") && isSame(ipv6Words(known), words))) {
    return true;
  }
  return embeddedIpv4(words).some(isForbidden);
}

// IPv4 addresses that an IPv6 address may lead to.
function embeddedIpv4(words: readonly number[]): string[] {
  const text = (high = 0, low = 0) => [high >> 8, high & 255, low >> 8, low & 255].join(".");
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = words;
  if (words.join() === "0,0,0,0,0,0,0,1") return []; // loopback
  if (a === 0x2002) return [text(b, c)]; // 6to4, RFC 3056
  if (a === 0x2001 && b === 0) return [text(g ^ 0xffff, h ^ 0xffff)]; // Teredo, RFC 4380
  // NAT64's own prefix, RFC 6052, and the one for local use, RFC 8215, which may be cut at /48,
  // /56, /64 or /96; byte 8 is left out.
  if (a === 0x64 && b === 0xff9b) {
    const at64 = text((e & 255) << 8 | f >> 8, (f & 255) << 8 | g >> 8);
    const at56 = text((d & 255) << 8 | (e & 255), f);
    const at48 = text(d, (e & 255) << 8 | f >> 8);
    return c === 0 ? [text(g, h)] : [text(g, h), at64, at56, at48];
  }
  // ISATAP, RFC 5214: any prefix, then this interface id.
  if ((e === 0 || e === 0x200) && f === 0x5efe) return [text(g, h)];
  const isMapped = [a, b, c, d].every((word) => word === 0) && // RFC 4291, RFC 2765
    (e === 0 && (f === 0 || f === 0xffff) || e === 0xffff && f === 0);
  return isMapped ? [text(g, h)] : [];
}

function ipv6Words(address: string): number[] {
  // The URL parser knows every spelling and has one of its own.
  const plain = new URL(`http://[${address.replace(/%.*$/, "")}]/`).hostname.slice(1, -1);
  const [head = "", tail] = plain.split("::");
  const words = (part: string) => part.split(":").filter(Boolean).map((word) => parseInt(word, 16));
  if (tail === undefined) return words(head);
  const [before, after] = [words(head), words(tail)];
  return [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after];
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.every((word, index) => word === b[index]);
}

function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, "");
}

function refused(text: string, reason: string): DaemonError {
  return new DaemonError(
    "invalid_argument",
    `Cannot send events to ${JSON.stringify(text.slice(0, 200))}: ${reason}`,
  );
}
