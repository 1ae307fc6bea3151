/** systemd user units, systemd.unit(5) and systemd.service(5). */
import { posix } from "node:path";
import { DaemonError } from "../core/mod.ts";
import type {
  CommandAnswer,
  CommandStep,
  LogsOptions,
  PlanStep,
  ServicePlan,
  ServiceStatus,
  ServiceSystem,
  ServiceTarget,
} from "./service_plan.ts";
import { FINAL_EXIT_CODES } from "./windows_service.ts";

/** Name of the unit, contract 1.8. */
export const UNIT_NAME = "almenad.service";

/** Where a package puts the unit, systemd.unit(5). */
export const PACKAGED_UNIT_PATH = `/usr/lib/systemd/user/${UNIT_NAME}`;

/** Exit codes that a restart cannot cure; 0 never restarts anyway. */
const NO_RESTART_EXIT_CODES = FINAL_EXIT_CODES.filter((code) => code !== 0);

/** What a unit is written from. */
export interface UnitInit {
  /** Program and arguments. */
  command: readonly string[];
  /** Variables the service gets, besides the session's. */
  environment?: Readonly<Record<string, string>>;
  /** Names the manual page, where one is installed. @default {false} */
  hasManual?: boolean;
}

/**
 * The unit file.
 *
 * Hardened with what a unit of an unprivileged manager can use everywhere: system call filters.
 * Options that need a mount namespace fail where unprivileged user namespaces are off, and
 * MemoryDenyWriteExecute makes V8 panic.
 */
export function renderUnit(init: UnitInit): string {
  const environment = Object.entries(init.environment ?? {})
    .map(([name, value]) => `Environment=${quoteValue(`${name}=${value}`)}\n`);
  return `[Unit]
Description=Almena network daemon
${init.hasManual ? "Documentation=man:almenad(1)\n" : ""}\
# Tried again for ever: the cause (a full disk, a missing network) may go away by itself.
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart=${execStart(init.command)}
ExecReload=/bin/kill -HUP $MAINPID
${environment.join("")}Restart=on-failure
RestartSec=10
RestartPreventExitStatus=${NO_RESTART_EXIT_CODES.join(" ")}
TimeoutStartSec=60
TimeoutStopSec=15
WatchdogSec=60
UMask=0077
LimitNOFILE=65536
NoNewPrivileges=yes
LockPersonality=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
SystemCallFilter=@system-service

[Install]
WantedBy=default.target
`;
}

