/** Commands about who is trusted. */
import { type CommandContext, type CommandOptions, print } from "../command_context.ts";
import { DaemonError } from "../../core/mod.ts";
import { EXIT } from "../exit_codes.ts";
import { facts, oneLine, table } from "../terminal.ts";

/** Longest wait of one call, below the deadline of an operation. */
const WAIT_STEP_MS = 20_000;
/** What became of a request, in words. */
const STATES = {
  none: "neither trusted nor asked",
  outgoing: "asked; waiting for an answer",
  pending: "it asks for trust",
  trusted: "trusted",
} as const;

/** `almenad trust list`. */
export async function listTrust(context: CommandContext): Promise<number> {
  const answer = await context.client.query("trust.list");
  print(context, answer, () => {
    const rows = [
      ...answer.peers.map((peer) => [
        peer.peer_id,
        peer.mutual ? "mutual" : "trusted here",
        peer.approved_at,
        peer.network === 0 ? "" : String(peer.network),
      ]),
      ...answer.outgoing.map((asked) => [asked.peer_id, "asked", asked.sent_at, ""]),
    ];
    return table(["PEER", "TRUST", "SINCE", "NETWORK"], rows, context.paint);
  });
  return EXIT.ok;
}

/** `almenad trust pending`. */
export async function pendingTrust(context: CommandContext): Promise<number> {
  const answer = await context.client.query("trust.pending");
  print(context, answer, () => {
    const rows = answer.requests.map((one) => [
      one.peer_id,
      one.words.join(" "),
      one.state,
      one.received_at,
      one.justification,
    ]);
    return table(["PEER", "WORDS", "STATE", "RECEIVED", "JUSTIFICATION"], rows, context.paint);
  });
  return EXIT.ok;
}

/** `almenad trust request <peer> [justification]`. */
export async function requestTrust(
  context: CommandContext,
  [peer = "", justification = ""]: readonly string[],
): Promise<number> {
  return show(context, await context.client.action("trust.request", { peer, justification }));
}

/** `almenad trust accept <ticket> [justification]`. */
export async function acceptTicket(
  context: CommandContext,
  [ticket = "", justification = ""]: readonly string[],
): Promise<number> {
  return show(context, await context.client.action("trust.accept", { ticket, justification }));
}

/** `almenad trust approve <peer>`: fails for a peer that did not ask, so that a script notices. */
export async function approveTrust(
  context: CommandContext,
  [peer = ""]: readonly string[],
): Promise<number> {
  const answer = await context.client.action("trust.approve", { peer });
  show(context, answer);
  return answer.state === "trusted" ? EXIT.ok : EXIT.failed;
}

/** `almenad trust reject <peer> [reason]`. */
export async function rejectTrust(
  context: CommandContext,
  [peer = "", reason = ""]: readonly string[],
): Promise<number> {
  return show(context, await context.client.action("trust.reject", { peer, reason }));
}

/** `almenad trust revoke <peer>`. */
export async function revokeTrust(
  context: CommandContext,
  [peer = ""]: readonly string[],
): Promise<number> {
  return show(context, await context.client.action("trust.revoke", { peer }));
}

/** `almenad trust wait <peer>`: exit code 0 once it is trusted, 1 if the time is over before. */
export async function waitForTrust(
  context: CommandContext,
  [peer = ""]: readonly string[],
  options: CommandOptions,
): Promise<number> {
  const until = performance.now() + secondsOf(options["timeout"] ?? 60) * 1_000;
  const signal = context.interrupted();
  for (;;) {
    const left = Math.max(0, until - performance.now());
    const input = { peer, timeout_ms: Math.floor(Math.min(left, WAIT_STEP_MS)) };
    try {
      const answer = await context.client.query("trust.wait", input, { signal });
      if (!answer.trusted && left > WAIT_STEP_MS) continue;
      const words = answer.trusted ? "is trusted" : "is not trusted: the time is over";
      print(context, answer, () => `${answer.peer_id} ${words}`);
      return answer.trusted ? EXIT.ok : EXIT.failed;
    } catch (failure) {
      if (signal.aborted) return EXIT.interrupted;
      throw failure;
    }
  }
}

/** `almenad trust invite`. */
export async function inviteTrust(
  context: CommandContext,
  options: CommandOptions,
): Promise<number> {
  const answer = await context.client.query("trust.invite");
  print(context, answer, () => {
    if (options["ticket"]) return answer.ticket;
    return [
      answer.qr,
      facts([
        ["ticket", answer.ticket],
        ["peer id", answer.peer_id],
        ...answer.addresses.map((address, at) => [at === 0 ? "at" : "", address] as const),
      ]),
      'On the other machine: almenad trust accept <ticket> "who you are"',
      "Then here:            almenad trust pending, almenad trust approve <peer>",
    ].join("\n");
  });
  return EXIT.ok;
}

function show(
  context: CommandContext,
  answer: { readonly peer_id: string; readonly state: keyof typeof STATES },
): number {
  print(context, answer, () => oneLine(`${answer.peer_id}: ${STATES[answer.state]}`));
  return EXIT.ok;
}

function secondsOf(text: unknown): number {
  const seconds = Number(text);
  if (Number.isFinite(seconds) && seconds >= 0) return seconds;
  throw new DaemonError("invalid_argument", `Cannot wait "${text}" seconds: give a number`);
}
