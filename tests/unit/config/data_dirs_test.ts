import assert from "node:assert/strict";
import { dataDirs, type DataDirsInput } from "../../../src/config/mod.ts";

function dirs(input: Partial<DataDirsInput> & { platform: string }) {
  const home = input.platform === "win32" ? "C:\\Users\\ada" : "/home/ada";
  const cwd = input.platform === "win32" ? "C:\\work" : "/work";
  return dataDirs({ isDev: false, env: {}, home, cwd, ...input });
}

Deno.test("dataDirs() follows each system's custom", () => {
  const table: [Partial<DataDirsInput> & { platform: string }, base: string][] = [
    [{ platform: "linux" }, "/home/ada/.local/share/network.almena.daemon"],
    [
      { platform: "linux", env: { XDG_DATA_HOME: "/mnt/data" } },
      "/mnt/data/network.almena.daemon",
    ],
    [
      { platform: "linux", env: { XDG_DATA_HOME: "" } },
      "/home/ada/.local/share/network.almena.daemon",
    ],
    [{ platform: "darwin" }, "/home/ada/Library/Application Support/network.almena.daemon"],
    [
      { platform: "win32", env: { APPDATA: "D:\\Roaming" } },
      "D:\\Roaming\\network.almena.daemon",
    ],
    [{ platform: "win32" }, "C:\\Users\\ada\\AppData\\Roaming\\network.almena.daemon"],
  ];
  for (const [input, base] of table) assert.equal(dirs(input).base, base);
});

Deno.test("dataDirs() is ./workspace with --dev, unless ALMENAD_DATA_DIR says otherwise", () => {
  assert.equal(dirs({ platform: "linux", isDev: true }).base, "/work/workspace");
  assert.equal(dirs({ platform: "win32", isDev: true }).base, "C:\\work\\workspace");
  const env = { ALMENAD_DATA_DIR: "/tmp/mine" };
  assert.equal(dirs({ platform: "linux", isDev: true, env }).base, "/tmp/mine");
});

Deno.test("dataDirs() ignores ALMENAD_DATA_DIR without --dev", () => {
  const env = { ALMENAD_DATA_DIR: "/tmp/mine" };
  const { base } = dirs({ platform: "linux", env });
  assert.equal(base, "/home/ada/.local/share/network.almena.daemon");
});

Deno.test("dataDirs() takes --data-dir in both modes, from the working folder if relative", () => {
  for (const isDev of [false, true]) {
    const env = { ALMENAD_DATA_DIR: "/tmp/mine", XDG_DATA_HOME: "/mnt" };
    assert.equal(dirs({ platform: "linux", isDev, env, dataDir: "/srv/a" }).base, "/srv/a");
    assert.equal(dirs({ platform: "linux", isDev, env, dataDir: "b" }).base, "/work/b");
  }
});

Deno.test("dataDirs() has four folders inside, and the control socket in one of them", () => {
  assert.deepEqual(dirs({ platform: "linux", dataDir: "/a" }), {
    root: "/a",
    instance: "",
    base: "/a",
    data: "/a/data",
    config: "/a/config",
    logs: "/a/logs",
    daemon: "/a/daemon",
    controlSocket: "/a/daemon/daemon.sock",
  });
  assert.equal(dirs({ platform: "win32", dataDir: "E:\\a" }).logs, "E:\\a\\logs");
});

Deno.test("dataDirs() gives a named instance folders of its own, and a socket beside the default one", () => {
  assert.deepEqual(dirs({ platform: "linux", dataDir: "/a", instance: "dev" }), {
    root: "/a",
    instance: "dev",
    base: "/a/instances/dev",
    data: "/a/instances/dev/data",
    config: "/a/instances/dev/config",
    logs: "/a/instances/dev/logs",
    daemon: "/a/instances/dev/daemon",
    controlSocket: "/a/daemon/daemon-dev.sock",
  });
});

Deno.test("dataDirs() refuses a name that no instance may have", () => {
  for (const instance of ["", "../x", "a/b", "a b", ".", "ä", "x".repeat(65), "a\0"]) {
    assert.throws(() => dirs({ platform: "linux", dataDir: "/a", instance }), {
      code: "invalid_argument",
    });
  }
  assert.equal(dirs({ platform: "linux", instance: "x".repeat(64) }).instance, "x".repeat(64));
});

Deno.test("dataDirs() refuses an empty --data-dir", () => {
  const input = {
    platform: "linux",
    isDev: false,
    dataDir: "",
    env: {},
    home: "/home/a",
    cwd: "/",
  };
  assert.throws(() => dataDirs(input), /Cannot use --data-dir "": it names no folder/);
});
