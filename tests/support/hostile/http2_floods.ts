/** Floods of well-formed HTTP/2 frames on one connection. */
import { callFrame, FRAME, http2Frame, messageFrame, OPENING } from "./http2_inputs.ts";
import type { Endpoint } from "./raw_connections.ts";
import { joined } from "./seeded.ts";

const PING = "/almena.daemon.v1.DaemonService/Ping";
const END_HEADERS = 4;

/** Makes the n-th batch of a flood. */
type Batch = (index: number) => Uint8Array;

/** Floods by name: how many batches, and what each holds. */
export const HTTP2_FLOODS: Readonly<Record<string, { batches: number; batch: Batch }>> = {
  pings: {
    batches: 20,
    batch: () => repeated(500, () => http2Frame(FRAME.ping, {}, new Uint8Array(8))),
  },
  settings: { batches: 20, batch: () => repeated(500, () => http2Frame(FRAME.settings)) },
  priorities: {
    batches: 20,
    batch: (n) =>
      repeated(
        500,
        (i) => http2Frame(FRAME.priority, { stream: 2 * (500 * n + i) + 1 }, new Uint8Array(5)),
      ),
  },
  emptyData: {
    batches: 20,
    batch: (n) =>
      joined(
        n === 0 ? callFrame(1, PING) : "",
        repeated(500, () => http2Frame(FRAME.data, { stream: 1 })),
      ),
  },
  continuations: {
    batches: 20,
    batch: (n) =>
      joined(
        n === 0 ? http2Frame(FRAME.headers, { stream: 1 }, new Uint8Array(0)) : "",
        repeated(200, () =>
          http2Frame(FRAME.continuation, { stream: 1 }, headerField("x-flood", 50))),
      ),
  },
  windowOverflow: {
    batches: 2,
    batch: () =>
      repeated(10, () => http2Frame(FRAME.windowUpdate, {}, Uint8Array.of(0x7f, 255, 255, 255))),
  },
  tooManyStreams: { batches: 10, batch: (n) => repeated(100, (i) => openCall(100 * n + i)) },
  hugeMessage: {
    batches: 64,
    batch: (n) =>
      n === 0
        ? joined(
          callFrame(1, PING),
          http2Frame(FRAME.data, { stream: 1 }, Uint8Array.of(0, 4, 0, 0, 0)), // 64 MiB announced
        )
        : http2Frame(FRAME.data, { stream: 1 }, new Uint8Array(16_384)),
  },
  hugeHeaders: {
    batches: 4,
    batch: (n) =>
      http2Frame(
        FRAME.headers,
        { stream: 2 * n + 1, flags: END_HEADERS },
        headerField("x", 16_000),
      ),
  },
};

/** 20,000 calls that are reset at once (CVE-2023-44487); fatal to a runtime with the native fault. */
export const RAPID_RESETS = {
  batches: 200,
  batch: (n: number) =>
    repeated(100, (i) => {
      const stream = 2 * (100 * n + i) + 1;
      const reset = http2Frame(FRAME.reset, { stream }, Uint8Array.of(0, 0, 0, 8));
      return joined(callFrame(stream, PING), reset);
    }),
};

/** Connects, sends every batch without reading, and hangs up; gives the bytes sent. */
export async function flood(
  target: Endpoint,
  { batches, batch }: { batches: number; batch: Batch },
): Promise<number> {
  let sent = 0;
  let connection: Deno.TcpConn | undefined;
  const expired = setTimeout(() => connection?.close(), 5_000); // a full window stops a write
  try {
    connection = await Deno.connect({ hostname: target.host, port: target.port });
    await connection.write(OPENING);
    for (let index = 0; index < batches; index++) {
      const bytes = batch(index);
      for (let offset = 0; offset < bytes.length;) {
        offset += await connection.write(bytes.subarray(offset));
      }
      sent += bytes.length;
    }
  } catch {
    // It was cut off, as it should be.
  } finally {
    clearTimeout(expired);
    try {
      connection?.close();
    } catch {
      // Closed by the timer.
    }
  }
  return sent;
}

function openCall(index: number): Uint8Array {
  const stream = 2 * index + 1;
  return joined(callFrame(stream, PING), messageFrame(stream, 0, new Uint8Array(0)));
}

// Literal without indexing; the value must be shorter than 16,384 bytes.
function headerField(name: string, length: number): Uint8Array {
  const rest = length - 127;
  const size = length < 127 ? [length] : [127, (rest % 128) | 128, Math.floor(rest / 128)];
  return joined(Uint8Array.of(0, name.length), name, Uint8Array.of(...size), "y".repeat(length));
}

function repeated(count: number, make: (index: number) => Uint8Array): Uint8Array {
  return joined(...Array.from({ length: count }, (_, index) => make(index)));
}
