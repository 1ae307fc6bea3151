/** Bytes for the gRPC listener that no gRPC client sends; frames as in RFC 9113. */
import { joined, type Seeded } from "./seeded.ts";

/** What an HTTP/2 client begins with, RFC 9113 section 3.4. */
export const PREFACE = joined("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** Frame types, RFC 9113 section 6. */
export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

const END_STREAM = 1;
const END_HEADERS = 4;

/** One frame. */
export function http2Frame(
  type: number,
  options: { flags?: number; stream?: number; length?: number } = {},
  payload: Uint8Array = new Uint8Array(),
): Uint8Array {
  const { flags = 0, stream = 0, length = payload.length } = options;
  const head = new DataView(new ArrayBuffer(9));
  head.setUint8(0, length >> 16);
  head.setUint16(1, length & 0xffff);
  head.setUint8(3, type);
  head.setUint8(4, flags);
  head.setUint32(5, stream);
  return joined(new Uint8Array(head.buffer), payload);
}

/** A client's opening: preface and empty settings. */
export const OPENING: Uint8Array = joined(PREFACE, http2Frame(FRAME.settings));

/** The headers of a gRPC call, as literals without indexing (RFC 7541 section 6.2.2). */
export function callHeaders(
  path: string,
  more: Readonly<Record<string, string>> = {},
): Uint8Array {
  const fields = {
    ":method": "POST",
    ":scheme": "http",
    ":path": path,
    ":authority": "localhost",
    "content-type": "application/grpc",
    te: "trailers",
    ...more,
  };
  return joined(
    ...Object.entries(fields).map(([name, value]) =>
      joined(Uint8Array.of(0), literal(name), literal(value))
    ),
  );
}

/** Request headers of one call on a stream. */
export function callFrame(stream: number, path: string, more?: Record<string, string>): Uint8Array {
  return http2Frame(FRAME.headers, { flags: END_HEADERS, stream }, callHeaders(path, more));
}

/** A message as gRPC frames it, with a length that need not be true. */
export function messageFrame(stream: number, length: number, bytes: Uint8Array): Uint8Array {
  const prefix = new DataView(new ArrayBuffer(5));
  prefix.setUint32(1, length);
  const payload = joined(new Uint8Array(prefix.buffer), bytes);
  return http2Frame(FRAME.data, { flags: END_STREAM, stream }, payload);
}

const PING = "/almena.daemon.v1.DaemonService/Ping";
const PATHS = [
  ...[PING, "/grpc.health.v1.Health/Watch", "/grpc.health.v1.Health/Check"],
  ...["/", "", "//", "/almena.daemon.v1.DaemonService/", "/__proto__/constructor", "/x/y/z"],
  "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
];

/** One hostile HTTP/2 connection. */
export function http2Input(random: Seeded): Uint8Array {
  return random.pick([
    () => random.bytes(random.int(0, 2_048)),
    () => PREFACE.subarray(0, random.int(0, PREFACE.length)),
    () => random.damaged(joined(OPENING, callFrame(1, PING), messageFrame(1, 0, new Uint8Array()))),
    () => joined(OPENING, ...randomFrames(random)),
    () => joined(OPENING, ...randomFrames(random)),
    () => joined(OPENING, wrongCall(random)),
    () => joined(OPENING, wrongCall(random)),
    () =>
      joined(
        OPENING,
        http2Frame(FRAME.headers, { flags: END_HEADERS, stream: 1 }, random.bytes(80)),
      ),
    () => joined(OPENING, ...badSettings(random)),
    () => joined("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
  ])();
}

function randomFrames(random: Seeded): Uint8Array[] {
  return Array.from({ length: random.int(1, 20) }, () => {
    const payload = random.bytes(random.int(0, 64));
    const isLying = random.unit() < 0.2;
    const options = {
      flags: random.int(0, 255),
      stream: random.pick([0, 1, 2, 3, random.int(0, 2 ** 31 - 1)]),
      length: isLying ? random.int(0, 2 ** 24 - 1) : payload.length,
    };
    return http2Frame(random.int(0, 12), options, payload);
  });
}

function wrongCall(random: Seeded): Uint8Array {
  const headers = random.pick<Record<string, string>>([
    { "content-type": "application/json" },
    { "content-type": "text/html" },
    { ":method": "GET" },
    { te: "gzip" },
    { "grpc-encoding": "brotli" },
    { "grpc-timeout": "99999999999999H" },
    { "grpc-timeout": "-1S" },
    { "x-bin": "%%%not base64" },
    { "UPPER": "case" },
    { "bad\nname": "x" },
    { "x": random.text(8_000) },
    { ":path": random.text(1_000) },
    {},
  ]);
  const body = random.bytes(random.int(0, 200));
  const length = random.pick([body.length, body.length + 1, 0, 2 ** 32 - 1, 64 * 2 ** 20]);
  return joined(callFrame(1, random.pick(PATHS), headers), messageFrame(1, length, body));
}

function badSettings(random: Seeded): Uint8Array[] {
  return Array.from({ length: random.int(1, 10) }, () => {
    const entry = new DataView(new ArrayBuffer(6));
    entry.setUint16(0, random.int(0, 10));
    entry.setUint32(2, random.pick([0, 1, 2 ** 31, 2 ** 32 - 1, random.int(0, 2 ** 31)]));
    const cut = random.unit() < 0.2 ? 5 : 6;
    return http2Frame(FRAME.settings, {}, new Uint8Array(entry.buffer).subarray(0, cut));
  });
}

function literal(text: string): Uint8Array {
  const bytes = joined(text);
  if (bytes.length < 127) return joined(Uint8Array.of(bytes.length), bytes);
  const rest: number[] = [];
  let value = bytes.length - 127; // RFC 7541 section 5.1
  for (; value > 127; value = Math.floor(value / 128)) rest.push((value % 128) | 128);
  return joined(Uint8Array.of(127, ...rest, value), bytes);
}
