/** Tests that need what a machine may lack: skipped loudly, or failed where the machine must have it. */
import process from "node:process";
import { DaemonError } from "../../src/core/mod.ts";

/** Something a test stands on. */
export interface Need {
  /** As it appears in `SKIPPED (needs …)`; in capitals it names the variable `ALMENAD_REQUIRE_…`. */
  readonly name: string;
  readonly isMet: boolean;
}

/** A program that must be found in PATH. */
export function program(name: string): Need {
  return { name, isMet: findProgram(name) !== undefined };
}

/** Linux, for what it tells of a process below /proc. */
export function onLinux(): Need {
  return { name: "Linux", isMet: Deno.build.os === "linux" };
}

/** Root's rights on Linux, with namespaces. */
export function linuxRoot(): Need {
  return { name: "root", isMet: Deno.build.os === "linux" && process.getuid?.() === 0 };
}

/** `deno task test:full`, for what takes too long otherwise. */
export function fullSize(): Need {
  return { name: "the full size", isMet: process.env["ALMENAD_FULL"] === "1" };
}

/** Where a program of PATH lies. */
export function findProgram(name: string): string | undefined {
  for (const folder of (process.env["PATH"] ?? "").split(":")) {
    try {
      const path = `${folder || "."}/${name}`;
      if (Deno.statSync(path).isFile) return path;
    } catch {
      // not in this folder
    }
  }
  return undefined;
}

/** Registers a test that is skipped, and says so, when a need is not met. */
export function testNeeding(
  needs: readonly Need[],
  name: string,
  fn: (context: Deno.TestContext) => void | Promise<void>,
  options: Pick<Deno.TestDefinition, "sanitizeOps" | "sanitizeResources"> = {},
): void {
  const missing = needs.filter((need) => !need.isMet);
  if (missing.length === 0) return Deno.test({ name, fn, ...options });
  const list = missing.map((need) => need.name).join(", ");
  const required = missing.filter((need) => process.env[requireVariable(need)] === "1");
  if (required.length > 0) {
    return Deno.test(name, () => {
      throw new DaemonError(
        "failed_precondition",
        `Cannot run "${name}": this machine lacks ${list}`,
      );
    });
  }
  Deno.stderr.writeSync(new TextEncoder().encode(`SKIPPED (needs ${list}): ${name}\n`));
  Deno.test({ name, ignore: true, fn });
}

function requireVariable(need: Need): string {
  return `ALMENAD_REQUIRE_${need.name.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_")}`;
}
