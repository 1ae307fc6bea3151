import { isIPv4, isIPv6 } from "node:net";
import { DaemonError } from "../core/mod.ts";

/** A TCP address as people write it. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/**
 * Reads `8080`, `127.0.0.1:8080` or `[::1]:8080`; a port alone is this machine's.
 *
 * @throws {DaemonError} `invalid_argument`.
 */
export function parseEndpoint(text: string): Endpoint {
  const match = /^(?:(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+)):)?(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (!match || port > 65_535) {
    throw new DaemonError(
      "invalid_argument",
      `Cannot use "${text}" as an address: expected a port, or host:port such as 127.0.0.1:8080`,
    );
  }
  return { host: match[1] ?? match[2] ?? "127.0.0.1", port };
}

/** The text of an address; IPv6 in brackets. */
export function endpointText({ host, port }: Endpoint): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether nobody but this machine reaches the host. */
export function isOwnMachine(host: string): boolean {
  if (isIPv4(host)) return host.startsWith("127.");
  return isIPv6(host) ? host === "::1" : host === "localhost";
}
