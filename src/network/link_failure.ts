import { messageOf } from "../core/mod.ts";

/** Why a link could not be had, or was lost. */
export interface LinkFailure {
  /** In words that a person understands. */
  readonly reason: string;
  /** What a person can do about it; empty when nothing. */
  readonly remedy: string;
}

/** What libp2p, the runtime and the system say, and what it means. The first that fits counts. */
const MEANINGS: readonly (readonly [said: RegExp, reason: string, remedy: string])[] = [
  [
    /ECONNREFUSED|connection refused/i,
    "nothing listens at that address",
    "see whether almenad runs there, and at which port: almenad status",
  ],
  [
    /identity key .* does not match|UnexpectedPeer|expected .*peer id/i,
    "another daemon answers there, with another identity",
    "if its identity was made anew, connect to its new peer id",
  ],
  [
    /EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|no route to host|network is unreachable/i,
    "no way leads there from this machine",
    "see whether both machines are on one network, and whether a VPN is off",
  ],
  [
    /ETIMEDOUT|TimeoutError|timed? ?out|operation was aborted|within \d+ ms|in time/i,
    "nobody answered in time",
    "see whether that machine is on, and whether its firewall lets TCP through to almenad",
  ],
  [
    /answer pings/i,
    "it no longer answered",
    "see whether that machine is on and still on this network",
  ],
  [
    /EACCES|EPERM|denied|gater/i,
    "this machine did not allow it",
    "see the local firewall, and whether the peer was disconnected: almenad connect <peer>",
  ],
  [
    /encrypt|noise|handshake/i,
    "it spoke, but no encrypted link came about",
    "see whether it is almenad, or another program that listens there",
  ],
  [
    /ECONNRESET|EPIPE|reset|unexpected end|UnexpectedEOF|stream (closed|ended)|transmission/i,
    "the other side cut the link",
    "it may be full, private or stopping: look at its log",
  ],
  [
    /NO_RESERVATION|RESERVATION|relay/i,
    "the relay did not carry it",
    "see whether the peer still holds a place at that relay",
  ],
  [
    /no valid addresses|NoValidAddresses|no address/i,
    "no usable address of it is known",
    "give one: almenad connect /ip4/…/tcp/…/p2p/<peer id>",
  ],
];

/** Longest text of a failure that none of the meanings fits. */
const MAX_REASON = 200;

/**
 * What an error of a dial or a lost connection means.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const error = new Error("connect ECONNREFUSED 192.168.1.7:4001");
 * assert.equal(failureOf(error).reason, "nothing listens at that address");
 * ```
 */
export function failureOf(error: unknown): LinkFailure {
  const said = [...saidBy(error)];
  for (const [pattern, reason, remedy] of MEANINGS) {
    if (said.some((text) => pattern.test(text))) return { reason, remedy };
  }
  const reason = (said.at(-1) ?? "").replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ").slice(0, MAX_REASON);
  return { reason, remedy: "" };
}

// A dial of several addresses fails with one error for all of them.
function* saidBy(error: unknown, depth = 0): Generator<string> {
  if (depth > 4 || error === undefined) return;
  if (error instanceof AggregateError) {
    for (const one of error.errors.slice(0, 16)) yield* saidBy(one, depth + 1);
    return;
  }
  if (error instanceof Error) {
    yield* saidBy(error.cause, depth + 1);
    yield `${error.name}: ${messageOf(error)}`.slice(0, 2_000);
    return;
  }
  yield String(error).slice(0, 2_000);
}
