/** The service registered with a real systemd user manager. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { ServiceManager } from "../../src/system/service_manager.ts";
import { UNIT_NAME } from "../../src/system/systemd.ts";
import { type Need, testNeeding } from "../support/needs.ts";
import { SystemdSession, systemdSession } from "../support/systemd_session.ts";

const DAEMON = new URL("../support/notify_daemon.ts", import.meta.url).pathname;
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;
const datagrams: Need = { name: "--unstable-net", isMet: "listenDatagram" in Deno };
const NEEDS = [datagrams, ...systemdSession()];

function serviceIn(session: SystemdSession, env: Record<string, string> = {}): ServiceManager {
  const flags = ["run", "--unstable-net", "--allow-all", "--no-check", "--config", CONFIG];
  return new ServiceManager({ run: session.run }, {
    target: {
      platform: "linux",
      executable: Deno.execPath(),
      args: [...flags, DAEMON, session.home],
      home: session.home,
      env,
      uid: 0,
    },
  });
}

/** Waits for a unit's property to have a value. */
async function until(session: SystemdSession, property: string, value: string): Promise<void> {
  const deadline = performance.now() + 30_000;
  for (let now = ""; now !== value;) {
    now = await session.property(UNIT_NAME, property);
    assert.ok(performance.now() < deadline || now === value, `${property} stays ${now}`);
    if (now !== value) await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** A short restart wait and watchdog, so that the test need not wait as long as people do. */
async function hasten(session: SystemdSession, lines: string): Promise<void> {
  const folder = join(session.home, ".config/systemd/user", `${UNIT_NAME}.d`);
  await Deno.mkdir(folder, { recursive: true });
  await writeFile(join(folder, "test.conf"), `[Service]\n${lines}`);
}

testNeeding(
  NEEDS,
  "almenad.service is installed, reloaded, upgraded and uninstalled under systemd",
  async () => {
    await using session = await SystemdSession.start();
    const service = serviceIn(session);
    assert.equal((await service.status()).state, "not_installed");

    assert.equal((await service.install()).done, "installed");
    const status = await service.status();
    assert.equal(status.state, "running");
    assert.match(status.detail, /^active \(running\), enabled, port \d+, data in home$/);

    assert.equal((await session.run(["systemctl", "--user", "reload", UNIT_NAME])).code, 0);
    await until(session, "StatusText", "reloads 1");

    const data = { XDG_DATA_HOME: join(session.home, "50% $data") };
    assert.equal((await serviceIn(session, data).install()).done, "upgraded");
    const upgraded = await service.status();
    assert.ok(upgraded.detail.endsWith(`data in ${data.XDG_DATA_HOME}`), upgraded.detail);
    assert.notEqual(upgraded.pid, status.pid);

    const begun = performance.now();
    assert.equal((await service.uninstall()).done, "uninstalled");
    assert.ok(performance.now() - begun < 5_000);
    assert.equal((await service.status()).state, "not_installed");
    assert.equal((await service.uninstall()).done, "nothing");
  },
);

testNeeding(
  NEEDS,
  "almenad.service is restarted after a crash, and not after exit codes a restart cannot cure",
  async () => {
    await using session = await SystemdSession.start();
    await hasten(session, "RestartSec=100ms\n");
    const service = serviceIn(session);
    await service.install();
    const { pid } = await service.status();
    await session.run(["systemctl", "--user", "kill", "--signal=SIGKILL", UNIT_NAME]);
    await until(session, "NRestarts", "1");
    await until(session, "ActiveState", "active");
    assert.notEqual((await service.status()).pid, pid);

    for (const code of [2, 3, 5, 6]) {
      await writeFile(join(session.home, "orders"), `EXIT_WITH=${code}\n`);
      await assert.rejects(service.install(), {
        code: "failed_precondition",
        message: /daemon logs/,
      });
      const failed = await service.status();
      assert.deepEqual([failed.state, failed.exitCode], ["failed", code]);
      assert.equal(await session.property(UNIT_NAME, "NRestarts"), "0");
    }
    await writeFile(join(session.home, "orders"), "");
    await service.install();
    assert.equal((await service.status()).state, "running");
  },
);

testNeeding(NEEDS, "almenad.service is restarted when its signs of life stop", async () => {
  await using session = await SystemdSession.start();
  await hasten(session, "RestartSec=100ms\nWatchdogSec=2\n");
  const service = serviceIn(session);
  await service.install();
  const { pid } = await service.status();
  const signs = new Set<string>();
  const deadline = performance.now() + 30_000;
  while (signs.size < 5) { // a sign a second, so that two whole spans pass
    signs.add(await session.property(UNIT_NAME, "WatchdogTimestampMonotonic"));
    assert.ok(performance.now() < deadline);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.equal((await service.status()).pid, pid);
  await writeFile(join(session.home, "orders"), "HANG\n");
  await service.install();
  await until(session, "NRestarts", "1");
});

const EXECUTABLE = process.env["ALMENAD_EXECUTABLE"];
const executable: Need = { name: "executable", isMet: EXECUTABLE !== undefined };

testNeeding(
  [executable, ...systemdSession()],
  "the executable installs itself as a service, becomes ready, reloads and is uninstalled with its data kept",
  async () => {
    await using session = await SystemdSession.start();
    const almenad = async (...args: string[]) => {
      const { code, stdout, stderr } = await session.run([EXECUTABLE ?? "", ...args]);
      return { code, text: stdout + stderr };
    };
    const absent = await almenad("daemon", "status");
    assert.equal(absent.code, 4, absent.text);

    const installed = await almenad("daemon", "install");
    assert.equal(installed.code, 0, installed.text);
    const status = await almenad("daemon", "status", "--format", "json");
    assert.equal(status.code, 0, status.text);
    assert.equal(JSON.parse(status.text).state, "running");
    const data = join(session.home, ".local/share/network.almena.daemon");
    const identity = await readFile(join(data, "data/identity.key"));

    assert.equal((await session.run(["systemctl", "--user", "reload", UNIT_NAME])).code, 0);
    assert.equal((await session.run(["systemctl", "--user", "is-active", UNIT_NAME])).code, 0);
    assert.equal(await session.property(UNIT_NAME, "NRestarts"), "0");

    const again = await almenad("daemon", "install");
    assert.equal(again.code, 0, again.text);
    const removed = await almenad("daemon", "uninstall");
    assert.equal(removed.code, 0, removed.text);
    assert.deepEqual(await readFile(join(data, "data/identity.key")), identity);
    assert.deepEqual(
      await Array.fromAsync(Deno.readDir(join(data, "daemon")), ({ name }) => name),
      ["admin_token"],
    );
    const nothing = await almenad("daemon", "uninstall");
    assert.equal(nothing.code, 0);
    assert.match(nothing.text, /Nothing to uninstall/);
  },
);
