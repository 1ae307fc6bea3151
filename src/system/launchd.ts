/** launchd agents, launchd.plist(5) and launchctl(1). */
import { posix } from "node:path";
import { DaemonError } from "../core/mod.ts";
import type {
  CommandAnswer,
  LogsOptions,
  ServicePlan,
  ServiceStatus,
  ServiceSystem,
  ServiceTarget,
} from "./service_plan.ts";

/** Label of the agent, contract 1.8. */
export const AGENT_LABEL = "network.almena.daemon";

/** What the agent's property list is written from. */
export interface AgentInit {
  /** Program and arguments. */
  command: readonly string[];
  /** Home folder of the owner. */
  home: string;
}

/**
 * The agent's property list.
 *
 * Started at load, and again when it ended otherwise than by a clean stop; launchd can't tell one
 * exit code from another, so what a restart cannot cure is retried too, but twice a minute only.
 * Its default of 256 open files is too few for a daemon.
 */
export function renderAgent(init: AgentInit): string {
  const words = init.command.map((word) => `    <string>${escapeXml(word)}</string>\n`).join("");
  const log = escapeXml(agentLogPath(init.home));
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>${AGENT_LABEL}</string>
  <key>ProgramArguments</key>
  <array>
${words}  </array>
  <key>RunAtLoad</key>
  <true/>
  <key>KeepAlive</key>
  <dict>
    <key>SuccessfulExit</key>
    <false/>
  </dict>
  <key>ThrottleInterval</key>
  <integer>30</integer>
  <key>ExitTimeOut</key>
  <integer>15</integer>
  <key>Umask</key>
  <integer>63</integer>
  <key>SoftResourceLimits</key>
  <dict>
    <key>NumberOfFiles</key>
    <integer>8192</integer>
  </dict>
  <key>StandardOutPath</key>
  <string>${log}</string>
  <key>StandardErrorPath</key>
  <string>${log}</string>
</dict>
</plist>
`;
}

/** Where launchd writes what the daemon prints. */
export function agentLogPath(home: string): string {
  return posix.join(home, "Library", "Logs", `${AGENT_LABEL}.log`);
}

/** Where the agent of a user lies, contract 1.8. */
export function agentPath(home: string): string {
  return posix.join(home, "Library", "LaunchAgents", `${AGENT_LABEL}.plist`);
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

const NO_SESSION = "launchd has no session of this user: log in on the Mac's screen, " +
  "and try again as that user, without sudo";

function install(target: ServiceTarget): ServicePlan {
  const domain = `gui/${target.uid}`;
  const agent = agentPath(target.home);
  const content = renderAgent({ command: [target.executable, ...target.args], home: target.home });
  return {
    platform: "darwin",
    steps: [
      {
        kind: "command",
        argv: ["launchctl", "print", domain],
        purpose: "reach launchd",
        remedy: NO_SESSION,
      },
      {
        kind: "command",
        argv: ["launchctl", "bootout", `${domain}/${AGENT_LABEL}`],
        purpose: "stop the old agent",
        mayFail: true,
      },
      { kind: "write", path: agent, mode: 0o644, content },
      {
        kind: "command",
        argv: ["launchctl", "enable", `${domain}/${AGENT_LABEL}`],
        purpose: "enable the agent",
      },
      {
        kind: "command",
        argv: ["launchctl", "bootstrap", domain, agent],
        purpose: "start the agent",
        // An agent that was just booted out may still be ending; launchd then answers error 5.
        attempts: 10,
        remedy: 'See "almenad daemon logs"',
      },
    ],
    notes: ["almenad runs now, and starts when you log in."],
  };
}

function uninstall(target: ServiceTarget): ServicePlan {
  return {
    platform: "darwin",
    steps: [
      {
        kind: "command",
        argv: ["launchctl", "bootout", `gui/${target.uid}/${AGENT_LABEL}`],
        purpose: "stop the agent",
        mayFail: true,
      },
      { kind: "remove", path: agentPath(target.home) },
    ],
    notes: ["Data, configuration and logs were kept."],
  };
}

/** launchctl's exit code for a service it does not know. */
const NOT_FOUND_CODE = 113;

function parseStatus(answer: CommandAnswer): ServiceStatus {
  const base = { platform: "darwin", service: AGENT_LABEL } as const;
  if (answer.code === NOT_FOUND_CODE) {
    const remedy = 'Run "almenad daemon install"';
    return { ...base, isInstalled: false, state: "not_installed", detail: "not loaded", remedy };
  }
  if (answer.code !== 0) {
    throw new DaemonError(
      "unavailable",
      `Cannot ask launchd for the agent: ${answer.stderr.trim()}. ${NO_SESSION}`,
    );
  }
  const value = (key: string) =>
    new RegExp(`^\\t${key} = (.*)$`, "m").exec(answer.stdout)?.[1] ?? "";
  const pid = Number(value("pid"));
  const exitCode = Number.parseInt(value("last exit code"), 10);
  const state = stateOf(value("state"), exitCode);
  return {
    ...base,
    isInstalled: true,
    state,
    ...(pid > 0 && { pid }),
    ...(exitCode > 0 && { exitCode }),
    detail: value("state") || "unknown",
    ...(state === "failed" && { remedy: 'See "almenad daemon logs" for the reason' }),
  };
}

function stateOf(word: string, exitCode: number): ServiceStatus["state"] {
  if (word === "running") return "running";
  if (word.startsWith("spawn")) return "starting";
  return exitCode > 0 ? "failed" : "stopped";
}

function logsCommand(target: ServiceTarget, options: LogsOptions): readonly string[] {
  const follow = options.follow ? ["-F"] : [];
  return ["tail", "-n", String(options.lines ?? 100), ...follow, agentLogPath(target.home)];
}

/** launchd, for the agents of one user. */
export const launchd: ServiceSystem = {
  service: AGENT_LABEL,
  install,
  uninstall,
  registration: (target) => [agentPath(target.home)],
  statusCommand: (target) => ["launchctl", "print", `gui/${target.uid}/${AGENT_LABEL}`],
  parseStatus,
  logsCommand,
};
