/** The Debian package: its content, lintian, and a round trip with dpkg in a root to throw away. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { buildDeb, debianVersion } from "../../installers/debian/build_deb.ts";
import { runCommand } from "../../src/system/command.ts";
import { program, testNeeding } from "../support/needs.ts";
import { SHARED, ThrowawayRoot, throwawayRoot } from "../support/throwaway_root.ts";

/** A small program of this machine; the real one takes a minute to compress. */
const EXECUTABLE = process.env["ALMENAD_PACKAGE_EXECUTABLE"] ?? "/bin/true";
const EPOCH = 1_767_225_600;
const ARCHITECTURE = Deno.build.arch === "aarch64" ? "arm64" : "amd64";
const dpkgDeb = program("dpkg-deb");

async function withDebs(
  versions: readonly string[],
  run: (...paths: string[]) => Promise<void>,
): Promise<void> {
  const outDir = await mkdtemp(join(tmpdir(), "almenad-deb-test-"));
  const common = {
    executable: EXECUTABLE,
    architecture: ARCHITECTURE,
    epoch: EPOCH,
    outDir,
  } as const;
  try {
    const paths: string[] = [];
    for (const version of versions) paths.push(await buildDeb({ ...common, version }));
    await run(...paths);
  } finally {
    await rm(outDir, { recursive: true });
  }
}

async function output(...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await runCommand(argv);
  assert.equal(code, 0, stdout + stderr);
  return stdout;
}

Deno.test("debianVersion() puts pre-releases before their release", () => {
  assert.equal(debianVersion("2026.1.1-develop"), "2026.1.1~develop");
  assert.equal(debianVersion("2026.1.1-rc.1+build.5"), "2026.1.1~rc.1+build.5");
  assert.equal(debianVersion("2026.1.1"), "2026.1.1");
  for (const version of ["", "2026.1", "2026.1.1 ", "2026.1.1-a_b", "2026.1.1\nX: y"]) {
    assert.throws(() => debianVersion(version), { code: "invalid_argument" });
  }
});

testNeeding([program("dpkg")], "debianVersion() is ordered as dpkg orders", async () => {
  const ordered = [
    "2026.1.1-develop",
    "2026.1.1-rc.1",
    "2026.1.1-rc.2",
    "2026.1.1",
    "2026.1.2-alpha",
  ];
  for (const [index, version] of ordered.slice(1).entries()) {
    const earlier = debianVersion(ordered[index] ?? "");
    await output("dpkg", "--compare-versions", earlier, "lt", debianVersion(version));
  }
});

testNeeding(
  [dpkgDeb],
  "buildDeb() packs executable, user unit, manual and scripts",
  () =>
    withDebs(["2026.1.1-develop"], async (deb) => {
      assert.ok(deb.endsWith(`/almenad_2026.1.1~develop_${ARCHITECTURE}.deb`));
      const lines = (await output("dpkg-deb", "--contents", deb)).trimEnd().split("\n");
      const files = lines.map((line) => line.split(/\s+/)).filter(([mode]) =>
        !mode?.startsWith("d")
      )
        .map(([mode, owner, , , , path]) => `${mode} ${owner} ${path}`);
      assert.deepEqual(files, [
        "-rwxr-xr-x root/root ./usr/bin/almenad",
        "-rw-r--r-- root/root ./usr/lib/systemd/user/almenad.service",
        "-rw-r--r-- root/root ./usr/share/bash-completion/completions/almenad",
        "-rw-r--r-- root/root ./usr/share/doc/almenad/changelog.gz",
        "-rw-r--r-- root/root ./usr/share/doc/almenad/copyright",
        "-rw-r--r-- root/root ./usr/share/fish/vendor_completions.d/almenad.fish",
        "-rw-r--r-- root/root ./usr/share/lintian/overrides/almenad",
        "-rw-r--r-- root/root ./usr/share/man/man1/almenad.1.gz",
        "-rw-r--r-- root/root ./usr/share/zsh/vendor-completions/_almenad",
      ]);
      for (const line of lines) assert.match(line, /^(d|-)rwxr-xr-x |^-rw-r--r-- /);
      const control = await output("dpkg-deb", "--ctrl-tarfile", deb).then(() =>
        output("dpkg-deb", "--info", deb)
      );
      for (const name of ["postinst", "postrm", "prerm", "md5sums"]) {
        assert.ok(control.includes(name));
      }
      assert.equal(await output("dpkg-deb", "--field", deb, "Version"), "2026.1.1~develop\n");
      const unit = await output(
        "sh",
        "-c",
        `dpkg-deb --fsys-tarfile '${deb}' | tar -xO ./usr/lib/systemd/user/almenad.service`,
      );
      assert.ok(unit.includes("ExecStart=/usr/bin/almenad\n"));
      assert.ok(unit.includes("Documentation=man:almenad(1)\n"));
    }),
);

