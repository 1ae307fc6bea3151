/** Bytes for the swarm port that no well-behaved peer sends: raw, multistream-select, Noise. */
import { joined, type Seeded } from "./seeded.ts";

const MULTISTREAM = line("/multistream/1.0.0");
const NOISE = line("/noise");

/** One hostile opening of a swarm connection. */
export function swarmInput(random: Seeded): Uint8Array {
  return random.pick([rawInput, multistreamInput, multistreamInput, noiseInput, noiseInput])(
    random,
  );
}

/** Bytes of no protocol at all, or of another one. */
export function rawInput(random: Seeded): Uint8Array {
  return random.pick([
    () => random.bytes(random.int(0, 2_048)),
    () => new Uint8Array(random.int(1, 4_096)).fill(random.int(0, 255)),
    () => joined("GET / HTTP/1.1\r\nHost: ", random.text(random.int(1, 200)), "\r\n\r\n"),
    () => joined("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", random.bytes(random.int(0, 64))),
    () => joined(Uint8Array.of(0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3), random.bytes(200)), // TLS
    () => joined("SSH-2.0-", random.text(20), "\r\n", random.bytes(100)),
  ])();
}

/** Multistream-select, wrong in its lengths, its lines or its order. */
export function multistreamInput(random: Seeded): Uint8Array {
  return random.pick([
    () => MULTISTREAM.subarray(0, random.int(0, MULTISTREAM.length - 1)),
    () => random.damaged(joined(MULTISTREAM, NOISE)),
    () => joined(varint(random.int(0, 2 ** 32 - 1)), random.bytes(random.int(0, 100))),
    () => new Uint8Array(random.int(1, 64)).fill(0xff), // a length without an end
    () => joined(MULTISTREAM, varint(0), varint(0), varint(0)),
    () => joined(MULTISTREAM, line("ls"), line("na"), line("ls")),
    () => joined(MULTISTREAM, ...Array<Uint8Array>(random.int(1, 300)).fill(line("/tls/1.0.0"))),
    () => joined(MULTISTREAM, line(`/${random.text(random.int(1, 1_500))}`)),
    () => joined(MULTISTREAM, varint(7), "/noise\r"), // the line does not end as it must
    () => joined(...Array<Uint8Array>(random.int(2, 100)).fill(MULTISTREAM)),
    () => joined(MULTISTREAM, line("/plaintext/2.0.0"), random.bytes(100)),
    () => joined(MULTISTREAM, line("/yamux/1.0.0"), random.bytes(48)), // no encryption, thank you
  ])();
}

/** Noise chosen properly, then handshake messages that are none. */
export function noiseInput(random: Seeded): Uint8Array {
  const ephemeral = random.pick([
    () => random.bytes(32),
    () => new Uint8Array(32), // a point of low order
    () => Uint8Array.of(1, ...new Uint8Array(31)),
    () => new Uint8Array(32).fill(0xff),
  ])();
  const messages = random.pick([
    () => frame(ephemeral, random.bytes(random.int(0, 600))), // a whole third message of garbage
    () => frame(joined(ephemeral, random.bytes(random.int(1, 2_000)))),
    () => frame(new Uint8Array(0), new Uint8Array(0)),
    () => frame(random.bytes(random.int(1, 31))),
    () => joined(Uint8Array.of(0xff, 0xff), random.bytes(random.int(0, 400))), // 65,535 announced
    () => frame(ephemeral, ephemeral, ephemeral, ephemeral),
    () => frame(ephemeral).subarray(0, random.int(0, 33)),
    () => frame(random.bytes(65_535)),
  ])();
  return joined(MULTISTREAM, NOISE, messages);
}

/** Unsigned LEB128, as multistream-select measures its lines. */
export function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Uint8Array.of(...bytes, rest);
}

/** One line of multistream-select. */
export function line(text: string): Uint8Array {
  return joined(varint(text.length + 1), text, "\n");
}

// Noise messages carry a two-byte length (libp2p noise specification).
function frame(...messages: readonly Uint8Array[]): Uint8Array {
  return joined(
    ...messages.map((bytes) => joined(Uint8Array.of(bytes.length >> 8, bytes.length & 255), bytes)),
  );
}