// Inside double quotes C escapes apply, and % and $ are expanded, though $ not in the program's
// path (systemd.service(5), "Command lines").
function execStart([executable = "", ...args]: readonly string[]): string {
  if (/["'\\]/.test(executable)) {
    throw new DaemonError(
      "invalid_argument",
      `Cannot install the service: systemd takes no quotes and backslashes in the path of a ` +
        `program. Move "${executable}" elsewhere`,
    );
  }
  const words = args.map((word) => escapeText(word).replaceAll("$", "$$$$"));
  return [escapeText(executable), ...words].map(quoteWord).join(" ");
}

function quoteWord(escaped: string): string {
  return /^[A-Za-z0-9_@+=:,./%-]+$/.test(escaped) ? escaped : `"${escaped}"`;
}

// Environment= expands specifiers, but not $ (systemd.exec(5)).
function quoteValue(assignment: string): string {
  return `"${escapeText(assignment)}"`;
}

function escapeText(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("%", "%%")
    .replaceAll("\n", "\\n");
}

const NO_SESSION =
  "The user's systemd does not answer. Log in directly (console, desktop or ssh; " +
  "not su or sudo) and try again; on a machine nobody logs in to, first run " +
  '"loginctl enable-linger" as root for this user. Without systemd, let your own supervisor run almenad';

function systemctl(
  words: readonly string[],
  purpose: string,
  more: Partial<CommandStep> = {},
): CommandStep {
  return { kind: "command", argv: ["systemctl", "--user", ...words], purpose, ...more };
}

function unitFolder(target: ServiceTarget): string {
  const config = target.env["XDG_CONFIG_HOME"] || posix.join(target.home, ".config");
  return posix.join(config, "systemd", "user");
}

function unitPath(target: ServiceTarget): string {
  return posix.join(unitFolder(target), UNIT_NAME);
}

function wantsLink(target: ServiceTarget): string {
  return posix.join(unitFolder(target), "default.target.wants", UNIT_NAME);
}

function install(target: ServiceTarget): ServicePlan {
  const dataHome = target.env["XDG_DATA_HOME"];
  // A unit of the user's own would hide the package's.
  const unit: PlanStep[] = target.hasPackagedUnit
    ? [{ kind: "remove", path: unitPath(target) }]
    : [{
      kind: "write",
      path: unitPath(target),
      mode: 0o644,
      content: renderUnit({
        command: [target.executable, ...target.args],
        environment: dataHome ? { "XDG_DATA_HOME": dataHome } : {},
      }),
    }];
  return {
    platform: "linux",
    steps: [
      systemctl(["show", "--property=Version"], "reach systemd", { remedy: NO_SESSION }),
      ...unit,
      systemctl(["daemon-reload"], "make systemd read the unit"),
      systemctl(["enable", UNIT_NAME], "enable the service"),
      systemctl(["reset-failed", UNIT_NAME], "forget old failures", { mayFail: true }),
      // Starts what is stopped and replaces what runs, which "enable --now" would leave as it was.
      systemctl(["restart", UNIT_NAME], "start the service", {
        remedy: 'It is installed, but did not become ready; see "almenad daemon logs"',
      }),
    ],
    notes: [
      "almenad runs now, and starts when you log in.",
      'To keep it running while you are logged out: "loginctl enable-linger".',
    ],
  };
}

// Works without a user session too: what the manager would do to files is done by hand.
function uninstall(target: ServiceTarget): ServicePlan {
  return {
    platform: "linux",
    steps: [
      systemctl(["disable", "--now", UNIT_NAME], "stop and disable the service", { mayFail: true }),
      { kind: "remove", path: wantsLink(target) },
      { kind: "remove", path: unitPath(target) },
      systemctl(["daemon-reload"], "make systemd forget the unit", { mayFail: true }),
      systemctl(["reset-failed", UNIT_NAME], "forget old failures", { mayFail: true }),
    ],
    notes: ["Data and configuration were kept."],
  };
}

const STATES: Readonly<Record<string, ServiceStatus["state"]>> = {
  active: "running",
  reloading: "running",
  activating: "starting",
  deactivating: "stopping",
  failed: "failed",
};

function parseStatus(answer: CommandAnswer): ServiceStatus {
  const base = { platform: "linux", service: UNIT_NAME } as const;
  if (answer.code !== 0) {
    throw new DaemonError(
      "unavailable",
      `Cannot ask systemd for the service: ${answer.stderr.trim()}. ${NO_SESSION}`,
    );
  }
  const value = (key: string) =>
    new RegExp(`^${key}=(.*)$`, "m").exec(answer.stdout)?.[1]?.trim() ?? "";
  if (value("LoadState") === "not-found") {
    const remedy = 'Run "almenad daemon install"';
    return { ...base, isInstalled: false, state: "not_installed", detail: "not installed", remedy };
  }
  const pid = Number(value("MainPID"));
  const exitCode = Number(value("ExecMainStatus"));
  const state = STATES[value("ActiveState")] ?? "stopped";
  const words = [`${value("ActiveState")} (${value("SubState")})`, value("UnitFileState")];
  const restarts = Number(value("NRestarts"));
  if (restarts > 0) words.push(`${restarts} restarts`);
  if (value("StatusText")) words.push(value("StatusText"));
  return {
    ...base,
    isInstalled: true,
    state,
    ...(pid > 0 && { pid }),
    ...(exitCode > 0 && { exitCode }),
    detail: words.filter(Boolean).join(", "),
    ...remedyOf(state),
  };
}

function remedyOf(state: ServiceStatus["state"]): { remedy?: string } {
  if (state === "failed") return { remedy: 'See "almenad daemon logs" for the reason' };
  if (state === "stopped") return { remedy: `Run "systemctl --user start ${UNIT_NAME}"` };
  return {};
}

const STATUS_PROPERTIES = "LoadState,ActiveState,SubState,UnitFileState,MainPID,NRestarts," +
  "ExecMainStatus,StatusText";

function logsCommand(_target: ServiceTarget, options: LogsOptions): readonly string[] {
  const lines = String(options.lines ?? 100);
  const follow = options.follow ? ["--follow"] : [];
  return [
    "journalctl",
    "--user",
    `--unit=${UNIT_NAME}`,
    "--no-pager",
    `--lines=${lines}`,
    ...follow,
  ];
}

/** systemd's user manager. */
export const systemd: ServiceSystem = {
  service: UNIT_NAME,
  install,
  uninstall,
  registration: (target) => [unitPath(target), wantsLink(target)],
  statusCommand:
    () => ["systemctl", "--user", "show", `--property=${STATUS_PROPERTIES}`, UNIT_NAME],
  parseStatus,
  logsCommand,
};
