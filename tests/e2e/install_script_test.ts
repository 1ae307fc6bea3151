/** install.sh against a file server on loopback. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink } from "node:fs/promises";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { findProgram, program, testNeeding } from "../support/needs.ts";

const SCRIPT = fileURLToPath(new URL("../../installers/install.sh", import.meta.url));
const TARGETS = [
  "x86_64-unknown-linux-gnu",
  "aarch64-unknown-linux-gnu",
  "aarch64-apple-darwin",
] as const;
/** What the script may use besides a downloader and a hasher. */
const TOOLS = ["awk", "cat", "chmod", "cut", "grep", "id", "kill", "ldd", "mkdir", "mktemp", "mv"]
  .concat(["rm", "sed", "sh", "uname", "dirname", "basename"]);

/** A release server, a home and a PATH of a test's own. */
interface Bench {
  home: string;
  /** Paths asked for. */
  requests: string[];
  /** Puts a release on the server. */
  release(version: string, options?: { broken?: boolean; tamper?: "file" | "sums" }): void;
  run(...args: string[]): Promise<Result>;
  env: Record<string, string>;
  /** Lets the script find a program, or a stand-in for it. */
  provide(name: string, script?: string): Promise<void>;
  baseUrl: string;
}

interface Result {
  code: number;
  text: string;
}

/** Stands in for the executable: tells its version, and writes down what it is asked. */
function fakeAlmenad(version: string, broken: boolean): string {
  return broken ? "#!/bin/sh\nexit 1\n" : `#!/bin/sh
if [ "$1" = --version ]; then echo "almenad ${version}"; exit 0; fi
echo "${version}: $*" >>"$HOME/calls"
[ ! -e "$HOME/refuse" ]
`;
}

async function withBench(run: (bench: Bench) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "almenad install-"));
  const files = new Map<string, string>();
  const requests: string[] = [];
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const { pathname } = new URL(request.url);
    requests.push(pathname);
    const content = files.get(pathname);
    return content === undefined ? new Response(null, { status: 404 }) : new Response(content);
  });
  const bin = join(folder, "bin");
  const home = join(folder, "home it's");
  await mkdir(bin);
  await mkdir(home);
  const baseUrl = `http://127.0.0.1:${server.addr.port}`;
  const provide = async (name: string, script?: string): Promise<void> => {
    await rm(join(bin, name), { force: true });
    const path = findProgram(name);
    if (script !== undefined) await writeFile(join(bin, name), script, { mode: 0o755 });
    else if (path !== undefined) await symlink(path, join(bin, name));
  };
  for (const tool of [...TOOLS, "curl", "sha256sum"]) await provide(tool);
  const bench: Bench = {
    home,
    requests,
    baseUrl,
    provide,
    env: { HOME: home, PATH: bin, ALMENAD_DOWNLOAD_BASE_URL: baseUrl },
    release: (version, options = {}) => putRelease(files, version, options),
    run: async (...args) => {
      const command = new Deno.Command(join(bin, "sh"), {
        args: [SCRIPT, ...args],
        env: bench.env,
        clearEnv: true,
        cwd: folder,
      });
      const { code, stdout, stderr } = await command.output();
      const decoder = new TextDecoder();
      return { code, text: decoder.decode(stdout) + decoder.decode(stderr) };
    },
  };
  try {
    await run(bench);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function putRelease(
  files: Map<string, string>,
  version: string,
  { broken = false, tamper }: { broken?: boolean; tamper?: "file" | "sums" },
): void {
  const content = fakeAlmenad(version, broken);
  const sum = createHash("sha256").update(content).digest("hex");
  const lines = TARGETS.map((target) => `${sum}  almenad-${target}\n`);
  const sums = tamper === "sums" ? `${sum}  almenad-other\n` : lines.join("");
  for (const folder of ["/latest/download", `/download/v${version}`]) {
    files.set(`${folder}/SHA256SUMS`, sums);
    for (const target of TARGETS) {
      files.set(`${folder}/almenad-${target}`, content + (tamper === "file" ? "# more\n" : ""));
    }
  }
}

async function putData(home: string): Promise<string> {
  const folder = join(home, ".local/share/network.almena.daemon/data");
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "identity.key"), "secret");
  return join(folder, "identity.key");
}

