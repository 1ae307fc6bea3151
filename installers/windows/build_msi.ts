import { copyFile, mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DaemonError } from "../../src/core/mod.ts";
import { runTool } from "../run_tool.ts";
import { productVersion } from "./product_version.ts";

/** What goes into a package for Windows. */
export interface WindowsPackageInit {
  /** Path of the compiled daemon for Windows x64. */
  executable: string;
  /** Our version, such as `2026.1.1-develop`. */
  version: string;
  /** Folder for the finished package; made when missing. */
  outDir: string;
  /** Folder with LICENSE-APACHE and LICENSE-MIT. @default the project's folder */
  licenseDir?: string;
}

/** The project's folder, where the licences are. */
export const PROJECT_DIR: string = fileURLToPath(new URL("../../", import.meta.url));

/** Both licences go into every package. */
export const LICENSES: readonly string[] = ["LICENSE-APACHE", "LICENSE-MIT"];

const HERE = fileURLToPath(new URL("./", import.meta.url));

/**
 * The PATH entry: wixl has no element for the Environment table, so its rows are put in afterwards.
 * `=-*` sets it for the whole computer and takes it away again; `[~]` is what the PATH held before.
 * Source: https://learn.microsoft.com/windows/win32/msi/environment-table.
 */
const ENVIRONMENT_TABLE = [
  ["Environment", "Name", "Value", "Component_"],
  ["s72", "l255", "L255", "s72"],
  ["Environment", "Environment"],
  ["DaemonPath", "=-*PATH", "[~];[INSTALLDIR]", "Daemon"],
];
/** The two standard actions that act on it, at their usual places. */
const ENVIRONMENT_ACTIONS = [["RemoveEnvironmentStrings", 3300], ["WriteEnvironmentStrings", 5200]];

/**
 * Builds the Windows Installer package.
 *
 * @returns Path of `almenad-<version>-windows-x64.msi` in `outDir`.
 * @throws {DaemonError} `unavailable` without wixl, `invalid_argument` for a version that cannot be
 * mapped, `not_found` for a missing input, `failed_precondition` when wixl refuses.
 */
export async function buildMsi(init: WindowsPackageInit): Promise<string> {
  const name = `almenad-${init.version}-windows-x64.msi`;
  const version = productVersion(init.version);
  const stage = await mkdtemp(join(tmpdir(), "almenad-msi-"));
  try {
    await take(init.executable, join(stage, "almenad.exe"));
    for (const license of LICENSES) {
      await take(join(init.licenseDir ?? PROJECT_DIR, license), join(stage, license));
    }
    await run(stage, "wixl", [
      ...["--arch", "x64", "--define", `Version=${version}`],
      ...["--define", `NextVersion=${next(version)}`, "--output", name],
      join(HERE, "almenad.wxs"),
    ]);
    await addEnvironment(stage, name);
    await mkdir(init.outDir, { recursive: true });
    const target = join(init.outDir, name);
    await copyFile(join(stage, name), `${target}.part`);
    await rename(`${target}.part`, target);
    return target;
  } finally {
    await rm(stage, { recursive: true, force: true });
  }
}

/** The version after this one, as Windows Installer counts. */
function next(version: string): string {
  return version.replace(/\d+$/, (build) => `${Number(build) + 1}`);
}

async function addEnvironment(stage: string, name: string): Promise<void> {
  const table = ENVIRONMENT_TABLE.map((row) => `${row.join("\t")}\r\n`).join("");
  await writeFile(join(stage, "Environment.idt"), table);
  await run(stage, "msibuild", [name, "-i", "Environment.idt"]);
  for (const [action, sequence] of ENVIRONMENT_ACTIONS) {
    const row = `('${action}', ${sequence})`;
    const insert =
      `INSERT INTO \`InstallExecuteSequence\` (\`Action\`, \`Sequence\`) VALUES ${row}`;
    await run(stage, "msibuild", [name, "-q", insert]);
  }
}

async function take(source: string, target: string): Promise<void> {
  try {
    await copyFile(source, target);
  } catch (cause) {
    throw new DaemonError("not_found", `Cannot put "${source}" into the package`, { cause });
  }
}

/** Runs a tool of msitools; its warnings count as failures, because each means that it left something out. */
async function run(cwd: string, tool: string, args: readonly string[]): Promise<void> {
  await runTool({
    argv: [tool, ...args],
    cwd,
    env: { G_DEBUG: "fatal-warnings" },
    remedy: "on Debian and Ubuntu: apt-get install msitools wixl",
  });
}
