/** The macOS package: its containers, its scripts with stand-ins for Apple's programs, and signing. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { gunzipSync, inflateSync } from "node:zlib";
import { cksum } from "../../installers/macos/bom.ts";
import { buildPkg, type PkgInit } from "../../installers/macos/build_pkg.ts";
import { signingIdentity } from "../../installers/macos/sign.ts";
import { runCommand } from "../../src/system/command.ts";
import { program, testNeeding } from "../support/needs.ts";
import { SHARED, ThrowawayRoot, throwawayRoot } from "../support/throwaway_root.ts";

const MACOS = fileURLToPath(new URL("../../installers/macos/", import.meta.url));
const EPOCH = 1_767_225_600;
/** Stands in for the executable; everything about the package is the same. */
const EXECUTABLE = '#!/bin/sh\necho "$(id -un): $*" >>/run/calls\n';

async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "almenad-pkg-test-"));
  try {
    await writeFile(join(folder, "almenad-executable"), EXECUTABLE, { mode: 0o755 });
    await run(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

function build(folder: string, more: Partial<PkgInit> = {}): Promise<string> {
  const executable = join(folder, "almenad-executable");
  return buildPkg({
    executable,
    version: "2026.1.1-develop",
    outDir: join(folder, "dist"),
    epoch: EPOCH,
    ...more,
  });
}

/** The archive's table of contents, and its files by name, each checked against its checksum. */
function readXar(bytes: Buffer): Map<string, Buffer> {
  assert.equal(bytes.toString("latin1", 0, 4), "xar!");
  const start = bytes.readUInt16BE(4);
  const compressed = bytes.subarray(start, start + Number(bytes.readBigUInt64BE(8)));
  const table = inflateSync(compressed);
  assert.equal(table.byteLength, Number(bytes.readBigUInt64BE(16)));
  const heap = bytes.subarray(start + compressed.byteLength);
  const sha1 = (content: Uint8Array) => createHash("sha1").update(content).digest();
  assert.deepEqual(heap.subarray(0, 20), sha1(compressed));
  const files = new Map<string, Buffer>();
  const entries = table.toString().matchAll(
    /<name>([^<]*)<\/name><type>file<\/type>.*\n<data><length>(\d+)<\/length><offset>(\d+)<\/offset>.*?<archived-checksum style="sha1">(\w+)</g,
  );
  for (const [, name = "", length, offset, sum] of entries) {
    const content = heap.subarray(Number(offset), Number(offset) + Number(length));
    assert.equal(sha1(content).toString("hex"), sum);
    files.set(name, content);
  }
  return files;
}

/** The paths of a bill of materials with mode, size and checksum. */
function readBom(bytes: Buffer): string[] {
  assert.equal(bytes.toString("latin1", 0, 8), "BOMStore");
  const table = bytes.readUInt32BE(16);
  const block = (number: number): Buffer => {
    const at = table + 4 + number * 8;
    const from = bytes.readUInt32BE(at);
    return bytes.subarray(from, from + bytes.readUInt32BE(at + 4));
  };
  let at = bytes.readUInt32BE(24);
  const names = new Map<string, number>();
  let next = at + 4;
  for (let left = bytes.readUInt32BE(at); left > 0; left -= 1) {
    const length = bytes.readUInt8(next + 4);
    names.set(bytes.toString("latin1", next + 5, next + 5 + length), bytes.readUInt32BE(next));
    next += 5 + length;
  }
  assert.deepEqual([...names.keys()], ["BomInfo", "Paths", "HLIndex", "VIndex", "Size64"]);
  const tree = block(names.get("Paths") ?? 0);
  assert.equal(tree.toString("latin1", 0, 4), "tree");
  const page = block(tree.readUInt32BE(8));
  const paths = new Map<number, string>();
  const lines: string[] = [];
  for (let index = 0; index < page.readUInt16BE(2); index += 1) {
    at = 12 + index * 8;
    const value = block(page.readUInt32BE(at));
    const key = block(page.readUInt32BE(at + 4));
    const details = block(value.readUInt32BE(4));
    const parent = paths.get(key.readUInt32BE(0));
    const name = key.toString("utf8", 4, key.byteLength - 1);
    const path = parent === undefined ? name : `${parent}/${name}`;
    paths.set(value.readUInt32BE(0), path);
    const mode = details.readUInt16BE(4).toString(8);
    lines.push(`${path} ${mode} ${details.readUInt32BE(18)} ${details.readUInt32BE(23)}`);
  }
  return lines;
}

Deno.test("buildPkg() makes a product archive with one component", () =>
  withFolder(async (folder) => {
    const path = await build(folder);
    assert.ok(path.endsWith("/almenad-2026.1.1-develop-macos-arm64.pkg"));
    const files = readXar(await readFile(path));
    assert.deepEqual([...files.keys()], [
      "Distribution",
      "Bom",
      "PackageInfo",
      "Payload",
      "Scripts",
    ]);
    const info = files.get("PackageInfo")?.toString() ?? "";
    assert.match(info, /identifier="network\.almena\.daemon" version="2026\.1\.1"/);
    assert.match(info, /<postinstall file="\.\/postinstall" ?\/>/);
    const distribution = files.get("Distribution")?.toString() ?? "";
    assert.match(distribution, /hostArchitectures="arm64"/);
    assert.match(distribution, /version="2026\.1\.1" [^>]*>#almenad\.pkg</);
    assert.ok(!/@[A-Z_]+@/.test(info + distribution));
  }));

Deno.test("buildPkg() gives the same bytes for the same input", () =>
  withFolder(async (folder) => {
    const first = await readFile(await build(folder));
    assert.deepEqual(await readFile(await build(folder)), first);
  }));

Deno.test("buildPkg() lists in the bill of materials what the payload holds", () =>
  withFolder(async (folder) => {
    const files = readXar(await readFile(await build(folder)));
    const uninstall = await readFile(join(MACOS, "uninstall.sh"));
    assert.deepEqual(readBom(files.get("Bom") ?? Buffer.alloc(0)), [
      ". 40755 0 0",
      "./usr 40755 0 0",
      "./usr/local 40755 0 0",
      "./usr/local/bin 40755 0 0",
      "./usr/local/share 40755 0 0",
      `./usr/local/bin/almenad 100755 ${EXECUTABLE.length} ${cksum(Buffer.from(EXECUTABLE))}`,
      "./usr/local/share/almenad 40755 0 0",
      `./usr/local/share/almenad/uninstall.sh 100755 ${uninstall.byteLength} ${cksum(uninstall)}`,
    ]);
  }));

testNeeding([program("cksum")], "cksum() is POSIX's", async () => {
  for (const name of ["uninstall.sh", "postinstall", "bom.ts"]) {
    const { stdout } = await runCommand(["cksum", join(MACOS, name)]);
    assert.equal(String(cksum(await readFile(join(MACOS, name)))), stdout.split(" ")[0]);
  }
  assert.equal(cksum(new Uint8Array()), 4_294_967_295);
});

testNeeding(
  [program("bsdtar"), program("cpio")],
  "bsdtar and cpio unpack the package",
  () =>
    withFolder(async (folder) => {
      const path = await build(folder);
      const unpack = `mkdir "$1/out" && cd "$1/out" && bsdtar -xf "$2" && mkdir root scripts &&
      gunzip <almenad.pkg/Payload | (cd root && cpio --quiet -id) &&
      gunzip <almenad.pkg/Scripts | (cd scripts && cpio --quiet -id)`;
      const { code, stderr } = await runCommand(["sh", "-euc", unpack, "sh", folder, path]);
      assert.equal(code, 0, stderr);
      const unpacked = join(folder, "out/root/usr/local/bin/almenad");
      assert.equal(await readFile(unpacked, "utf8"), EXECUTABLE);
      assert.equal((await stat(unpacked)).mode & 0o777, 0o755);
      for (
        const [at, name] of [["root/usr/local/share/almenad", "uninstall.sh"], [
          "scripts",
          "postinstall",
        ]]
      ) {
        const copy = await readFile(join(folder, "out", at ?? "", name ?? ""));
        assert.deepEqual(copy, await readFile(join(MACOS, name ?? "")));
      }
    }),
);

testNeeding([program("plistutil")], "the entitlements are a property list", async () => {
  const list = join(MACOS, "entitlements.plist");
  const { code, stdout } = await runCommand(["plistutil", "-i", list, "-f", "xml"]);
  assert.equal(code, 0);
  assert.ok(stdout.includes("com.apple.security.cs.allow-jit"));
});

/** Apple's programs as far as the scripts use them, on this machine's users. */
const STAND_INS: Readonly<Record<string, string>> = {
  stat: `#!/bin/sh
[ "$1 $2" = "-f %Su" ] || exit 9
if [ "$3" = /dev/console ]; then cat /run/console; else /usr/bin/stat -c %U "$3"; fi
`,
  launchctl: `#!/bin/sh
echo "launchctl $*" >>/run/calls
if [ "$1" = asuser ]; then shift 2; exec "$@"; fi
`,
  sudo: `#!/bin/sh
[ "$1 $2" = "-H -u" ] || exit 9
user=$3
shift 3
HOME=$(getent passwd "$user" | cut -d: -f6) exec runuser -u "$user" -- "$@"
`,
  pkgutil: `#!/bin/sh
echo "pkgutil $*" >>/run/calls
`,
};

/** Unpacks the package over the root, with two users, one of them at the screen. */
const PREPARE = `
mkdir /Users /run/bin
for user in ada bob; do
  useradd --create-home --base-dir /Users "$user"
  runuser -u "$user" -- mkdir -p "/Users/$user/Library/LaunchAgents" \
    "/Users/$user/Library/Application Support/network.almena.daemon"
done
echo ada >/run/console
touch /run/calls
chmod 666 /run/calls
cp ${SHARED}/bin/* /run/bin/
cd /run && bsdtar -xf ${SHARED}/dist/*.pkg
gunzip <almenad.pkg/Payload | (cd / && cpio --quiet -idu)
gunzip <almenad.pkg/Scripts | cpio --quiet -id
`;

testNeeding(
  [program("bsdtar"), program("cpio"), program("useradd"), ...throwawayRoot()],
  "the package's scripts start the agent of whoever is at the screen, and take all back",
  () =>
    withFolder(async (folder) => {
      await build(folder);
      await mkdir(join(folder, "bin"));
      for (const [name, text] of Object.entries(STAND_INS)) {
        await writeFile(join(folder, "bin", name), text, { mode: 0o755 });
      }
      await Deno.chmod(folder, 0o755);
      await using root = await ThrowawayRoot.start(folder);
      const run = async (script: string, code = 0): Promise<string> => {
        const answer = await root.run(`PATH=/run/bin:$PATH; export PATH\n${script}`);
        assert.equal(answer.code, code, `${script}\n${answer.stdout}${answer.stderr}`);
        return answer.stdout + answer.stderr;
      };
      const calls = async (): Promise<string[]> =>
        (await run("cat /run/calls; : >/run/calls")).trimEnd().split("\n");
      await run(PREPARE);

      await run("/run/postinstall almenad.pkg / /");
      const [asUser, daemon] = await calls();
      assert.match(asUser ?? "", /^launchctl asuser \d+ sudo -H -u ada /);
      assert.equal(daemon, "ada: daemon install");
      await run("echo root >/run/console");
      assert.match(await run("/run/postinstall almenad.pkg / /"), /nobody is logged in/);
      assert.deepEqual(await calls(), [""]);

      const uninstall = "/usr/local/share/almenad/uninstall.sh";
      const agent = "Library/LaunchAgents/network.almena.daemon.plist";
      await run(`touch /Users/ada/${agent} && chown ada /Users/ada/${agent}`);
      assert.match(await run(`runuser -u bob -- ${uninstall}`, 5), /administrator rights/);
      await run(`${uninstall} --wrong`, 2);
      await run("test -x /usr/local/bin/almenad");
      const kept = await run(`SUDO_USER=ada ${uninstall}`);
      assert.match(kept, /removed the agent of ada[^]*kept the data of ada: \/Users\/ada\/Library/);
      const [bootout, forget] = await calls();
      assert.match(bootout ?? "", /^launchctl bootout gui\/\d+\/network\.almena\.daemon$/);
      assert.equal(forget, "pkgutil --forget network.almena.daemon");
      await run(`! test -e /Users/ada/${agent}`);
      await run("! test -e /usr/local/bin/almenad && ! test -e /usr/local/share/almenad");

      const data = "Library/Application Support/network.almena.daemon";
      await run(`cd /run && gunzip <almenad.pkg/Payload | (cd / && cpio --quiet -idu)`);
      await run(`SUDO_USER=ada ${uninstall} --purge`);
      await run(`! test -e "/Users/ada/${data}" && test -e "/Users/bob/${data}"`);
    }),
);

Deno.test("signingIdentity() refuses without an identity and names the variables", () => {
  const both = { ALMENAD_SIGN_IDENTITY: "Almena (X)", ALMENAD_NOTARY_PROFILE: "almena" };
  assert.deepEqual(signingIdentity(both), { identity: "Almena (X)", notaryProfile: "almena" });
  for (const name of Object.keys(both)) {
    assert.throws(() => signingIdentity({ ...both, [name]: "" }), {
      code: "failed_precondition",
      message: new RegExp(`^Cannot sign the macOS package: set ${name} \\(`),
    });
  }
  assert.throws(() => signingIdentity({}), {
    message: /SIGN_IDENTITY .* and ALMENAD_NOTARY_PROFILE/,
  });
});

Deno.test("buildPkg() signs the executable, then the package, and has it notarised", () =>
  withFolder(async (folder) => {
    const bin = join(folder, "bin");
    const log = join(folder, "log");
    await mkdir(bin);
    const stub = (more: string) => `#!/bin/sh\necho "$\{0##*/} $*" >>'${log}'\n${more}`;
    const tools = {
      codesign: 'for last in "$@"; do :; done\necho signed >>"$last"\n',
      productsign: 'shift 3\ncp "$1" "$2"\n',
      xcrun: "",
    };
    for (const [name, more] of Object.entries(tools)) {
      await writeFile(join(bin, name), stub(more), { mode: 0o755 });
    }
    const path = process.env["PATH"] ?? "";
    process.env["PATH"] = `${bin}:${path}`;
    try {
      const sign = { identity: "Almena (X)", notaryProfile: "almena" };
      const files = readXar(await readFile(await build(folder, { sign })));
      const payload = gunzipSync(files.get("Payload") ?? Buffer.alloc(0)).toString("latin1");
      assert.ok(payload.includes(`${EXECUTABLE}signed\n`));
    } finally {
      process.env["PATH"] = path;
    }
    const lines = (await readFile(log, "utf8")).trimEnd().split("\n");
    assert.match(lines[0] ?? "", /^codesign --force --timestamp --options runtime --entitlements /);
    assert.match(lines[0] ?? "", /--sign Developer ID Application: Almena \(X\) /);
    assert.match(
      lines[1] ?? "",
      /^productsign --timestamp --sign Developer ID Installer: Almena \(X\) /,
    );
    assert.match(lines[2] ?? "", /^xcrun notarytool submit .* --keychain-profile almena --wait$/);
    assert.match(lines[3] ?? "", /^xcrun stapler staple /);
    assert.equal(await readFile(join(folder, "almenad-executable"), "utf8"), EXECUTABLE);
  }));

Deno.test("buildPkg() names what is missing and leaves nothing", () =>
  withFolder(async (folder) => {
    const executable = join(folder, "none");
    await assert.rejects(build(folder, { executable }), { code: "not_found", message: /none/ });
    await assert.rejects(stat(join(folder, "dist")), { code: "ENOENT" });
  }));
