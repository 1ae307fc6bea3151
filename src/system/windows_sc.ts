/** Windows services, by the `sc` program. */
import { win32 } from "node:path";
import { DaemonError } from "../core/mod.ts";
import type {
  CommandAnswer,
  CommandStep,
  LogsOptions,
  ServicePlan,
  ServiceStatus,
  ServiceSystem,
  ServiceTarget,
} from "./service_plan.ts";
import { WINDOWS_SERVICE_NAME } from "./windows_service.ts";

/** Name people see in the list of services. */
export const SERVICE_DISPLAY_NAME = "Almena Daemon";
/** What the list of services says about it. */
export const SERVICE_DESCRIPTION = "Joins this computer to the Almena network.";
/** The command of the executable that speaks the Service Control Manager's protocol. */
export const SERVICE_RUN_COMMAND = "service-run";
/**
 * The account it runs as: the least of the built-in ones that may use the network. The
 * executable may lie where an ordinary user can replace it, so never LocalSystem.
 */
export const SERVICE_ACCOUNT = "NT AUTHORITY\\LocalService";
/** LocalService's security identifier, the same in every language of Windows. */
const LOCAL_SERVICE_SID = "*S-1-5-19";
const LOCAL_SERVICE_APPDATA = "ServiceProfiles\\LocalService\\AppData\\Roaming";

/** Started again 1, 5 and 30 seconds after a crash; the .msi sets the same. */
const RECOVERY_ACTIONS = "restart/1000/restart/5000/restart/30000";

const NEEDS_ADMINISTRATOR = "Services belong to administrators: open the terminal by " +
  '"Run as administrator" and try again';

/** ERROR_SERVICE_DOES_NOT_EXIST, which `sc` also exits with. */
const NO_SUCH_SERVICE = 1060;

function sc(
  words: readonly string[],
  purpose: string,
  more: Partial<CommandStep> = {},
): CommandStep {
  return { kind: "command", argv: ["sc", ...words], purpose, remedy: NEEDS_ADMINISTRATOR, ...more };
}

/** The command line of the service; its program is quoted, or a folder's blank would cut it. */
export function serviceCommandLine(executable: string, args: readonly string[]): string {
  return [`"${executable}"`, SERVICE_RUN_COMMAND, ...args.map(quoteArgument)].join(" ");
}

