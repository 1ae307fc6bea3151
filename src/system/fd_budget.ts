import { readFileSync } from "node:fs";
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

/** The soft limit of open files on Linux; undefined elsewhere or when it has no limit. */
export function openFileLimit(): number | undefined {
  try {
    const limits = readFileSync("/proc/self/limits", "utf8");
    const soft = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1]);
    return Number.isInteger(soft) ? soft : undefined;
  } catch {
    return undefined;
  }
}
