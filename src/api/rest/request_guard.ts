import { isLoopbackHost } from "../listen.ts";

/** The headers that tell who sends a request. */
export interface RequestHeaders {
  get(name: string): string | null | undefined;
}

/**
 * Why a request is refused, or undefined when it may pass. A page of another site can make the
 * user's browser send requests to loopback (DNS rebinding, cross-site requests), so the Host must
 * be this machine, and Origin, Referer and Sec-Fetch-Site must not name another site.
 *
 * @param allowedHosts Further host names, for a listener that other machines may use.
 */
export function refusalOf(
  headers: RequestHeaders,
  allowedHosts: readonly string[] = [],
): string | undefined {
  const host = headers.get("host");
  if (!host || !isOurs(hostNameOf(host), allowedHosts)) {
    return `Host "${host ?? ""}" is not this machine; use a loopback address such as 127.0.0.1`;
  }
  for (const name of ["origin", "referer"]) {
    const value = headers.get(name);
    if (value && !isSameSite(value, host)) return `${name} "${value}" is another site`;
  }
  const site = headers.get("sec-fetch-site");
  if (site && !["same-origin", "none"].includes(site)) return `Sec-Fetch-Site is "${site}"`;
  return undefined;
}

function isOurs(name: string | undefined, allowedHosts: readonly string[]): boolean {
  return name !== undefined && (isLoopbackHost(name) || allowedHosts.includes(name));
}

function hostNameOf(host: string): string | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]@/\\]+))(?::\d{1,5})?$/i.exec(host);
  return (match?.[1] ?? match?.[2])?.toLowerCase().replace(/\.$/, "");
}

function isSameSite(address: string, host: string): boolean {
  try {
    return new URL(address).host === new URL(`http://${host}`).host;
  } catch {
    return false; // "null" and other opaque origins
  }
}
