/**
 * The mDNS messages of libp2p: RFC 6762 and the libp2p specification "mDNS peer discovery".
 *
 * Packets are written by dns-packet. They are read by a walker of our own, because a reader of
 * hostile bytes needs a bound on everything: dns-packet allocates what the header claims and
 * follows any number of name pointers, milliseconds for one packet.
 */
import { Buffer } from "node:buffer";
import {
  AUTHORITATIVE_ANSWER,
  encode,
  encodingLength,
  type Packet,
  type Question,
  type TxtAnswer,
} from "dns-packet";
import { DnsReader } from "./dns_reader.ts";

/** Service name of libp2p peers, libp2p mDNS specification. */
export const SERVICE_NAME = "_p2p._udp.local";
/** Name that asks which services there are, RFC 6763 section 9. */
export const META_NAME = "_services._dns-sd._udp.local";
/** Largest packet, RFC 6762 section 17. */
export const MAX_PACKET_BYTES = 9_000;
/** Packet that crosses Ethernet unbroken: 1,500 bytes less IPv6 (40) and UDP (8) headers. */
export const UNFRAGMENTED_BYTES = 1_452;
/** Records of all sections together that we look at; packets with more are refused. */
export const MAX_RECORDS = 64;
/** Seconds an answer may be kept, libp2p mDNS specification. */
export const ANSWER_TTL_SECONDS = 120;
/** Longest time-to-live for resolvers that ask once by unicast, RFC 6762 section 6.7. */
const LEGACY_TTL_SECONDS = 10;
/** Longest value of one TXT string, RFC 6763 section 6.1. */
const MAX_TXT_BYTES = 255;
const HEADER_BYTES = 12;
const TYPE_PTR = 12;
const TYPE_TXT = 16;
const DNSADDR = "dnsaddr=";
/** Labels with their length bytes, as they stand at least once in every packet about us. */
const MARKS = [Buffer.from("\x04_p2p", "latin1"), Buffer.from("\x09_services", "latin1")];

/** Somebody asks. */
export interface MdnsQuery {
  readonly kind: "query";
  readonly id: number;
  /** For peers. */
  readonly asksPeers: boolean;
  /** For the kinds of service there are. */
  readonly asksServices: boolean;
  /** The flag only ordinary resolvers set, RFC 6762 section 18.6. */
  readonly recursionDesired: boolean;
}

/** Somebody tells about one peer. */
export interface MdnsAnnouncement {
  readonly kind: "announcement";
  /** 0 says goodbye, RFC 6762 section 10.1. */
  readonly ttlSeconds: number;
  /** Multiaddrs ending in `/p2p/<peer id>`, as sent. */
  readonly dnsAddrs: readonly string[];
}

/** A packet that is well formed and not about peers. */
export interface MdnsOther {
  readonly kind: "other";
}

/** What a packet says. */
export type MdnsMessage = MdnsQuery | MdnsAnnouncement | MdnsOther;

/** What {@link encodeAnnouncement} writes. */
export interface AnnouncementInit {
  /** First label of the instance name. */
  peerName: string;
  peerId: string;
  /** Multiaddrs without `/p2p`, best first. */
  addresses: readonly string[];
  /** @default {ANSWER_TTL_SECONDS} */
  ttlSeconds?: number;
  /** For an ordinary resolver that asked from a port of its own: echoes its question. */
  legacyId?: number;
}

const PEERS_QUESTION: Question = { name: SERVICE_NAME, type: "PTR", class: "IN" };
const META_QUESTION: Question = { name: META_NAME, type: "PTR", class: "IN" };

/** The question for peers. */
export function encodeQuery(id: number): Uint8Array {
  return encode({ type: "query", id, questions: [PEERS_QUESTION] });
}

/** The answer to the question which services there are: libp2p peers. */
export function encodeServices(): Uint8Array {
  const record = { ...META_QUESTION, type: "PTR" as const, ttl: ANSWER_TTL_SECONDS };
  return encode({
    type: "response",
    flags: AUTHORITATIVE_ANSWER,
    answers: [{ ...record, class: "IN", data: SERVICE_NAME }],
  });
}

/**
 * The answer to the question for peers. Addresses that no longer fit an unfragmented packet are
 * left out, the last ones first.
 *
 * @returns `undefined` if no address fits: there is nothing to tell.
 */
