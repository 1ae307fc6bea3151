/** Bytes for the REST listener that no browser sends. */
import { joined, type Seeded } from "./seeded.ts";

const PATHS = [
  ...["/status", "/api/v1/status", "/healthz", "/readyz", "/metrics", "/swagger-ui/"],
  ...["/swagger-ui/%2e%2e%2f%2e%2e%2fetc%2fpasswd", "/swagger-ui/..%5c..%5cx", "//", "/%00", "/%"],
  ...["/status?connected=maybe", "/api/v1/peers?connected=1&connected=2", "/__proto__", "*"],
  ...["http://[:::]:99999/", "http://user:pass@evil/", "/\u{7f}", "/api-docs/openapi.json"],
];
const METHODS = [
  ...["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH", "PRI"],
  ...["get", "M-SEARCH", "\0", "GET\t", ""],
];
const HOSTS = ["localhost", "127.0.0.1", "[::1]", "evil.example", "", "a b", "127.0.0.1:x", "[::"];

/** One hostile request, or what pretends to be one. */
export function httpInput(random: Seeded): Uint8Array {
  return random.pick([
    () => random.bytes(random.int(0, 2_048)),
    () => random.damaged(joined(request(random))),
    () => joined(request(random)),
    () => joined(request(random)),
    () => joined(request(random), request(random), request(random)),
    () =>
      joined(`GET /${"a".repeat(random.int(1_000, 70_000))} HTTP/1.1\r\nHost: localhost\r\n\r\n`),
    () => joined(request(random, headers(random, random.int(60, 2_000)))),
    () => joined(request(random, `x: ${"y".repeat(random.int(1_000, 70_000))}\r\n`)),
    () => joined(body(random)),
    () => joined("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", random.bytes(50)),
  ])();
}

function request(random: Seeded, more = ""): string {
  const version = random.pick(["HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/9.9", "HTTP/1.1 x", ""]);
  const end = random.pick(["\r\n", "\r\n", "\n", "\r"]);
  return `${random.pick(METHODS)} ${random.pick(PATHS)} ${version}${end}` +
    `Host: ${random.pick(HOSTS)}${end}${more}${end}`;
}

function headers(random: Seeded, count: number): string {
  return Array.from({ length: count }, (_, n) => `${random.text(4)}${n}: v\r\n`).join("");
}

function body(random: Seeded): string {
  const framing = random.pick([
    "Content-Length: 99999999999999999999",
    "Content-Length: -1",
    "Content-Length: 5\r\nContent-Length: 6",
    "Content-Length: 5\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding: \x0bchunked",
    "Expect: 100-continue\r\nContent-Length: 1000000",
    "Upgrade: websocket\r\nConnection: Upgrade",
  ]);
  const sent = random.pick(["0\r\n\r\n", "FFFFFFFFFFFFFFFF\r\n", "5\r\nab", random.text(2_000)]);
  return `POST /status HTTP/1.1\r\nHost: localhost\r\n${framing}\r\n\r\n${sent}`;
}
