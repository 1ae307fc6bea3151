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
const METADATA_NAMES: readonly string[] = ["metadata.google.internal", "metadata"];
/** Metadata services that are not link-local: Alibaba's, and Amazon's over IPv6. */
const METADATA_ADDRESSES: readonly string[] = ["100.100.100.200", "192.0.0.192", "fd00:ec2::254"];

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
  const inner = embeddedIpv4(words);
  return inner !== undefined && isForbidden(inner);
}

// ::ffff:a.b.c.d, ::a.b.c.d, 64:ff9b::a.b.c.d and 2002:aabb:ccdd:: lead to an IPv4 address.
function embeddedIpv4(words: readonly number[]): string | undefined {
  const text = (high = 0, low = 0) => [high >> 8, high & 255, low >> 8, low & 255].join(".");
  const [first, second, third] = words;
  if (first === 0x2002) return text(second, third);
  if (words.join() === "0,0,0,0,0,0,0,1") return undefined; // loopback
  const isNat64 = first === 0x64 && second === 0xff9b;
  const isLow = words.slice(0, 5).every((word) => word === 0) &&
    (words[5] === 0xffff || words[5] === 0);
  return isNat64 || isLow ? text(words[6], words[7]) : undefined;
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
