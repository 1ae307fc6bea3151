/** The Windows service and the Windows Installer package, in Wine. */
import assert from "node:assert/strict";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync } from "node:fs";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { buildMsi } from "../../installers/windows/build_msi.ts";
import { compileFor, denort, WINDOWS_TARGET, windowsDaemon } from "../support/compiler.ts";
import { licenses } from "../support/licenses.ts";
import { LineProcess } from "../support/line_process.ts";
import { fullSize, linuxRoot, program, testNeeding } from "../support/needs.ts";
import { Lan } from "../support/netns.ts";
import { last, queryService, waitForService } from "../support/wine/services.ts";
import { wine, WineMachine } from "../support/wine/wine_machine.ts";

const NEEDS = [wine, denort(WINDOWS_TARGET)];
const DAEMON_NEEDS = [...NEEDS, program("wixl"), program("msibuild"), program("curl")];
const LAN_NEEDS = [...NEEDS, linuxRoot(), program("curl")];
const SERVICE = "AlmenaD";
/** Wine leaves out the quotes that Windows Installer puts round the service's path. */
const FOLDER = "C:\\Almena";
const DATA = "users/root/AppData/Roaming/network.almena.daemon";
const REST = "http://127.0.0.1:8080";
const PEERS = `${REST}/api/v1/network/peers`;
const FOUND_TIMEOUT_MS = 20_000;

const built = new Map<string, string>();
const outDir = mkdtempSync(join(tmpdir(), "almenad-windows-"));
globalThis.addEventListener("unload", () => rmSync(outDir, { recursive: true, force: true }));

/** Builds once for all tests of this file. */
async function once(name: string, build: (path: string) => string | Promise<string>) {
  const path = built.get(name) ?? await build(join(outDir, name));
  built.set(name, path);
  return path;
}

const fixture = () =>
  once(
    "fixture.exe",
    (path) => compileFor(WINDOWS_TARGET, "tests/support/wine/service_fixture.ts", path),
  );
const daemon = () => once("almenad.exe", windowsDaemon);
const msi = (version: string, executable: () => Promise<string>) =>
  once(version, async () => {
    const init = { executable: await executable(), version, outDir };
    return await buildMsi({ ...init, licenseDir: licenses(outDir) });
  });

/** Runs Windows Installer, silently, on a package of ours. */
async function msiexec(windows: WineMachine, action: "/i" | "/x", path: string): Promise<void> {
  const name = basename(path);
  copyFileSync(path, join(windows.driveC, name));
  const result = await windows.run("msiexec", action, `C:\\${name}`, "/qn", `INSTALLDIR=${FOLDER}`);
  assert.equal(result.code, 0, `msiexec ${action} ${name}: ${result.stdout}${result.stderr}`);
}

/** A Windows with the fixture as a service that is not started yet. */
async function withFixture(options: string): Promise<WineMachine> {
  const windows = await WineMachine.start();
  copyFileSync(await fixture(), join(windows.driveC, "fixture.exe"));
  const command = `C:\\fixture.exe service-run ${options}`;
  const { code } = await windows.run("sc", "create", SERVICE, "binPath=", command);
  assert.equal(code, 0);
  return windows;
}

testNeeding(
  [...NEEDS, fullSize()],
  "the service is running once ready, and stopped once ended",
  async () => {
    await using windows = await withFixture("notes=C:\\notes.txt start_ms=2500 stop_ms=2500");
    assert.equal((await windows.run("sc", "start", SERVICE)).code, 0);
    const starting = await waitForService(windows, SERVICE, "RUNNING");
    assert.equal(starting[0]?.state, "START_PENDING");
    assert.ok((starting.at(-2)?.checkpoint ?? 0) >= 2, "a sign of life each second");

    assert.equal((await windows.run("sc", "stop", SERVICE)).code, 0);
    const stopping = await waitForService(windows, SERVICE, "STOPPED");
    assert.equal(stopping[0]?.state, "STOP_PENDING");
    assert.ok((stopping.at(-2)?.checkpoint ?? 0) >= 2, "a sign of life each second");
    assert.equal(last(stopping).win32ExitCode, 0);

    const notes = readFileSync(join(windows.driveC, "notes.txt"), "utf8").trim().split("\n");
    assert.deepEqual(notes, ["begun", "listening", "native code prompt", "stopping", "ended"]);
  },
);

testNeeding(
  [...NEEDS, fullSize()],
  "the service tells an exit code after which it must not restart",
  async () => {
    await using windows = await withFixture("exit=3 start_ms=500");
    await windows.run("sc", "start", SERVICE);
    const view = last(await waitForService(windows, SERVICE, "STOPPED"));
    assert.equal(view.win32ExitCode, 1066, "ERROR_SERVICE_SPECIFIC_ERROR: it stopped by itself");
    assert.equal(view.serviceExitCode, 3);
  },
);

testNeeding(
  [...NEEDS, fullSize()],
  "the service ends without a word after exit code 70",
  async () => {
    await using windows = await withFixture("exit=70 start_ms=500");
    await windows.run("sc", "start", SERVICE);
    await waitUntil("the process ends", async () => {
      return !(await windows.run("tasklist")).stdout.includes("fixture.exe");
    });
    // Windows would call this a crash and restart it; Wine does not look after its services.
    assert.equal((await queryService(windows, SERVICE)).state, "START_PENDING");
  },
);

