import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { zipSync } from "fflate";
import { DaemonError } from "../../src/core/mod.ts";
import { LICENSES, PROJECT_DIR, type WindowsPackageInit } from "./build_msi.ts";

const HERE = fileURLToPath(new URL("./", import.meta.url));
/** Run by people, so they lie in the archive beside the executable. */
const SCRIPTS = ["install-service.ps1", "uninstall-service.ps1"];
/** One date in every archive, so that the same input gives the same bytes: the earliest zip knows. */
const MTIME = new Date(1980, 0, 1);

/**
 * Builds the archive for those who do not want an installer: the executable and two scripts that make
 * and remove the service.
 *
 * @returns Path of `almenad-<version>-windows-x64.zip` in `outDir`.
 * @throws {DaemonError} `not_found` for a missing input.
 */
export async function buildZip(init: WindowsPackageInit): Promise<string> {
  const name = `almenad-${init.version}-windows-x64`;
  const files: Record<string, Uint8Array> = { "almenad.exe": await take(init.executable) };
  for (const script of SCRIPTS) files[script] = await take(join(HERE, script));
  for (const license of LICENSES) {
    files[`${license}.txt`] = await take(join(init.licenseDir ?? PROJECT_DIR, license));
  }
  const archive = zipSync({ [name]: files }, { level: 6, mtime: MTIME });
  await mkdir(init.outDir, { recursive: true });
  const target = join(init.outDir, `${name}.zip`);
  await writeFile(`${target}.part`, archive);
  await rename(`${target}.part`, target);
  return target;
}

async function take(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new DaemonError("not_found", `Cannot put "${path}" into the archive`, { cause });
  }
}