testNeeding([dpkgDeb], "buildDeb() gives the same bytes for the same input", async () => {
  const bytes: Uint8Array[] = [];
  const umask = process.umask();
  try {
    for (const mask of [0o077, 0o002]) {
      process.umask(mask);
      await withDebs(["2026.1.1"], async (deb) => void bytes.push(await readFile(deb)));
    }
  } finally {
    process.umask(umask);
  }
  assert.deepEqual(bytes[0], bytes[1]);
});

Deno.test("buildDeb() names what is missing", async () => {
  const outDir = await mkdtemp(join(tmpdir(), "almenad-deb-test-"));
  const init = { architecture: "amd64", epoch: EPOCH, outDir, version: "2026.1.1" } as const;
  try {
    await assert.rejects(buildDeb({ ...init, executable: join(outDir, "none") }), {
      code: "not_found",
      message: /none/,
    });
    assert.deepEqual(await Array.fromAsync(Deno.readDir(outDir)), []);
  } finally {
    await rm(outDir, { recursive: true });
  }
});

testNeeding(
  [dpkgDeb, program("lintian")],
  "buildDeb() makes a package that lintian accepts",
  () =>
    withDebs(["2026.1.1-develop"], async (deb) => {
      const flags = ["--allow-root", "--fail-on", "error", "--fail-on", "warning"];
      const ours = ["--suppress-tags", "unused-override,mismatched-override"];
      await output("lintian", ...flags, ...ours, deb);
    }),
);

/** Written into the root: who was asked to restart or stop what. */
const INVOKE = '#!/bin/sh\necho "$*" >>/run/invoked\n';
const DATA = "/home/ada/.local/share/network.almena.daemon";
const PREPARE = `
useradd --create-home ada
runuser -u ada -- mkdir -p ${DATA}/data /home/ada/.config/systemd/user/default.target.wants
runuser -u ada -- sh -c 'echo secret >${DATA}/data/identity.key'
runuser -u ada -- ln -s /usr/lib/systemd/user/almenad.service /home/ada/.config/systemd/user/default.target.wants/
mkdir -p /run/systemd/system
printf '%s' "$1" >/usr/bin/deb-systemd-invoke
chmod 755 /usr/bin/deb-systemd-invoke
! dpkg --status almenad 2>/dev/null
`;

testNeeding(
  [dpkgDeb, program("dpkg"), ...throwawayRoot()],
  "the package is installed, upgraded, removed and purged by dpkg, and data stays until asked for",
  () =>
    withDebs(["2026.1.1-develop", "2026.1.1"], async (old, recent) => {
      await using root = await ThrowawayRoot.start(dirname(old));
      const run = async (script: string, ...args: string[]): Promise<string> => {
        const { code, stdout, stderr } = await root.run(script, ...args);
        assert.equal(code, 0, `${script}\n${stdout}${stderr}`);
        return stdout;
      };
      const dataIsThere = () => run(`grep -q secret ${DATA}/data/identity.key`);
      await run(PREPARE, INVOKE);
      const install = (deb: string) =>
        run(`dpkg --no-triggers --install ${SHARED}/${basename(deb)}`);
      const installed = await install(old);
      assert.match(installed, /almenad daemon install/);
      await run("almenad --version && test -f /usr/lib/systemd/user/almenad.service");
      assert.equal(await run("dpkg --verify almenad"), "");
      await run("! test -e /run/invoked");

      await install(recent);
      assert.equal(await run("cat /run/invoked"), "--user restart almenad.service\n");
      await dataIsThere();

      await run("dpkg --no-triggers --remove almenad && ! test -e /usr/bin/almenad");
      assert.match(await run("tail -n 1 /run/invoked"), /^--user stop almenad\.service\n$/);
      await dataIsThere();

      await install(recent);
      const purged = await run("dpkg --no-triggers --purge almenad");
      assert.ok(purged.includes(`kept the data of user ada: ${DATA}`), purged);
      await dataIsThere();
      await run("! dpkg --status almenad 2>/dev/null");
      const places = "/usr /etc /var/lib/dpkg /var/lib/systemd";
      assert.equal(await run(`find ${places} -name '*almenad*'`), "");

      // A link in a user's home that points to root's files must not make purging follow it.
      await run(
        `mkdir -p /etc/trap/network.almena.daemon && touch /etc/trap/network.almena.daemon/kept
        useradd --create-home eve && mkdir /home/eve/.local
        ln -s /etc/trap /home/eve/.local/share`,
      );
      await install(recent);
      await run("ALMENAD_PURGE_DATA=yes dpkg --no-triggers --purge almenad");
      await run(`! test -e ${DATA} && test -d /home/ada/.local/share`);
      await run("! test -L /home/ada/.config/systemd/user/default.target.wants/almenad.service");
      await run("test -f /etc/trap/network.almena.daemon/kept");
    }),
);
