import { posix } from "node:path";
import type { PlanStep, ServicePlan } from "./service_plan.ts";
import { quoteArgument } from "./windows_sc.ts";

/**
 * A plan as what somebody could type instead: a POSIX shell script, or lines for cmd.exe.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const argv = ["systemctl", "--user", "enable", "almenad.service"];
 * const steps = [{ kind: "command", argv, purpose: "enable the service" }] as const;
 * const plan = { platform: "linux", steps, notes: [] } as const;
 * assert.equal(planText(plan), "# enable the service\nsystemctl --user enable almenad.service\n");
 * ```
 */
export function planText(plan: ServicePlan): string {
  const lines = plan.platform === "windows"
    ? [
      "rem lines for cmd.exe; in PowerShell write sc.exe instead of sc",
      ...plan.steps.map(cmdLine),
    ]
    : plan.steps.map(shellLines);
  return lines.map((line) => `${line}\n`).join("");
}

function shellLines(step: PlanStep): string {
  if (step.kind === "remove") return `rm -f ${quoteForShell(step.path)}`;
  if (step.kind === "write") {
    const path = quoteForShell(step.path);
    return [
      `mkdir -p ${quoteForShell(posix.dirname(step.path))}`,
      `cat >${path} <<'END_OF_FILE'`,
      `${step.content}END_OF_FILE`,
      `chmod ${step.mode.toString(8).padStart(4, "0")} ${path}`,
    ].join("\n");
  }
  const end = step.mayFail ? " || true" : "";
  return `# ${step.purpose}\n${step.argv.map(quoteForShell).join(" ")}${end}`;
}

function quoteForShell(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function cmdLine(step: PlanStep): string {
  if (step.kind !== "command") return `rem ${step.kind} ${step.path}`;
  return `rem ${step.purpose}\n${step.argv.map(quoteArgument).join(" ")}`;
}