/** Quotes one argument so that CommandLineToArgvW gives it back unchanged. */
export function quoteArgument(word: string): string {
  if (word !== "" && !/[\s"]/.test(word)) return word;
  return `"${word.replace(/(\\*)"/g, '$1$1\\"').replace(/(\\+)$/, "$1$1")}"`;
}

function install(target: ServiceTarget, isInstalled: boolean): ServicePlan {
  return {
    platform: "windows",
    steps: [
      ...(isInstalled ? [...REMOVE_OLD, register("config", target)] : [register("create", target)]),
      letAccountRun(target.executable),
      sc(["description", WINDOWS_SERVICE_NAME, SERVICE_DESCRIPTION], "describe the service"),
      // Applied when the process ends without having said that it stops.
      sc(
        ["failure", WINDOWS_SERVICE_NAME, "reset=", "86400", "actions=", RECOVERY_ACTIONS],
        "set what happens after a crash",
      ),
      openFirewall(target.executable),
      sc(["start", WINDOWS_SERVICE_NAME], "start the service", {
        attempts: isInstalled ? 15 : 1, // the old process may need a moment to end
        remedy: 'It is installed, but did not start; see "almenad daemon logs"',
      }),
    ],
    notes: ["almenad runs now, and starts with Windows."],
  };
}

function register(verb: "create" | "config", target: ServiceTarget): CommandStep {
  const settings = [
    ["binPath=", serviceCommandLine(target.executable, target.args)],
    ["start=", "auto"],
    ["obj=", SERVICE_ACCOUNT],
    ["DisplayName=", SERVICE_DISPLAY_NAME],
  ];
  const purpose = verb === "create" ? "create the service" : "change the service";
  return sc([verb, WINDOWS_SERVICE_NAME, ...settings.flat()], purpose);
}

function letAccountRun(executable: string): CommandStep {
  return {
    kind: "command",
    argv: ["icacls", executable, "/grant", `${LOCAL_SERVICE_SID}:(RX)`],
    purpose: "let the service's account run the executable",
    remedy: NEEDS_ADMINISTRATOR,
  };
}

// Other machines of the network find and dial this one; public networks stay closed.
function openFirewall(executable: string): CommandStep {
  const rule = ["dir=in", "action=allow", "profile=private,domain", `program=${executable}`];
  return {
    kind: "command",
    argv: [...FIREWALL, "add", "rule", `name=${WINDOWS_SERVICE_NAME}`, ...rule],
    purpose: "let other machines of private networks in",
    mayFail: true,
  };
}

const FIREWALL = ["netsh", "advfirewall", "firewall"];

/** What an older registration left; none of it need be there. */
const REMOVE_OLD: readonly CommandStep[] = [
  sc(["stop", WINDOWS_SERVICE_NAME], "stop the service", { mayFail: true }),
  {
    kind: "command",
    argv: [...FIREWALL, "delete", "rule", `name=${WINDOWS_SERVICE_NAME}`],
    purpose: "close the firewall",
    mayFail: true,
  },
];

function uninstall(): ServicePlan {
  return {
    platform: "windows",
    steps: [...REMOVE_OLD, sc(["delete", WINDOWS_SERVICE_NAME], "delete the service")],
    notes: ["Data and configuration were kept."],
  };
}

/** dwCurrentState of SERVICE_STATUS; the words beside it are translated, the numbers are not. */
const STATES: Readonly<Record<string, ServiceStatus["state"]>> = {
  1: "stopped",
  2: "starting",
  3: "stopping",
  4: "running",
  5: "starting",
  6: "stopping",
  7: "stopped",
};

function parseStatus(answer: CommandAnswer): ServiceStatus {
  const base = { platform: "windows", service: WINDOWS_SERVICE_NAME } as const;
  if (answer.code === NO_SUCH_SERVICE) {
    const remedy = 'Run "almenad daemon install" as administrator';
    return { ...base, isInstalled: false, state: "not_installed", detail: "not installed", remedy };
  }
  const match = /:\s+([1-7])\s+(\w+)/.exec(answer.stdout);
  if (answer.code !== 0 || !match) {
    throw new DaemonError(
      "unavailable",
      `Cannot ask Windows for the service: ${(answer.stderr || answer.stdout).trim()}`,
    );
  }
  const pid = Number(/^\s*PID\s+:\s+(\d+)/m.exec(answer.stdout)?.[1]);
  const exitCode = Number(/WIN32_EXIT_CODE\s+:\s+(\d+)/.exec(answer.stdout)?.[1]);
  const isClean = !(exitCode > 0) || exitCode === NEVER_STARTED;
  const known = STATES[match[1] ?? ""] ?? "stopped";
  const state = known === "stopped" && !isClean ? "failed" : known;
  return {
    ...base,
    isInstalled: true,
    state,
    ...(pid > 0 && { pid }),
    ...(!isClean && { exitCode }),
    detail: (match[2] ?? "").toLowerCase(),
    ...remedyOf(state),
  };
}

/** ERROR_SERVICE_NEVER_STARTED: no attempt was made since Windows started. */
const NEVER_STARTED = 1077;

function remedyOf(state: ServiceStatus["state"]): { remedy?: string } {
  if (state === "failed") return { remedy: 'See "almenad daemon logs" for the reason' };
  if (state === "stopped") {
    return { remedy: `Run "sc start ${WINDOWS_SERVICE_NAME}" as administrator` };
  }
  return {};
}

// A service has no console, so the daemon's own log is read.
function logsCommand(target: ServiceTarget, options: LogsOptions): readonly string[] {
  const folder = dataFolder(target);
  const file = win32.join(folder, "logs", "daemon.log").replaceAll("'", "''");
  const follow = options.follow ? " -Wait" : "";
  return [
    "powershell",
    "-NoProfile",
    "-NonInteractive",
    "-Command",
    `Get-Content -Encoding UTF8 -Tail ${options.lines ?? 100}${follow} -LiteralPath '${file}'`,
  ];
}

function dataFolder(target: ServiceTarget): string {
  const index = target.args.indexOf("--data-dir");
  const given = index < 0
    ? target.args.find((word) => word.startsWith("--data-dir="))?.slice("--data-dir=".length)
    : target.args[index + 1];
  const windows = target.env["SystemRoot"] || "C:\\Windows";
  return given ?? win32.join(windows, LOCAL_SERVICE_APPDATA, "network.almena.daemon");
}

/** The Service Control Manager. */
export const windowsServices: ServiceSystem = {
  service: WINDOWS_SERVICE_NAME,
  install,
  uninstall,
  registration: () => [],
  statusCommand: () => ["sc", "queryex", WINDOWS_SERVICE_NAME],
  parseStatus,
  logsCommand,
};
