/** Whether the daemon answers, and if not, why. */
import { ControlError, NotRunningError, type OutputOf } from "../../client/mod.ts";
import { messageOf, systemCode } from "../../core/mod.ts";
import type { CommandContext } from "../command_context.ts";
import { error, type Finding, ok, warning } from "./finding.ts";

/** What the daemon says of itself; undefined if it does not answer. */
export type Status = OutputOf<"query", "core.status"> | undefined;

/** A daemon that is well answers at once. */
const ANSWER_TIMEOUT_MS = 3_000;

/** Looks for the daemon at its socket. */
export async function checkDaemon(
  context: CommandContext,
): Promise<{ status: Status; findings: Finding[] }> {
  const { client } = context;
  try {
    await client.ping({ timeoutMs: ANSWER_TIMEOUT_MS });
  } catch (failure) {
    return { status: undefined, findings: [await whyNot(context, failure)] };
  }
  const status = await client.query("core.status", {}, { timeoutMs: ANSWER_TIMEOUT_MS });
  const well = ok("daemon", `running as pid ${status.pid}, version ${status.version}`);
  return { status, findings: [well, ok("socket", status.control_addr), ...illParts(status)] };
}

function illParts(status: NonNullable<Status>): Finding[] {
  return status.health.filter(({ serving }) => !serving)
    .map(({ component, problem, remedy }) =>
      error("health", `${component}: ${problem || "not serving"}`, remedy || "almenad logs")
    );
}

async function whyNot(context: CommandContext, failure: unknown): Promise<Finding> {
  const { client, dirs, machine } = context;
  const { startCommand, place } = client.daemon;
  if (!(failure instanceof NotRunningError)) {
    const isForbidden = failure instanceof ControlError && failure.code === "permission_denied";
    if (isForbidden) {
      return error(
        "socket",
        `permission denied at ${place.socket}`,
        "run almenad as the user who runs the daemon; if that is you, " +
          `chmod 700 ${dirs.daemon} and chmod 600 ${place.socket}`,
      );
    }
    const pid = await machine.readPid(dirs);
    return error(
      "daemon",
      `does not answer at ${place.socket}: ${messageOf(failure)}`,
      pid ? `kill ${pid}, then ${startCommand}` : startCommand,
    );
  }
  if (await machine.isLocked(dirs)) {
    const pid = await machine.readPid(dirs);
    return error(
      "daemon",
      `pid ${pid} owns ${dirs.base} but its socket is closed: it starts, stops or hangs`,
      `ask again in a few seconds; if it stays so, kill ${pid} and ${startCommand}`,
    );
  }
  if (systemCode(failure.cause) === "ENOENT") {
    return error("daemon", `not running, no socket at ${place.socket}`, startCommand);
  }
  return error(
    "daemon",
    `not running; a stale socket is left at ${place.socket}, so it ended without cleaning up`,
    `${startCommand}; it removes the stale socket by itself`,
  );
}

/** What was wrong lately, in the words of the log. */
export function checkLog(
  lines: readonly { timestamp: string; level: string; target: string; message: string }[],
): Finding[] {
  if (lines.length === 0) return [ok("log", "no errors in the last day")];
  return lines.map(({ timestamp, target, message, ...rest }) => {
    const reason = (rest as { error?: unknown }).error;
    const text = typeof reason === "string" ? `${message}: ${reason}` : message;
    return warning("log", `${timestamp} ${target}: ${text}`, "almenad logs --level error");
  });
}