testNeeding(
  [...NEEDS, fullSize()],
  "service-run outside the Service Control Manager says so",
  async () => {
    await using windows = await WineMachine.start();
    copyFileSync(await fixture(), join(windows.driveC, "fixture.exe"));
    const { code, stderr } = await windows.run("C:\\fixture.exe", "service-run");
    assert.equal(code, 1);
    assert.match(stderr, /error 1063.*almenad run/);
  },
);

testNeeding(DAEMON_NEEDS, "the .msi installs, upgrades and removes the daemon", async () => {
  await using windows = await WineMachine.start();
  const status = async () => {
    const text = await windows.fetch(`${REST}/status`);
    return JSON.parse(text) as { status: string; peer_id: string };
  };

  await msiexec(windows, "/i", await msi("2026.1.1-develop", daemon));
  await waitForService(windows, SERVICE, "RUNNING");
  const first = await status();
  assert.equal(first.status, "ok");

  assert.equal((await windows.run("sc", "stop", SERVICE)).code, 0);
  const stopped = last(await waitForService(windows, SERVICE, "STOPPED"));
  assert.equal(stopped.win32ExitCode, 0);
  assert.equal((await windows.run("sc", "start", SERVICE)).code, 0);
  await waitForService(windows, SERVICE, "RUNNING");
  assert.equal((await status()).peer_id, first.peer_id, "the identity stays");

  await msiexec(windows, "/i", await msi("2026.1.2-develop", daemon));
  await waitForService(windows, SERVICE, "RUNNING");
  assert.equal((await status()).peer_id, first.peer_id, "an upgrade keeps data");

  await msiexec(windows, "/x", await msi("2026.1.2-develop", daemon));
  assert.equal((await queryService(windows, SERVICE)).state, "NONE");
  assert.equal(existsSync(join(windows.driveC, "Almena", "almenad.exe")), false);
  assert.ok(existsSync(join(windows.driveC, DATA, "data", "identity.key")), "data stays");
});

testNeeding(
  [...NEEDS, fullSize()],
  "a damaged identity ends the service for good, with exit code 6",
  async () => {
    await using windows = await WineMachine.start();
    copyFileSync(await daemon(), join(windows.driveC, "almenad.exe"));
    const folder = join(windows.driveC, DATA, "data");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "identity.key"), "damaged");
    await windows.run("sc", "create", SERVICE, "binPath=", "C:\\almenad.exe service-run");
    await windows.run("sc", "start", SERVICE);
    const view = last(await waitForService(windows, SERVICE, "STOPPED"));
    assert.deepEqual([view.win32ExitCode, view.serviceExitCode], [1066, 6]);
  },
);

testNeeding(
  [...DAEMON_NEEDS, fullSize()],
  "the .msi removes the file of a process that lingers",
  async () => {
    await using windows = await WineMachine.start();
    const path = await msi("2026.1.1-alpha", fixture);
    await msiexec(windows, "/i", path);
    await waitForService(windows, SERVICE, "RUNNING");
    await windows.run("sc", "stop", SERVICE);
    await waitForService(windows, SERVICE, "STOPPED");
    await windows.run("sc", "delete", SERVICE);
    const command = `${FOLDER}\\almenad.exe service-run linger_ms=4000`;
    assert.equal((await windows.run("sc", "create", SERVICE, "binPath=", command)).code, 0);
    await windows.run("sc", "start", SERVICE);
    await waitForService(windows, SERVICE, "RUNNING");

    await msiexec(windows, "/x", path);
    assert.equal((await queryService(windows, SERVICE)).state, "NONE");
    assert.equal(existsSync(join(windows.driveC, "Almena", "almenad.exe")), false);
  },
);

testNeeding(
  [...LAN_NEEDS, fullSize()],
  "a daemon on Windows and one on Linux find each other",
  async () => {
    await using lan = await Lan.create(["win", "linux"]);
    await using windows = await WineMachine.start(lan.host("win").namespace);
    copyFileSync(await daemon(), join(windows.driveC, "almenad.exe"));
    await windows.run("sc", "create", SERVICE, "binPath=", "C:\\almenad.exe service-run");
    await windows.run("sc", "start", SERVICE);
    await waitForService(windows, SERVICE, "RUNNING");
    const folder = mkdtempSync(join(outDir, "data-"));
    await using linux = new LineProcess({
      command: [Deno.execPath(), "run", "-A", "main.ts", "--format", "json", "--data-dir", folder],
      netns: lan.host("linux").namespace,
    });
    const linuxId = await linux.waitFor("ready line", (line) => {
      return /"peer_id":"(\w+)"/.exec(line)?.[1];
    }, FOUND_TIMEOUT_MS);
    const { peer_id: windowsId } = JSON.parse(await windows.fetch(`${REST}/status`));
    const isConnected = (answer: string, id: string) =>
      (JSON.parse(answer) as { peers: Peer[] }).peers.some((peer) =>
        peer.peer_id === id && peer.is_connected
      );
    await waitUntil("Linux is connected to Windows", async () => {
      const { stdout } = await lan.run("linux", ["curl", "-sS", "--max-time", "10", PEERS]);
      return isConnected(stdout, windowsId);
    });
    await waitUntil("Windows is connected to Linux", async () => {
      return isConnected(await windows.fetch(PEERS), linuxId);
    });
  },
);

interface Peer {
  peer_id: string;
  is_connected: boolean;
}

/** Waits for a claim to become true. */
async function waitUntil(claim: string, isTrue: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + FOUND_TIMEOUT_MS;
  while (!await isTrue()) {
    assert.ok(performance.now() < deadline, `not within ${FOUND_TIMEOUT_MS} ms: ${claim}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
