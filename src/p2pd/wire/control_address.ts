/**
 * Where a p2pd socket is, contract 3.3. The multiaddr library stops at the second part of a Unix
 * path, and clients write such paths in three spellings, so they are read here.
 */
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import { Buffer } from "node:buffer";
import { DaemonError } from "../../core/mod.ts";

/** Code of `/unix` in the multiaddr table (0x0190), as a varint. */
const UNIX_CODE = Buffer.from([0x90, 0x03]);

/** A Unix socket or a TCP address, ready for `node:net`. */
export type ControlAddress =
  | { readonly path: string }
  | { readonly host: string; readonly port: number; readonly family: 4 | 6 };

/**
 * Reads a control address in text form: `/unix/tmp/x.sock`, `/unix//tmp/x.sock`,
 * `/unix/%2Ftmp%2Fx.sock`, `/ip4/…/tcp/…` or `/ip6/…/tcp/…`.
 *
 * @throws {DaemonError} `invalid_argument` if it is none of these.
 */
export function parseControlAddress(text: string): ControlAddress {
  if (text.startsWith("/unix/")) return { path: unixPath(text.slice("/unix/".length), text) };
  const match = /^\/(ip4|ip6)\/([^/]+)\/tcp\/(\d{1,5})$/.exec(text);
  if (!match || !isMultiaddr(text)) throw unusable(text);
  const [, family, host = "", port] = match;
  return { host, port: Number(port), family: family === "ip4" ? 4 : 6 };
}

/**
 * Reads a control address in binary form, as clients send it with a handler.
 *
 * @throws {DaemonError} `invalid_argument` if it is none.
 */
export function decodeControlAddress(bytes: Uint8Array): ControlAddress {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer.subarray(0, 2).equals(UNIX_CODE)) {
    const { length, size } = readLength(buffer.subarray(2));
    const path = buffer.subarray(2 + size);
    if (path.length !== length) throw unusable(buffer.toString("hex"));
    const text = path.toString("utf8");
    return { path: unixPath(text, text) };
  }
  return parseControlAddress(decodeMultiaddr(bytes).toString());
}

/** Binary form of a control address. */
export function encodeControlAddress(address: ControlAddress): Uint8Array {
  if (!("path" in address)) return multiaddr(controlAddressText(address)).bytes;
  const path = Buffer.from(address.path, "utf8");
  return Buffer.concat([UNIX_CODE, writeLength(path.length), path]);
}

/** Text form of a control address, in the shortest spelling. */
export function controlAddressText(address: ControlAddress): string {
  if ("path" in address) return `/unix${address.path}`;
  return `/ip${address.family}/${address.host}/tcp/${address.port}`;
}

/** A name under which equal addresses are equal. */
export function controlAddressKey(bytes: Uint8Array): string {
  return controlAddressText(decodeControlAddress(bytes));
}

/** @throws {DaemonError} `invalid_argument` for bytes that are no multiaddr. */
export function decodeMultiaddr(bytes: Uint8Array): Multiaddr {
  try {
    return multiaddr(bytes);
  } catch (cause) {
    throw new DaemonError("invalid_argument", `failed to parse multiaddr: ${reason(cause)}`, {
      cause,
    });
  }
}

function unixPath(rest: string, text: string): string {
  let path: string;
  try {
    path = /%2f/i.test(rest) ? decodeURIComponent(rest) : rest;
  } catch {
    throw unusable(text);
  }
  path = `/${path.replace(/^\/+/, "")}`;
  if (path === "/" || path.includes("\0")) throw unusable(text);
  return path;
}

function isMultiaddr(text: string): boolean {
  try {
    multiaddr(text);
    return true;
  } catch {
    return false;
  }
}

function readLength(bytes: Buffer): { length: number; size: number } {
  let length = 0;
  for (let at = 0; at < Math.min(bytes.length, 3); at++) {
    const byte = bytes[at] ?? 0;
    length += (byte & 0x7f) * 2 ** (7 * at);
    if (byte < 0x80) return { length, size: at + 1 };
  }
  throw unusable(bytes.toString("hex"));
}

function writeLength(length: number): Buffer {
  return length < 0x80 ? Buffer.from([length]) : Buffer.concat([
    Buffer.from([(length % 0x80) | 0x80]),
    writeLength(Math.floor(length / 0x80)),
  ]);
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

function unusable(text: string): DaemonError {
  return new DaemonError(
    "invalid_argument",
    `Cannot use control address ${text}: expected /unix/<path>, /ip4/<address>/tcp/<port> or ` +
      "/ip6/<address>/tcp/<port>",
  );
}
