/** The packaging task: what it finds, what it refuses, and the checksums of a release. */
import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { findExecutables, sourceDateEpoch, writeChecksums } from "../../installers/artefacts.ts";
import { runTool } from "../../installers/run_tool.ts";
import { VERSION } from "../../src/system/mod.ts";
import { program, testNeeding } from "../support/needs.ts";

const PACKAGE = fileURLToPath(new URL("../../installers/package.ts", import.meta.url));
const CONFIG = fileURLToPath(new URL("../../deno.json", import.meta.url));
const X64 = { os: "linux", arch: "x86_64" };

async function withDist(
  files: readonly string[],
  run: (dist: string) => Promise<void>,
): Promise<void> {
  const dist = await mkdtemp(join(tmpdir(), "almenad-dist-"));
  try {
    for (const name of files) await writeFile(join(dist, name), `content of ${name}`);
    await run(dist);
  } finally {
    await rm(dist, { recursive: true });
  }
}

async function packageTask(
  dist: string,
  ...args: string[]
): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--config", CONFIG, PACKAGE, "--dist", dist, ...args],
    env: { ALMENAD_SIGN_IDENTITY: "", ALMENAD_NOTARY_PROFILE: "", NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  return { code, text: decoder.decode(stdout) + decoder.decode(stderr) };
}

Deno.test("findExecutables() takes every target that was compiled", () =>
  withDist(
    ["almenad-x86_64-unknown-linux-gnu", "almenad-aarch64-unknown-linux-gnu"],
    async (dist) => {
      assert.deepEqual(await findExecutables(dist, "linux", X64), [
        { path: join(dist, "almenad-x86_64-unknown-linux-gnu"), architecture: "amd64" },
        { path: join(dist, "almenad-aarch64-unknown-linux-gnu"), architecture: "arm64" },
      ]);
    },
  ));

Deno.test("findExecutables() takes this machine's own executable for its own target, if newer", () =>
  withDist(["almenad", "almenad-x86_64-unknown-linux-gnu"], async (dist) => {
    const own = { path: join(dist, "almenad"), architecture: "amd64" };
    const named = { path: join(dist, "almenad-x86_64-unknown-linux-gnu"), architecture: "amd64" };
    await utimes(named.path, 1_000, 1_000);
    assert.deepEqual(await findExecutables(dist, "linux", X64), [own]);
    await utimes(own.path, 500, 500);
    assert.deepEqual(await findExecutables(dist, "linux", X64), [named]);
    const arm = await findExecutables(dist, "linux", { os: "linux", arch: "aarch64" });
    assert.deepEqual(arm, [named, { path: own.path, architecture: "arm64" }]);
    await assert.rejects(findExecutables(dist, "darwin", X64), {
      code: "failed_precondition",
      message: /deno task compile --target aarch64-apple-darwin$/,
    });
    await assert.rejects(findExecutables(dist, "windows", X64), {
      message: /deno task compile --target x86_64-pc-windows-msvc$/,
    });
  }));

const RELEASE = [
  "almenad-2026.1.1-macos-arm64.pkg",
  "almenad-2026.1.1-windows-x64.msi",
  "almenad-2026.1.1-windows-x64.zip",
  "almenad-x86_64-pc-windows-msvc.exe",
  "almenad-x86_64-unknown-linux-gnu",
  "almenad_2026.1.1_amd64.deb",
  "install.ps1",
  "install.sh",
];

testNeeding(
  [program("sha256sum")],
  "writeChecksums() covers a release, and nothing else",
  () =>
    withDist(
      [...RELEASE, "almenad", "almenad.exe", "notes.txt", "almenad_1.deb.part"],
      async (dist) => {
        assert.deepEqual(await writeChecksums(dist), RELEASE);
        assert.deepEqual(await writeChecksums(dist), RELEASE);
        await runTool({
          argv: ["sha256sum", "--check", "--strict", "SHA256SUMS"],
          remedy: "",
          cwd: dist,
        });
      },
    ),
);

Deno.test("sourceDateEpoch() is the variable's, or the executable's", () =>
  withDist(["almenad"], async (dist) => {
    const path = join(dist, "almenad");
    await utimes(path, 1_000, 1_000);
    assert.equal(await sourceDateEpoch({}, path), 1_000);
    assert.equal(await sourceDateEpoch({ SOURCE_DATE_EPOCH: "1700000000" }, path), 1_700_000_000);
    for (const value of ["soon", "-1", "1.5", "99999999999"]) {
      const env = { SOURCE_DATE_EPOCH: value };
      await assert.rejects(sourceDateEpoch(env, path), { code: "invalid_argument" });
    }
    await assert.rejects(sourceDateEpoch({}, join(dist, "none")), { code: "not_found" });
  }));

Deno.test("runTool() names the tool that is missing or fails", async () => {
  await assert.rejects(runTool({ argv: ["no-such-tool"], remedy: "install it" }), {
    code: "unavailable",
    message: "Cannot run no-such-tool: it is missing; install it",
  });
  await assert.rejects(runTool({ argv: ["sh", "-c", "echo why >&2; exit 3"], remedy: "" }), {
    code: "failed_precondition",
    message: "Cannot finish sh (code 3): why",
  });
});

testNeeding(
  [program("dpkg-deb"), program("sha256sum")],
  "the package task builds .deb and .pkg and their checksums",
  () =>
    withDist(["almenad-x86_64-unknown-linux-gnu", "almenad-aarch64-apple-darwin"], async (dist) => {
      for (const platform of ["linux", "darwin"]) {
        const { code, text } = await packageTask(dist, platform);
        assert.equal(code, 0, text);
      }
      const deb = `almenad_${VERSION.replace("-", "~")}_amd64.deb`;
      const pkg = `almenad-${VERSION}-macos-arm64.pkg`;
      const sums = await readFile(join(dist, "SHA256SUMS"), "utf8");
      const names = sums.trimEnd().split("\n").map((line) => line.split("  ")[1]).sort();
      const executables = ["almenad-aarch64-apple-darwin", "almenad-x86_64-unknown-linux-gnu"];
      assert.deepEqual(names, [deb, pkg, ...executables, "install.ps1", "install.sh"].sort());
      await runTool({ argv: ["sha256sum", "--check", "SHA256SUMS"], remedy: "", cwd: dist });
      assert.deepEqual((await readdir(dist)).filter((name) => name.endsWith(".part")), []);
    }),
);

Deno.test("the package task refuses what it cannot do, with the way out", () =>
  withDist(["almenad-aarch64-apple-darwin", "almenad-x86_64-unknown-linux-gnu"], async (dist) => {
    const table: [string[], RegExp][] = [
      [["darwin", "--sign"], /set ALMENAD_SIGN_IDENTITY .* and ALMENAD_NOTARY_PROFILE/],
      [["linux", "--sign"], /Cannot sign for linux/],
      [["windows"], /no executable in .* deno task compile --target x86_64-pc-windows-msvc/],
      [["amiga"], /Cannot package for "amiga": known are linux, darwin, windows/],
    ];
    for (const [args, message] of table) {
      const { code, text } = await packageTask(dist, ...args);
      assert.equal(code, 1);
      assert.match(text, message);
      assert.ok(!text.includes("    at "), text);
    }
    assert.equal((await readdir(dist)).length, 2);
  }));
