/** `almenad doctor`: looks for what is wrong, and says what to do. */
import { lastLogLines } from "../../client/mod.ts";
import { messageOf } from "../../core/mod.ts";
import { type CommandContext, print } from "../command_context.ts";
import { EXIT } from "../exit_codes.ts";
import { oneLine, type Paint } from "../terminal.ts";
import { checkDaemon, checkLog, type Status } from "./daemon_checks.ts";
import { error, type Finding, ok, warning } from "./finding.ts";
import { checkClock, checkDisk, checkFolder } from "./machine_checks.ts";
import { checkNetwork } from "./network_checks.ts";
import { checkPorts } from "./port_checks.ts";
import { checkSubscriptions } from "./subscription_checks.ts";

/** Errors of the log that are shown. */
const SHOWN_ERRORS = 5;
const DAY_MS = 86_400_000;

/** Runs every check; exit code 0 without an error, 5 for the socket's rights, 4 without a daemon, else 1. */
export async function doctor(context: CommandContext): Promise<number> {
  const findings = await examine(context);
  const count = (severity: string) => findings.filter((one) => one.severity === severity).length;
  const json = { errors: count("error"), warnings: count("warning"), findings };
  print(context, json, () => text(json, context.paint));
  return codeOf(findings);
}

/** What every check found. */
export async function examine(context: CommandContext): Promise<Finding[]> {
  const { status, findings: daemon } = await quietly("daemon", () => checkDaemon(context))
    .then((found) => Array.isArray(found) ? { status: undefined, findings: found } : found);
  const { dirs } = context;
  const groups = await Promise.all([
    quietly("config", () => checkConfig(context, status)),
    quietly("identity", () => checkIdentity(context)),
    quietly("network", () => checkNetwork()),
    quietly("folder", () => checkFolder(dirs)),
    quietly("disk", () => checkDisk(dirs)),
    quietly("clock", () => checkClock(dirs)),
    quietly("log", () => recentErrors(context)),
    quietly("subscriptions", async () => status ? await checkSubscriptions(context) : []),
  ]);
  return [...daemon, ...groups.flat()];
}

async function checkConfig(
  { machine, flags, client }: CommandContext,
  status: Status,
): Promise<Finding[]> {
  try {
    const actual = { gRPC: status?.grpc_addrs ?? [], REST: status ? [status.rest_addr] : [] };
    const wanted = await machine.wantedAddresses(flags);
    return [ok("config", "valid"), ...await checkPorts(wanted, status?.pid, actual)];
  } catch (failure) {
    const remedy = client.daemon.startCommand.replace(/start$/, "config validate");
    return [error("config", oneLine(messageOf(failure)), remedy)];
  }
}

// The daemon does not start without it, and never replaces it.
async function checkIdentity({ machine, dirs }: CommandContext): Promise<Finding[]> {
  try {
    const peerId = await machine.storedPeerId(dirs);
    return peerId ? [ok("identity", "sound")] : [];
  } catch (failure) {
    const [problem = "", ...remedy] = oneLine(messageOf(failure)).split("; ");
    return [error("identity", problem, remedy.join("; "))];
  }
}

async function recentErrors({ dirs }: CommandContext): Promise<Finding[]> {
  const since = new Date(Date.now() - DAY_MS).toISOString();
  const lines = await lastLogLines(
    dirs,
    SHOWN_ERRORS,
    ({ level, timestamp }) => level === "error" && timestamp > since,
  );
  return checkLog(lines);
}

// A check that fails is itself news, and must not keep the others from being told.
async function quietly<T>(check: string, look: () => Promise<T>): Promise<T | Finding[]> {
  try {
    return await look();
  } catch (failure) {
    const reason = `cannot be checked: ${oneLine(messageOf(failure))}`;
    return [warning(check, reason, "run almenad doctor as the user who runs the daemon")];
  }
}

function codeOf(findings: readonly Finding[]): number {
  const errors = findings.filter(({ severity }) => severity === "error");
  if (errors.length === 0) return EXIT.ok;
  if (errors.some(({ check }) => check === "socket")) return EXIT.permission;
  return errors.some(({ check }) => check === "daemon") ? EXIT.notRunning : EXIT.failed;
}

function text(
  { errors, warnings, findings }: { errors: number; warnings: number; findings: Finding[] },
  paint: Paint,
): string {
  const marks = { ok: paint.green("ok     "), warning: paint.yellow("warning") };
  const all = { ...marks, error: paint.red("error  ") };
  const lines = findings.flatMap(({ check, severity, message, remedy }) => [
    `${all[severity]}  ${check.padEnd(13)}  ${oneLine(message)}`,
    ...(severity !== "ok" && remedy ? [`${" ".repeat(24)}→ ${oneLine(remedy)}`] : []),
  ]);
  const sum = errors + warnings === 0
    ? "Nothing wrong was found"
    : `${errors} errors, ${warnings} warnings`;
  return [...lines, sum].join("\n");
}