/** Everything below a folder. */
async function listing(folder: string): Promise<string[]> {
  return (await readdir(folder, { recursive: true })).sort();
}

const NEEDS = [program("sh"), program("curl"), program("sha256sum")];

testNeeding(
  [program("shellcheck")],
  "install.sh and the packages' scripts pass shellcheck",
  async () => {
    const folder = fileURLToPath(new URL("../../installers/", import.meta.url));
    const scripts = ["install.sh", "macos/postinstall", "macos/uninstall.sh"]
      .concat(["debian/postinst", "debian/prerm", "debian/postrm"]).map((path) => folder + path);
    const { code, stdout } = await new Deno.Command("shellcheck", { args: scripts }).output();
    assert.equal(code, 0, new TextDecoder().decode(stdout));
  },
);

testNeeding(
  NEEDS,
  "install.sh installs, and a second time upgrades and keeps data",
  () =>
    withBench(async (bench) => {
      bench.release("2026.1.1");
      const first = await bench.run();
      assert.equal(first.code, 0, first.text);
      assert.match(first.text, /Installed almenad 2026\.1\.1: .*\.local\/bin\/almenad/);
      assert.match(first.text, /Add it to your PATH: export PATH=".*\/\.local\/bin:\$PATH"/);
      assert.match(first.text, /almenad daemon install/);
      const installed = join(bench.home, ".local/bin/almenad");
      assert.equal((await stat(installed)).mode & 0o777, 0o755);
      assert.deepEqual(await listing(join(bench.home, ".local")), ["bin", "bin/almenad"]);

      const key = await putData(bench.home);
      bench.release("2026.2.0");
      bench.env["PATH"] += `:${join(bench.home, ".local/bin")}`;
      const second = await bench.run();
      assert.equal(second.code, 0, second.text);
      assert.match(second.text, /Upgraded to almenad 2026\.2\.0/);
      assert.ok(!second.text.includes("PATH"));
      assert.ok((await readFile(installed, "utf8")).includes("2026.2.0"));
      assert.equal(await readFile(key, "utf8"), "secret");
    }),
);

testNeeding(NEEDS, "install.sh --version installs that release", () =>
  withBench(async (bench) => {
    bench.release("2026.1.1-develop");
    for (const args of [["--version", "2026.1.1-develop"], ["--version=v2026.1.1-develop"]]) {
      const result = await bench.run(...args);
      assert.equal(result.code, 0, result.text);
    }
    assert.ok(bench.requests.every((path) => path.startsWith("/download/v2026.1.1-develop/")));
    const missing = await bench.run("--version", "1.0.0");
    assert.equal(missing.code, 1);
    assert.match(missing.text, /cannot download http.*\/download\/v1\.0\.0\/SHA256SUMS/);
    assert.deepEqual(await listing(join(bench.home, ".local/bin")), ["almenad"]);
  }));

testNeeding(
  NEEDS,
  "install.sh refuses a tampered file and leaves nothing",
  () =>
    withBench(async (bench) => {
      for (const tamper of ["file", "sums"] as const) {
        bench.release("2026.1.1", { tamper });
        const result = await bench.run();
        assert.equal(result.code, 1);
        assert.match(result.text, /nothing was installed/);
        assert.deepEqual(await listing(bench.home), [".local", ".local/bin"]);
      }
    }),
);

testNeeding(
  NEEDS,
  "install.sh keeps the old executable when the new one is refused",
  () =>
    withBench(async (bench) => {
      bench.release("2026.1.1");
      assert.equal((await bench.run()).code, 0);
      const installed = join(bench.home, ".local/bin/almenad");
      for (const options of [{ tamper: "file" }, { broken: true }] as const) {
        bench.release("2026.2.0", options);
        const result = await bench.run();
        assert.equal(result.code, 1);
        assert.match(result.text, /nothing was installed/);
        assert.ok((await readFile(installed, "utf8")).includes("2026.1.1"));
        assert.deepEqual(await listing(join(bench.home, ".local/bin")), ["almenad"]);
      }
    }),
);

