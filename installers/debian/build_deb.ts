import { createHash } from "node:crypto";
import { chmod, copyFile, mkdir, mkdtemp, readFile, rename, rm, stat } from "node:fs/promises";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { completionScript } from "../../src/cli/commands/completions.ts";
import { DaemonError } from "../../src/core/mod.ts";
import { PACKAGED_UNIT_PATH, renderUnit } from "../../src/system/systemd.ts";
import { runTool } from "../run_tool.ts";

/** Debian's names of the processors we build for. */
export type DebianArchitecture = "amd64" | "arm64";

/** What goes into a Debian package. */
export interface DebInit {
  /** Path of the compiled daemon. */
  executable: string;
  architecture: DebianArchitecture;
  /** Our version, such as `2026.1.1-develop`. */
  version: string;
  /** Folder for the finished package; made when missing. */
  outDir: string;
  /** Seconds since 1970 that all files are dated, so that the same input gives the same bytes. */
  epoch: number;
}

const HERE = fileURLToPath(new URL("./", import.meta.url));
const DOC = "usr/share/doc/almenad";
/** Where each shell of Debian looks for completions of packages. */
const COMPLETIONS = {
  bash: "usr/share/bash-completion/completions/almenad",
  fish: "usr/share/fish/vendor_completions.d/almenad.fish",
  zsh: "usr/share/zsh/vendor-completions/_almenad",
};

/**
 * Our version as Debian orders versions: `~` sorts before everything, so pre-releases come before
 * their release (deb-version(7)).
 *
 * @throws {DaemonError} `invalid_argument` for a version Debian does not take.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(debianVersion("2026.1.1-develop"), "2026.1.1~develop");
 * assert.equal(debianVersion("2026.1.1"), "2026.1.1");
 * ```
 */
export function debianVersion(version: string): string {
  const parts = /^(\d+\.\d+\.\d+)(?:-([0-9A-Za-z.-]+))?(\+[0-9A-Za-z.]+)?$/.exec(version);
  if (parts === null) {
    throw new DaemonError("invalid_argument", `Cannot make a Debian version of "${version}"`);
  }
  const [, release, label, build = ""] = parts;
  return `${release}${label === undefined ? "" : `~${label.replaceAll("-", ".")}`}${build}`;
}

/**
 * Builds a Debian package with dpkg-deb.
 *
 * @returns Path of `almenad_<version>_<architecture>.deb` in `outDir`.
 * @throws {DaemonError} `unavailable` without dpkg-deb, `not_found` without the executable.
 */
export async function buildDeb(init: DebInit): Promise<string> {
  const version = debianVersion(init.version);
  const stage = await mkdtemp(join(tmpdir(), "almenad-deb-"));
  try {
    await chmod(stage, 0o755);
    await putFiles(stage, init, version);
    await putControl(stage, init, version);
    await mkdir(init.outDir, { recursive: true });
    const target = join(init.outDir, `almenad_${version}_${init.architecture}.deb`);
    await runTool({
      argv: ["dpkg-deb", "--root-owner-group", "-Zxz", "--build", stage, `${target}.part`],
      remedy: "on Debian and Ubuntu: apt-get install dpkg",
      env: { SOURCE_DATE_EPOCH: String(init.epoch) },
    });
    await rename(`${target}.part`, target);
    return target;
  } finally {
    await rm(stage, { recursive: true, force: true });
  }
}

async function putFiles(stage: string, init: DebInit, version: string): Promise<void> {
  const executable = join(stage, "usr/bin/almenad");
  await makeFolders(stage, dirname("usr/bin/almenad"));
  await copyFile(init.executable, executable).catch((cause) => {
    throw new DaemonError("not_found", `Cannot put "${init.executable}" into the package`, {
      cause,
    });
  });
  await chmod(executable, 0o755);
  const date = new Date(init.epoch * 1_000);
  const manual = (await asset("almenad.1")).replaceAll("@VERSION@", init.version)
    .replaceAll("@DATE@", date.toISOString().slice(0, 10));
  const unit = renderUnit({ command: ["/usr/bin/almenad"], hasManual: true });
  await put(stage, PACKAGED_UNIT_PATH.slice(1), unit);
  await put(stage, "usr/share/man/man1/almenad.1.gz", gzip(manual));
  for (const [shell, path] of Object.entries(COMPLETIONS)) {
    await put(stage, path, completionScript(shell));
  }
  await put(stage, `${DOC}/copyright`, await asset("copyright"));
  await put(stage, `${DOC}/changelog.gz`, gzip(changelog(version, date)));
  await put(stage, "usr/share/lintian/overrides/almenad", await asset("lintian-overrides"));
}

async function putControl(stage: string, init: DebInit, version: string): Promise<void> {
  const paths = await filesBelow(stage);
  const sums = await Promise.all(paths.map(async (path) => {
    const digest = createHash("md5").update(await readFile(join(stage, path))).digest("hex");
    return `${digest}  ${path}\n`;
  }));
  const sizes = await Promise.all(paths.map(async (path) => (await stat(join(stage, path))).size));
  const kibibytes = Math.ceil(sizes.reduce((sum, size) => sum + size, 0) / 1_024);
  const control = (await asset("control")).replace("@VERSION@", version)
    .replace("@ARCHITECTURE@", init.architecture).replace("@INSTALLED_SIZE@", String(kibibytes));
  await put(stage, "DEBIAN/control", control);
  await put(stage, "DEBIAN/md5sums", sums.join(""));
  for (const script of ["postinst", "prerm", "postrm"]) {
    await put(stage, `DEBIAN/${script}`, await asset(script), 0o755);
  }
}

function changelog(version: string, date: Date): string {
  const stamp = date.toUTCString().replace("GMT", "+0000");
  return `almenad (${version}) unstable; urgency=medium

  * For the changes see CHANGELOG.md of the source:
    https://github.com/almena-network/daemon

 -- Almena Network <almenad@almena.network>  ${stamp}
`;
}

function asset(name: string): Promise<string> {
  return readFile(join(HERE, name), "utf8");
}

// Without name and time in the header, as Debian's policy asks for.
function gzip(text: string): Uint8Array {
  return gzipSync(text, { level: 9 });
}

async function put(
  stage: string,
  path: string,
  content: string | Uint8Array,
  mode = 0o644,
): Promise<void> {
  await makeFolders(stage, dirname(path));
  await writeFile(join(stage, path), content);
  await chmod(join(stage, path), mode);
}

// The caller's umask must not show in the package.
async function makeFolders(stage: string, path: string): Promise<void> {
  if (path === ".") return;
  await makeFolders(stage, dirname(path));
  await mkdir(join(stage, path), { recursive: true });
  await chmod(join(stage, path), 0o755);
}

async function filesBelow(stage: string): Promise<string[]> {
  const paths: string[] = [];
  const walk = async (folder: string): Promise<void> => {
    for await (const entry of Deno.readDir(join(stage, folder))) {
      const path = join(folder, entry.name);
      if (entry.isDirectory) await walk(path);
      else paths.push(path);
    }
  };
  await walk("");
  return paths.sort();
}