export function encodeAnnouncement(init: AnnouncementInit): Uint8Array | undefined {
  const isLegacy = init.legacyId !== undefined;
  const full = init.ttlSeconds ?? ANSWER_TTL_SECONDS;
  const ttl = isLegacy ? Math.min(full, LEGACY_TTL_SECONDS) : full;
  const name = `${init.peerName}.${SERVICE_NAME}`;
  const packet: Packet = {
    type: "response",
    id: init.legacyId ?? 0,
    flags: AUTHORITATIVE_ANSWER,
    questions: isLegacy ? [PEERS_QUESTION] : [],
    answers: [{ name: SERVICE_NAME, type: "PTR", class: "IN", ttl, data: name }],
  };
  const additionals: TxtAnswer[] = [];
  let sizeBytes = encodingLength(packet);
  for (const address of init.addresses) {
    const text = `${DNSADDR}${address}/p2p/${init.peerId}`;
    const record: TxtAnswer = { name, type: "TXT", class: "IN", ttl, data: [text] };
    if (text.length > MAX_TXT_BYTES) continue;
    sizeBytes += encodingLength({ additionals: [record] }) - HEADER_BYTES;
    if (sizeBytes > UNFRAGMENTED_BYTES) break;
    additionals.push(record);
  }
  return additionals.length === 0 ? undefined : encode({ ...packet, additionals });
}

/** Whether a packet can be about us at all: a search for bytes, much cheaper than reading it. */
export function mayConcernPeers(packet: Uint8Array): boolean {
  const bytes = Buffer.from(packet.buffer, packet.byteOffset, packet.byteLength);
  return MARKS.some((mark) => bytes.includes(mark));
}

/**
 * Reads a packet; never throws, and takes time in proportion to its length at most.
 *
 * @returns `undefined` if it is malformed, longer than {@link MAX_PACKET_BYTES} or holds more than
 * {@link MAX_RECORDS} records.
 */
export function decodeMessage(packet: Uint8Array): MdnsMessage | undefined {
  if (packet.length < HEADER_BYTES || packet.length > MAX_PACKET_BYTES) return undefined;
  const reader = new DnsReader(packet);
  const [id, flags] = [reader.uint16(), reader.uint16()];
  const counts = [reader.uint16(), reader.uint16(), reader.uint16(), reader.uint16()];
  const records = counts.slice(1).reduce((sum, count) => sum + count, 0);
  const questions = counts[0] ?? 0;
  const opcode = flags >> 11 & 0xf;
  if (questions + records > MAX_RECORDS) return undefined;
  if (opcode !== 0) return { kind: "other" };
  const isResponse = (flags & 0x8000) !== 0;
  const recursionDesired = (flags & 0x0100) !== 0;
  const message = isResponse
    ? readAnnouncement(reader, questions, records)
    : readQuery(reader, questions, id, recursionDesired);
  return reader.failed ? undefined : message;
}

function readQuery(
  reader: DnsReader,
  questions: number,
  id: number,
  recursionDesired: boolean,
): MdnsMessage {
  let asksPeers = false;
  let asksServices = false;
  for (let index = 0; index < questions && !reader.failed; index++) {
    const { name, type } = reader.question();
    const isForPointers = type === TYPE_PTR || type === 255;
    asksPeers ||= isForPointers && name === SERVICE_NAME;
    asksServices ||= isForPointers && name === META_NAME;
  }
  if (!asksPeers && !asksServices) return { kind: "other" };
  return { kind: "query", id, asksPeers, asksServices, recursionDesired };
}

/** One packet tells about one peer; with several pointers, the first counts. */
function readAnnouncement(reader: DnsReader, questions: number, records: number): MdnsMessage {
  for (let index = 0; index < questions && !reader.failed; index++) reader.question();
  let pointer: { name: string; ttlSeconds: number } | undefined;
  const texts: { name: string; strings: string[] }[] = [];
  for (let index = 0; index < records && !reader.failed; index++) {
    const record = reader.record();
    if (record.type === TYPE_PTR && record.name === SERVICE_NAME) {
      pointer ??= { name: reader.nameAt(record.dataStart), ttlSeconds: record.ttlSeconds };
    } else if (record.type === TYPE_TXT) {
      texts.push({ name: record.name, strings: reader.strings(record.dataStart, record.dataEnd) });
    }
  }
  if (!pointer) return { kind: "other" };
  const { name, ttlSeconds } = pointer;
  const dnsAddrs = texts
    .filter((text) => text.name === name)
    .flatMap((text) => text.strings)
    .filter((text) => text.startsWith(DNSADDR))
    .map((text) => text.slice(DNSADDR.length));
  return { kind: "announcement", ttlSeconds, dnsAddrs };
}
