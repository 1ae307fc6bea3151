import { Buffer } from "node:buffer";

/** Longest name, RFC 1035 section 2.3.4. */
const MAX_NAME_BYTES = 255;
/** Pointers followed in one name; honest encoders use one. */
const MAX_NAME_POINTERS = 8;
/** Labels of the longest name we look for, `<peer name>._p2p._udp.local`. */
const MAX_LABELS = 4;
const CLASS_IN = 1;
/** The top bit is "unicast response wanted" in questions and "cache flush" in records. */
const CLASS_MASK = 0x7fff;
/** Shorter TXT strings are not made text: a hostile packet has thousands. */
const MIN_STRING_BYTES = 16;

/** A record of a packet, its data by offsets. */
export interface DnsRecord {
  readonly name: string;
  readonly type: number;
  readonly ttlSeconds: number;
  readonly dataStart: number;
  readonly dataEnd: number;
}

/** Walks a packet. Past its end, or on a bad name, it sets `failed` and gives empty values. */
export class DnsReader {
  /** The packet is malformed. */
  failed = false;
  #offset = 0;
  readonly #bytes: Buffer;

  constructor(packet: Uint8Array) {
    this.#bytes = Buffer.from(packet.buffer, packet.byteOffset, packet.byteLength);
  }

  /** A number of two bytes. */
  uint16(): number {
    const start = this.#take(2);
    return this.failed ? 0 : this.#bytes.readUInt16BE(start);
  }

  /** A question, or the head of a record; type 0 if its class is not the internet's. */
  question(): { name: string; type: number } {
    const name = this.#name();
    const type = this.uint16();
    const isInternet = (this.uint16() & CLASS_MASK) === CLASS_IN;
    return { name, type: isInternet ? type : 0 };
  }

  /** A record; its data is skipped, where it stands is told. */
  record(): DnsRecord {
    const { name, type } = this.question();
    const ttlStart = this.#take(4);
    const ttlSeconds = this.failed ? 0 : this.#bytes.readUInt32BE(ttlStart);
    const length = this.uint16();
    const dataStart = this.#take(length);
    return { name, type, ttlSeconds, dataStart, dataEnd: dataStart + length };
  }

  /** The name that begins at an offset, in lower case: names match without case. */
  nameAt(offset: number): string {
    const resume = this.#offset;
    this.#offset = offset;
    const name = this.#name();
    this.#offset = resume;
    return name;
  }

  /** The strings of a TXT record that can hold a multiaddr, as Latin-1: multiaddrs are ASCII. */
  strings(start: number, end: number): string[] {
    const texts: string[] = [];
    for (let offset = start; offset < end && !this.failed;) {
      const size = this.#bytes[offset] ?? 0;
      const next = offset + 1 + size;
      if (next > end) this.failed = true;
      else if (size >= MIN_STRING_BYTES) {
        texts.push(this.#bytes.toString("latin1", offset + 1, next));
      }
      offset = next;
    }
    return texts;
  }

  #take(count: number): number {
    const start = this.#offset;
    if (start + count > this.#bytes.length) this.failed = true;
    else this.#offset += count;
    return start;
  }

  /** The name at the offset, or "" if it has more labels than any of ours; moves behind it. */
  #name(): string {
    const labels: string[] = [];
    let labelCount = 0;
    let offset = this.#offset;
    let resume: number | undefined;
    let length = 0;
    for (let pointers = 0; pointers <= MAX_NAME_POINTERS;) {
      const size = this.#bytes[offset];
      if (size === undefined || size >= 0x40 && size < 0xc0) break;
      if (size >= 0xc0) {
        resume ??= offset + 2;
        const target = (size & 0x3f) << 8 | (this.#bytes[offset + 1] ?? 0xff);
        if (target >= offset) break; // only backwards, RFC 1035 section 4.1.4
        offset = target;
        pointers++;
      } else if (size > 0) {
        length += size + 1;
        if (length > MAX_NAME_BYTES || offset + 1 + size > this.#bytes.length) break;
        const start = offset + 1;
        offset = start + size;
        // Text is made only for names that can be ours: hostile ones have 127 labels.
        if (++labelCount <= MAX_LABELS) labels.push(this.#bytes.toString("latin1", start, offset));
      } else {
        this.#offset = resume ?? offset + 1;
        return labelCount > MAX_LABELS ? "" : labels.join(".").toLowerCase();
      }
    }
    this.failed = true;
    return "";
  }
}