testNeeding(
  [...NEEDS, program("wget"), program("openssl")],
  "install.sh does with wget, and with shasum or openssl",
  () =>
    withBench(async (bench) => {
      const shasum = `#!/bin/sh\nshift 2\nexec ${findProgram("sha256sum")} "$@"\n`;
      await rm(join(bench.env["PATH"] ?? "", "curl"));
      await rm(join(bench.env["PATH"] ?? "", "sha256sum"));
      bench.release("2026.1.1");
      await bench.provide("wget");
      const none = await bench.run();
      assert.match(none.text, /none of sha256sum, shasum and openssl/);
      for (const [tool, script] of [["openssl"], ["shasum", shasum]] as const) {
        await bench.provide(tool, script);
        const result = await bench.run();
        assert.equal(result.code, 0, result.text);
        await rm(join(bench.env["PATH"] ?? "", tool));
      }
      await bench.provide("openssl");
      bench.release("2026.2.0", { tamper: "file" });
      assert.match((await bench.run()).text, /nothing was installed/);
      await rm(join(bench.env["PATH"] ?? "", "wget"));
      const alone = await bench.run();
      assert.equal(alone.code, 1);
      assert.match(alone.text, /neither curl nor wget/);
      assert.deepEqual(await listing(join(bench.home, ".local/bin")), ["almenad"]);
    }),
);

testNeeding(
  NEEDS,
  "install.sh finds the target, and names the machines it does not serve",
  () =>
    withBench(async (bench) => {
      const uname = (system: string, machine: string) =>
        `#!/bin/sh\ncase $1 in -s) echo ${system} ;; -m) echo ${machine} ;; esac\n`;
      bench.release("2026.1.1");
      const served = [
        ["Linux", "x86_64", "x86_64-unknown-linux-gnu"],
        ["Linux", "aarch64", "aarch64-unknown-linux-gnu"],
        ["Darwin", "arm64", "aarch64-apple-darwin"],
      ] as const;
      for (const [system, machine, target] of served) {
        await bench.provide("uname", uname(system, machine));
        const result = await bench.run();
        assert.equal(result.code, 0, result.text);
        assert.ok(bench.requests.at(-1)?.endsWith(`/almenad-${target}`));
      }
      await bench.provide("uname", uname("Darwin", "x86_64"));
      assert.match((await bench.run()).text, /no almenad for Macs with Intel/);
      await bench.provide("sysctl", "#!/bin/sh\necho 1\n");
      assert.equal((await bench.run()).code, 0);
      await bench.provide("uname", uname("FreeBSD", "amd64"));
      assert.match((await bench.run()).text, /no almenad for FreeBSD on amd64/);
      await bench.provide("uname", uname("Linux", "riscv64"));
      assert.match((await bench.run()).text, /no almenad for Linux on riscv64/);
      await bench.provide("uname", uname("Linux", "x86_64"));
      await bench.provide("ldd", "#!/bin/sh\necho 'musl libc (x86_64)' >&2\nexit 1\n");
      assert.match((await bench.run()).text, /musl instead of glibc/);
    }),
);

testNeeding(
  NEEDS,
  "install.sh restarts a service that runs, and only then",
  () =>
    withBench(async (bench) => {
      bench.release("2026.1.1");
      await bench.provide("systemctl", "#!/bin/sh\nexit 3\n");
      await bench.run();
      await assert.rejects(stat(join(bench.home, "calls")), { code: "ENOENT" });
      await bench.provide("systemctl", "#!/bin/sh\nexit 0\n");
      bench.release("2026.2.0");
      assert.equal((await bench.run()).code, 0);
      assert.equal(await readFile(join(bench.home, "calls"), "utf8"), "2026.2.0: daemon install\n");
    }),
);

