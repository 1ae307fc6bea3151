import { DaemonError, messageOf, systemCode } from "../core/mod.ts";

/** A host and port to listen on. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** Ports tried after a default one that is taken, contract 1.2. */
export const PORTS_TRIED = 100;

/** `host:port`, with brackets around IPv6. */
export function formatEndpoint({ host, port }: Endpoint): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether a host name or address is this machine and nobody else. */
export function isLoopbackHost(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

/**
 * Refuses to open a door to other machines by accident, contract 1.1.
 *
 * @throws {DaemonError} `invalid_argument` naming the flag that allows it.
 */
export function checkLoopback(host: string, flag: string, allowRemote: boolean): void {
  if (allowRemote || isLoopbackHost(host)) return;
  throw new DaemonError(
    "invalid_argument",
    `Cannot listen on ${host} (${flag}): it is no loopback address, and other machines could ` +
      "control this daemon; add --allow-remote to allow that",
  );
}

/**
 * Binds a port, or the next free one if the wanted port is only a default.
 *
 * @param bind Binds one port, or rejects with EADDRINUSE.
 * @throws {DaemonError} `unavailable`, naming the address and what to do.
 */
export async function bindOrNext<T>(
  wanted: Endpoint,
  options: { isDefault: boolean; flag: string },
  bind: (port: number) => Promise<T>,
): Promise<T> {
  const last = options.isDefault ? Math.min(65_535, wanted.port + PORTS_TRIED) : wanted.port;
  for (let port = wanted.port;; port++) {
    try {
      return await bind(port);
    } catch (cause) {
      if (isTaken(cause) && port < last) continue;
      throw new DaemonError(
        "unavailable",
        `Cannot listen on ${formatEndpoint(wanted)}: ${messageOf(cause)}` +
          `; stop what uses it, or choose another address with ${options.flag}`,
        { cause },
      );
    }
  }
}

function isTaken(failure: unknown): boolean {
  return systemCode(failure) === "EADDRINUSE" ||
    /EADDRINUSE|address.*in use/i.test(messageOf(failure));
}
