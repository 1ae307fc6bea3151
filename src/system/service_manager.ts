import { lstat, mkdir, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { DaemonError, messageOf, pause, systemCode, writeDurably } from "../core/mod.ts";
import type { CommandRunner } from "./command.ts";
import { launchd } from "./launchd.ts";
import type {
  CommandAnswer,
  CommandStep,
  LogsOptions,
  PlanStep,
  ServicePlan,
  ServicePlatform,
  ServiceStatus,
  ServiceSystem,
  ServiceTarget,
} from "./service_plan.ts";
import { systemd } from "./systemd.ts";
import { windowsServices } from "./windows_sc.ts";

const SYSTEMS: Readonly<Record<ServicePlatform, ServiceSystem>> = {
  linux: systemd,
  darwin: launchd,
  windows: windowsServices,
};

/**
 * The platform for a name of `process.platform`, `Deno.build.os` or our own.
 *
 * @throws {DaemonError} `invalid_argument` for a system without a service system we know.
 */
export function servicePlatform(name: string): ServicePlatform {
  const platform = name === "win32" ? "windows" : name;
  if (Object.hasOwn(SYSTEMS, platform)) return platform as ServicePlatform;
  throw new DaemonError(
    "invalid_argument",
    `Cannot register a service on "${name}": known are ${Object.keys(SYSTEMS).join(", ")}`,
  );
}

/**
 * What registering the daemon comes to.
 *
 * @param isInstalled True when a registration is replaced.
 * @throws {DaemonError} `invalid_argument` for a path or argument the service system cannot be told.
 */
export function planInstall(target: ServiceTarget, isInstalled = false): ServicePlan {
  const words = [target.executable, ...target.args, target.home];
  if (words.some((word) => /[\0\r\n]/.test(word))) {
    throw new DaemonError(
      "invalid_argument",
      "Cannot install the service: its command line or home folder contains a line break",
    );
  }
  return SYSTEMS[target.platform].install(target, isInstalled);
}

/** What removing the registration comes to; data and configuration are never part of it. */
export function planUninstall(target: ServiceTarget): ServicePlan {
  return SYSTEMS[target.platform].uninstall(target);
}

/** What {@link ServiceManager} uses. */
export interface ServiceManagerComponents {
  /** Runs the service system's programs; `runCommand` of this folder in production. */
  run: CommandRunner;
}

/** What {@link ServiceManager} registers. */
export interface ServiceManagerInit {
  target: ServiceTarget;
  /** Wait between attempts of a step, in milliseconds. @default {1_000} */
  retryMs?: number;
}

/** What {@link ServiceManager.install} and {@link ServiceManager.uninstall} did. */
export interface ServiceOutcome {
  readonly done: "installed" | "upgraded" | "uninstalled" | "nothing";
  /** What its owner should know, a line each. */
  readonly notes: readonly string[];
}

/** The platform's service manager (systemd, launchd, the Service Control Manager), asked for one service. */
export class ServiceManager {
  readonly #run: CommandRunner;
  readonly #target: ServiceTarget;
  readonly #system: ServiceSystem;
  readonly #retryMs: number;

  constructor(components: ServiceManagerComponents, init: ServiceManagerInit) {
    this.#run = components.run;
    this.#target = init.target;
    this.#system = SYSTEMS[init.target.platform];
    this.#retryMs = init.retryMs ?? 1_000;
  }

  /**
   * Registers and starts the service; one that is there is replaced and restarted.
   *
   * @throws {DaemonError} `failed_precondition` with the way out when the service system refuses.
   */
  async install(signal?: AbortSignal): Promise<ServiceOutcome> {
    refuseSudo(this.#target);
    const isInstalled = await this.#isInstalled(signal);
    const plan = planInstall(this.#target, isInstalled);
    await this.#carryOut(plan, signal);
    return { done: isInstalled ? "upgraded" : "installed", notes: plan.notes };
  }

  /** Stops the service and removes its registration; data and configuration stay. */
  async uninstall(signal?: AbortSignal): Promise<ServiceOutcome> {
    if (!await this.#isInstalled(signal)) {
      const notes = [
        `Nothing to uninstall: the service "${this.#system.service}" is not installed.`,
      ];
      return { done: "nothing", notes };
    }
    const plan = planUninstall(this.#target);
    await this.#carryOut(plan, signal);
    return { done: "uninstalled", notes: plan.notes };
  }

  /** @throws {DaemonError} `unavailable` when the service system does not answer. */
  async status(signal?: AbortSignal): Promise<ServiceStatus> {
    const answer = await this.#ask(this.#system.statusCommand(this.#target), signal);
    return this.#system.parseStatus(answer);
  }

  /** Shows the service's log on standard output until its end, or until cancelled when followed. */
  async logs(options: LogsOptions, signal?: AbortSignal): Promise<void> {
    const argv = this.#system.logsCommand(this.#target, options);
    const more = { showOutput: true, timeoutMs: options.follow ? 0 : 60_000 };
    const answer = await this.#run(argv, { ...more, ...(signal && { signal }) });
    if (answer.code === 0 || signal?.aborted) return;
    throw new DaemonError(
      "unavailable",
      `Cannot show the service's log: "${argv[0]}" ended with ${answer.code}`,
    );
  }

  // Files tell without a session of the user; where there are none, the system is asked.
  async #isInstalled(signal?: AbortSignal): Promise<boolean> {
    const files = this.#system.registration(this.#target);
    if (files.length === 0) return (await this.status(signal)).isInstalled;
    const found = await Promise.all(files.map((path) => exists(path)));
    return found.includes(true);
  }

  async #carryOut(plan: ServicePlan, signal?: AbortSignal): Promise<void> {
    for (const step of plan.steps) {
      if (signal?.aborted) throw new DaemonError("cancelled", "Cancelled between two steps");
      await this.#carryOutStep(step, signal);
    }
  }

  async #carryOutStep(step: PlanStep, signal?: AbortSignal): Promise<void> {
    if (step.kind === "command") return await this.#command(step, signal);
    try {
      if (step.kind === "remove") return await rm(step.path, { force: true });
      await mkdir(dirname(step.path), { recursive: true });
      await writeDurably(step.path, step.content, { mode: step.mode });
    } catch (cause) {
      const code = systemCode(cause) === "EACCES" ? "permission_denied" : "failed_precondition";
      throw new DaemonError(code, `Cannot ${step.kind} "${step.path}": ${messageOf(cause)}`, {
        cause,
      });
    }
  }

  async #command(step: CommandStep, signal?: AbortSignal): Promise<void> {
    const attempts = step.attempts ?? 1;
    for (let attempt = 1;; attempt += 1) {
      const failure = await this.#attempt(step, signal);
      if (failure === undefined || step.mayFail) return;
      if (attempt >= attempts || signal?.aborted) throw failure;
      await pause(this.#retryMs, signal);
    }
  }

  async #attempt(step: CommandStep, signal?: AbortSignal): Promise<DaemonError | undefined> {
    const way = step.remedy ? `. ${step.remedy}` : "";
    try {
      const answer = await this.#ask(step.argv, signal);
      if (answer.code === 0) return undefined;
      const why = (answer.stderr.trim() || answer.stdout.trim()).split("\n")[0] ?? "";
      const what = `"${step.argv.join(" ")}" ended with ${answer.code}`;
      return new DaemonError(
        "failed_precondition",
        `Cannot ${step.purpose}: ${what}${why && `: ${why}`}${way}`,
      );
    } catch (cause) {
      return new DaemonError("unavailable", `Cannot ${step.purpose}: ${messageOf(cause)}${way}`, {
        cause,
      });
    }
  }

  #ask(argv: readonly string[], signal?: AbortSignal): Promise<CommandAnswer> {
    return this.#run(argv, signal ? { signal } : {});
  }
}

// Through sudo the service would belong to root, with its own data folder, and not start with the
// user's session.
function refuseSudo({ env, uid }: ServiceTarget): void {
  const user = env["SUDO_USER"];
  if (!user || uid !== 0) return;
  throw new DaemonError(
    "failed_precondition",
    `Cannot install the service through sudo: it would be root's. Run the same command without ` +
      `sudo, as "${user}"`,
  );
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch {
    return false;
  }
}
