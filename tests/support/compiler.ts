/** Executables for tests, made as releases are. */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { DaemonError } from "../../src/core/mod.ts";
import type { Need } from "./needs.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** Holds runtime bases, one an `unpack TARGET` away. */
const BASES = process.env["ALMENAD_DENORT_DIR"] ?? join(ROOT, "..", "shared", "denort");

/** Windows, as the compiler calls it. */
export const WINDOWS_TARGET = "x86_64-pc-windows-msvc";

/** A runtime base for a target, from which an executable can be made without a download. */
export function denort(target: string): Need {
  return { name: "denort", isMet: baseVersion(target) !== undefined };
}

/** Deno's version that the base belongs to; compiler and base must be of one version. */
function baseVersion(target: string): string | undefined {
  try {
    const pattern = new RegExp(`^denort-(\\d+\\.\\d+\\.\\d+)-${target}\\b`);
    return readdirSync(BASES).map((name) => pattern.exec(name)?.[1]).find(Boolean);
  } catch {
    return undefined;
  }
}

/** Compiles a program below the project's root; returns the path of the executable. */
export function compileFor(target: string, entry: string, output: string): string {
  const version = baseVersion(target);
  const base = run(join(BASES, "unpack"), [target], {}).trim();
  const compiler = new URL("../../installers/compile.ts", import.meta.url);
  const script = `import { compile } from ${JSON.stringify(compiler)};
    await compile(${JSON.stringify({ target, entry, output })});`;
  run("npx", ["-y", `deno@${version}`, "eval", "--quiet", script], {
    DENORT_BIN: base,
    DENO_TLS_CA_STORE: process.env["DENO_TLS_CA_STORE"] ?? "system",
  });
  return output;
}

/** The daemon for Windows: `ALMENAD_WINDOWS_EXE` where that is set, else made now. */
export function windowsDaemon(output: string): string {
  return process.env["ALMENAD_WINDOWS_EXE"] ?? compileFor(WINDOWS_TARGET, "main.ts", output);
}

function run(program: string, args: readonly string[], env: Record<string, string>): string {
  const { status, stdout, stderr } = spawnSync(program, args, {
    cwd: ROOT,
    env: { ...process.env, ...env },
    encoding: "utf8",
  });
  if (status === 0) return stdout;
  throw new DaemonError("failed_precondition", `Cannot run ${program} ${args[0]}: ${stderr}`);
}
