/**
 * Makes installers in `dist/` out of the executables that `deno task compile` put there, and writes
 * SHA256SUMS over everything a release consists of.
 *
 *     deno task package            for this system
 *     deno task package:linux      .deb
 *     deno task package:darwin     .pkg; with --sign signed and notarised
 *     deno task package:windows    .msi and .zip
 */
import { chmod, copyFile, mkdir } from "node:fs/promises";
import { basename, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { DaemonError, messageOf } from "../src/core/mod.ts";
import { VERSION } from "../src/system/mod.ts";
import {
  type Executable,
  findExecutables,
  PACKAGE_PLATFORMS,
  type PackagePlatform,
  sourceDateEpoch,
  writeChecksums,
} from "./artefacts.ts";
import { buildDeb } from "./debian/build_deb.ts";
import { buildPkg } from "./macos/build_pkg.ts";
import { signingIdentity } from "./macos/sign.ts";
import { buildMsi } from "./windows/build_msi.ts";
import { buildZip } from "./windows/build_zip.ts";

/** What is packaged, and where. */
export interface PackageInit {
  platform: PackagePlatform;
  /** Folder with the executables, and for the installers. */
  dist: string;
  /** Signs and notarises the macOS package. @default {false} */
  sign?: boolean;
}

const HERE = fileURLToPath(new URL("./", import.meta.url));

/**
 * Builds the installers of one platform.
 *
 * @returns Their paths.
 * @throws {DaemonError} when an executable, a tool or an identity is missing, with the way out.
 */
export async function packageFor(init: PackageInit): Promise<string[]> {
  if (init.sign && init.platform !== "darwin") {
    throw new DaemonError("invalid_argument", `Cannot sign for ${init.platform}: only for darwin`);
  }
  const executables = await findExecutables(init.dist, init.platform, Deno.build);
  const built: string[] = [];
  for (const executable of executables) built.push(...await build(executable, init));
  await copyScripts(init.dist);
  await writeChecksums(init.dist);
  return built;
}

async function build({ path, architecture }: Executable, init: PackageInit): Promise<string[]> {
  const epoch = await sourceDateEpoch(process.env, path);
  const common = { executable: path, version: VERSION, outDir: init.dist };
  switch (init.platform) {
    case "linux":
      return [await buildDeb({ ...common, epoch, architecture: architecture ?? "amd64" })];
    case "darwin": {
      const sign = init.sign ? { sign: signingIdentity(process.env) } : {};
      return [await buildPkg({ ...common, epoch, ...sign })];
    }
    case "windows":
      return [await buildMsi(common), await buildZip(common)];
  }
}

/** They are part of a release, beside the executables they fetch. */
async function copyScripts(dist: string): Promise<void> {
  await mkdir(dist, { recursive: true });
  for (const script of ["install.sh", "windows/install.ps1"]) {
    const copy = join(dist, basename(script));
    await copyFile(join(HERE, script), copy);
    await chmod(copy, script.endsWith(".sh") ? 0o755 : 0o644);
  }
}

function parsePlatform(name: string): PackagePlatform {
  const platform = PACKAGE_PLATFORMS.find((each) => each === name);
  if (platform !== undefined) return platform;
  throw new DaemonError(
    "invalid_argument",
    `Cannot package for "${name}": known are ${PACKAGE_PLATFORMS.join(", ")}`,
  );
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      dist: { type: "string", default: join(HERE, "..", "dist") },
      sign: { type: "boolean", default: false },
    },
  });
  const platform = parsePlatform(positionals[0] ?? Deno.build.os);
  const built = await packageFor({ platform, dist: values.dist, sign: values.sign });
  for (const path of built) process.stdout.write(`${path}\n`);
}

if (import.meta.main) {
  try {
    await main();
  } catch (failure) {
    process.stderr.write(`package: ${messageOf(failure)}\n`);
    process.exit(1);
  }
}