testNeeding(
  NEEDS,
  "install.sh --uninstall keeps data, --purge removes it",
  () =>
    withBench(async (bench) => {
      bench.release("2026.1.1");
      await bench.run();
      const key = await putData(bench.home);
      const removed = await bench.run("--uninstall");
      assert.equal(removed.code, 0, removed.text);
      assert.match(removed.text, /Kept data and configuration: /);
      assert.equal(
        await readFile(join(bench.home, "calls"), "utf8"),
        "2026.1.1: daemon uninstall\n",
      );
      assert.deepEqual(await listing(join(bench.home, ".local/bin")), []);
      assert.equal(await readFile(key, "utf8"), "secret");

      const again = await bench.run("--uninstall");
      assert.equal(again.code, 0);
      assert.match(again.text, /Nothing to uninstall/);

      await bench.run();
      const purged = await bench.run("--purge");
      assert.equal(purged.code, 0, purged.text);
      assert.deepEqual(await listing(join(bench.home, ".local")), ["bin", "share"]);
    }),
);

testNeeding(NEEDS, "install.sh --purge goes by XDG_DATA_HOME", () =>
  withBench(async (bench) => {
    await putData(bench.home);
    const other = join(bench.home, "other");
    await mkdir(join(other, "network.almena.daemon"), { recursive: true });
    bench.env["XDG_DATA_HOME"] = other;
    assert.equal((await bench.run("--purge", "--uninstall")).code, 0);
    assert.deepEqual(await listing(other), []);
    assert.ok((await listing(bench.home)).includes(".local/share/network.almena.daemon/data"));
  }));

testNeeding(
  NEEDS,
  "install.sh removes nothing while the service or a daemon resists",
  () =>
    withBench(async (bench) => {
      bench.release("2026.1.1");
      await bench.run();
      const key = await putData(bench.home);
      await writeFile(join(bench.home, "refuse"), "");
      for (const flag of ["--uninstall", "--purge"]) {
        const result = await bench.run(flag);
        assert.equal(result.code, 1);
        assert.match(result.text, /so nothing was/);
      }
      await rm(join(bench.home, "refuse"));
      const lock = join(bench.home, ".local/share/network.almena.daemon/daemon");
      await mkdir(lock);
      await writeFile(join(lock, "daemon.pid"), `${Deno.pid}\n`);
      const running = await bench.run("--purge");
      assert.equal(running.code, 1);
      assert.match(running.text, new RegExp(`runs as process ${Deno.pid}`));
      await stat(join(bench.home, ".local/bin/almenad"));
      assert.equal(await readFile(key, "utf8"), "secret");
    }),
);

testNeeding(
  NEEDS,
  "install.sh downloads over https only, except from this machine",
  () =>
    withBench(async (bench) => {
      bench.release("2026.1.1");
      bench.env["ALMENAD_DOWNLOAD_BASE_URL"] = `${bench.baseUrl}/`;
      assert.equal((await bench.run()).code, 0);
      for (
        const url of ["http://example.org", "http://127.0.0.1.example.org", "ftp://127.0.0.1", "x"]
      ) {
        bench.env["ALMENAD_DOWNLOAD_BASE_URL"] = url;
        const result = await bench.run();
        assert.equal(result.code, 1);
        assert.match(result.text, /only https is allowed/);
      }
    }),
);

testNeeding(
  NEEDS,
  "install.sh refuses wrong use with exit code 2",
  () =>
    withBench(async (bench) => {
      for (
        const args of [["--wrong"], ["--version"], ["--version", ""], ["--version=../../x"], ["x"]]
      ) {
        const result = await bench.run(...args);
        assert.equal(result.code, 2, result.text);
      }
      assert.deepEqual(bench.requests, []);
      assert.deepEqual(await listing(bench.home), []);
      assert.equal((await bench.run("--help")).code, 0);
      bench.env["HOME"] = "";
      assert.match((await bench.run()).text, /HOME is not set/);
    }),
);

testNeeding(NEEDS, "install.sh cut off at any line does nothing", () =>
  withBench(async (bench) => {
    bench.release("2026.1.1");
    const lines = (await readFile(SCRIPT, "utf8")).trimEnd().split("\n");
    for (let count = 1; count < lines.length; count += 7) {
      const half = join(bench.home, "..", "half.sh");
      await writeFile(half, `${lines.slice(0, count).join("\n")}\n`);
      await chmod(half, 0o755);
      await new Deno.Command("sh", { args: [half], env: bench.env, clearEnv: true }).output();
    }
    assert.deepEqual(bench.requests, []);
    assert.deepEqual(await listing(bench.home), []);
  }));
