import process from "node:process";
import { CONTROL_CONNECTIONS } from "../core/mod.ts";

/** How many connections each part may hold. */
export interface ConnectionCaps {
  /** libp2p connections. */
  readonly swarm: number;
  /** HTTP/2 connections of the gRPC listeners together. */
  readonly grpc: number;
  /** HTTP connections of the REST listener. */
  readonly rest: number;
  /** Clients of the control socket. */
  readonly control: number;
}

/** Caps of a machine with enough file descriptors. */
export const DEFAULT_CAPS: ConnectionCaps = {
  swarm: 512,
  grpc: 128,
  rest: 128,
  control: CONTROL_CONNECTIONS,
};

/** Descriptors kept for files, sockets of our own and the runtime, reliability section 2. */
export const RESERVED_DESCRIPTORS = 128;

/**
 * Fits the caps into the process's limit of file descriptors: at the limit a listener on this
 * runtime goes deaf for ever, so it must never be reached.
 *
 * @param limit Soft limit of open files; undefined when unknown.
 * @returns The caps, each lowered in proportion if need be, at least 4 each.
 */
export function fitCaps(wanted: ConnectionCaps, limit: number | undefined): ConnectionCaps {
  const total = wanted.swarm + wanted.grpc + wanted.rest + wanted.control;
  const room = limit === undefined ? total : Math.max(0, limit - RESERVED_DESCRIPTORS);
  if (room >= total) return wanted;
  const fit = (cap: number) => Math.max(4, Math.floor((cap * room) / total));
  return {
    swarm: fit(wanted.swarm),
    grpc: fit(wanted.grpc),
    rest: fit(wanted.rest),
    control: fit(wanted.control),
  };
}

/** Of the C library: its name, and the number of RLIMIT_NOFILE in sys/resource.h. */
const LIBC: Readonly<Record<string, { path: string; resource: number }>> = {
  linux: { path: "libc.so.6", resource: 7 },
  darwin: { path: "/usr/lib/libSystem.B.dylib", resource: 8 },
};
/** Two 64-bit numbers: soft and hard limit. */
const RLIMIT_BYTES = 16;

/** The soft limit of open files; undefined on Windows, or when there is none. */
export function openFileLimit(): number | undefined {
  const libc = LIBC[process.platform];
  const limit = libc ? Number(softLimit(libc)) : undefined;
  return Number.isSafeInteger(limit) ? limit : undefined;
}

// An executable may not read /proc/self/limits: its permissions are fewer than all.
function softLimit({ path, resource }: { path: string; resource: number }): bigint | undefined {
  const limits = new DataView(new ArrayBuffer(RLIMIT_BYTES));
  try {
    const libc = Deno.dlopen(path, {
      getrlimit: { parameters: ["i32", "buffer"], result: "i32" },
    });
    const isRead = libc.symbols.getrlimit(resource, limits) === 0;
    libc.close();
    return isRead ? limits.getBigUint64(0, true) : undefined;
  } catch {
    return undefined; // not permitted, or another C library
  }
}
