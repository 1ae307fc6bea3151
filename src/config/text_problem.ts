import { isIPv4, isIPv6 } from "node:net";
import { messageOf } from "../core/mod.ts";
import { parseLogFilter } from "./log_filter.ts";

const PROBLEMS: Readonly<Record<string, (text: string) => string | undefined>> = {
  grpc_addr: hostPortProblem,
  rest_addr: hostPortProblem,
  p2p_listen: listenProblem,
  log: filterProblem,
};

/** What is wrong with the text of a setting, and what is expected; undefined if nothing is. */
export function textProblem(field: string, text: string): string | undefined {
  return PROBLEMS[field]?.(text);
}

/** Splits `host:port`; brackets around IPv6. Undefined when it is neither. */
export function parseHostPort(text: string): { host: string; port: number } | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (!host || !Number.isInteger(port) || port > 65_535) return undefined;
  return { host, port };
}

function isListenList(text: string): boolean {
  const addresses = text.split(",").map((address) => address.trim()).filter(Boolean);
  return addresses.length > 0 && addresses.every(isListenAddress);
}

function isListenAddress(address: string): boolean {
  const match = /^(?:\/ip6zone\/[^/]+)?\/(ip4|ip6)\/([^/]+)\/tcp\/(\d{1,5})$/.exec(address);
  const [, family, host = "", port] = match ?? [];
  return (family === "ip4" ? isIPv4(host) : isIPv6(host)) && Number(port) <= 65_535;
}

function hostPortProblem(text: string): string | undefined {
  if (parseHostPort(text)) return undefined;
  return 'expected "host:port", such as 127.0.0.1:8080 or [::1]:50051';
}

function listenProblem(text: string): string | undefined {
  if (isListenList(text)) return undefined;
  return "expected TCP multiaddrs, comma-separated, such as " +
    "/ip4/0.0.0.0/tcp/4001,/ip6/::/tcp/4001";
}

function filterProblem(text: string): string | undefined {
  try {
    parseLogFilter(text);
    return undefined;
  } catch (failure) {
    return messageOf(failure);
  }
}
