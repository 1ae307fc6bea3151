import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { DaemonError } from "../../src/core/mod.ts";
import { packBom } from "./bom.ts";
import { packCpio } from "./cpio.ts";
import { signExecutable, type SigningIdentity, signPackage } from "./sign.ts";
import { type PackageEntry, packageTree } from "./tree.ts";
import { packXar } from "./xar.ts";

/** What goes into a macOS package. */
export interface PkgInit {
  /** Path of the compiled daemon for macOS arm64. */
  executable: string;
  /** Our version, such as `2026.1.1-develop`. */
  version: string;
  /** Folder for the finished package; made when missing. */
  outDir: string;
  /** Seconds since 1970 that all files are dated. */
  epoch: number;
  /** Signs and notarises, which needs a Mac. @default unsigned */
  sign?: SigningIdentity;
}

const HERE = fileURLToPath(new URL("./", import.meta.url));

/**
 * Builds a macOS package: a product archive with one component, written by ourselves, so that it
 * can be made on any system.
 *
 * @returns Path of `almenad-<version>-macos-arm64.pkg` in `outDir`.
 * @throws {DaemonError} `not_found` without the executable; what signing throws.
 */
export async function buildPkg(init: PkgInit): Promise<string> {
  const stage = await mkdtemp(join(tmpdir(), "almenad-pkg-"));
  try {
    const executable = init.sign
      ? await signExecutable(init.executable, stage, init.sign)
      : init.executable;
    const content = await readFile(executable).catch((cause) => {
      throw new DaemonError("not_found", `Cannot put "${executable}" into the package`, { cause });
    });
    const finished = join(stage, "almenad.pkg");
    await writeFile(finished, await productArchive(content, init));
    if (init.sign) await signPackage(finished, init.sign);
    await mkdir(init.outDir, { recursive: true });
    const target = join(init.outDir, `almenad-${init.version}-macos-arm64.pkg`);
    await writeFile(`${target}.part`, await readFile(finished));
    await rename(`${target}.part`, target);
    return target;
  } finally {
    await rm(stage, { recursive: true, force: true });
  }
}

async function productArchive(executable: Uint8Array, init: PkgInit): Promise<Uint8Array> {
  const payload = packageTree([
    { path: "usr/local/bin/almenad", mode: 0o755, content: executable },
    {
      path: "usr/local/share/almenad/uninstall.sh",
      mode: 0o755,
      content: await readFile(join(HERE, "uninstall.sh")),
    },
  ], init.epoch);
  const scripts = packageTree([
    { path: "postinstall", mode: 0o755, content: await readFile(join(HERE, "postinstall")) },
  ], init.epoch);
  const facts = {
    VERSION: numericVersion(init.version),
    INSTALL_KBYTES: String(Math.ceil(sizeOf(payload) / 1_024)),
    NUMBER_OF_FILES: String(payload.length),
  };
  return packXar([
    { path: "Distribution", content: await fill("Distribution.xml", facts) },
    { path: "almenad.pkg/Bom", content: packBom(payload) },
    { path: "almenad.pkg/PackageInfo", content: await fill("PackageInfo.xml", facts) },
    { path: "almenad.pkg/Payload", content: await compress(packCpio(payload)) },
    { path: "almenad.pkg/Scripts", content: await compress(packCpio(scripts)) },
  ], init.epoch);
}

const compress: (bytes: Uint8Array) => Promise<Uint8Array> = promisify(gzip);

function sizeOf(entries: readonly PackageEntry[]): number {
  return entries.reduce((sum, { content }) => sum + (content?.byteLength ?? 0), 0);
}

async function fill(asset: string, facts: Readonly<Record<string, string>>): Promise<Uint8Array> {
  const template = await readFile(join(HERE, asset), "utf8");
  const text = template.replaceAll(/@([A-Z_]+)@/g, (_, name) => facts[name] ?? "");
  return new TextEncoder().encode(text);
}

/** macOS compares numbers only, so a pre-release has its release's. */
function numericVersion(version: string): string {
  return /^\d+\.\d+\.\d+/.exec(version)?.[0] ?? version;
}
