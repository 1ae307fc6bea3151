import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { controlPlaces, listenLocal } from "../../../../src/core/mod.ts";
import { ControlClient } from "../../../support/control_client.ts";
import { openControl } from "../../../support/control_fixture.ts";
import { tempFolder } from "../../../support/temp_folder.ts";
import { waitFor } from "../../../support/wait.ts";

const isWindows = Deno.build.os === "windows";
const unixTest = (name: string, fn: () => Promise<void>) =>
  Deno.test({ name, ignore: isWindows, fn });

async function modeOf(path: string): Promise<string> {
  return ((await stat(path)).mode & 0o777).toString(8);
}

unixTest("ControlServer's folder is 0700 and its socket 0600, whatever the umask", async () => {
  const before = Deno.umask(0);
  try {
    await using control = await openControl();
    assert.equal(await modeOf(dirname(control.place.socket)), "700");
    assert.equal(await modeOf(control.place.socket), "600");
    assert.equal(Deno.umask(), 0, "the umask is as it was");
  } finally {
    Deno.umask(before);
  }
});

unixTest("ControlServer's socket is this user's alone from its first moment", async () => {
  const before = Deno.umask(0);
  try {
    await using control = await openControl({ start: false });
    await mkdir(dirname(control.place.socket), { mode: 0o777 });
    const modes = new Set<string>();
    let isWatching = true;
    const watch = (async () => {
      while (isWatching) {
        modes.add(await modeOf(control.place.socket).catch(() => "none"));
      }
    })();
    for (let round = 0; round < 20; round++) {
      await control.server.start();
      await control.server.stop();
    }
    isWatching = false;
    await watch;
    modes.delete("none");
    assert.deepEqual([...modes].filter((mode) => !mode.endsWith("00")), []);
  } finally {
    Deno.umask(before);
  }
});

unixTest("ControlServer puts the rights of its folder right", async () => {
  await using control = await openControl({ start: false });
  await mkdir(dirname(control.place.socket), { mode: 0o755 });
  await control.server.start();
  assert.equal(await modeOf(dirname(control.place.socket)), "700");
});

unixTest("ControlServer never takes a live socket from its owner", async () => {
  await using control = await openControl({ start: false });
  await mkdir(dirname(control.place.socket));
  const owner = await listenLocal({ path: control.place.socket }, (socket) => {
    socket.on("error", () => undefined); // who only looks whether somebody lives leaves at once
    socket.end('"Pong"\n');
    socket.resume();
  });
  await assert.rejects(control.server.start(), { code: "already_exists" });
  using client = await ControlClient.connect(control.place.socket);
  assert.equal(await client.nextLine(), '"Pong"');
  await client.closed;
  await owner.close();
});

unixTest("ControlServer removes a stale socket, and its own at stop", async () => {
  await using control = await openControl({ start: false });
  const { socket } = control.place;
  await mkdir(dirname(socket));
  // A process that was killed leaves its socket behind.
  const code = `require("node:net").createServer().listen(${JSON.stringify(socket)}, () => ` +
    `process.kill(process.pid, "SIGKILL"))`;
  await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--ext=cjs", code],
    env: { NO_COLOR: "1" },
    stderr: "null",
  }).output();
  await waitFor("the stale socket", () => stat(socket).then(() => true, () => false));
  await control.server.start();
  assert.equal(await (await control.connect()).ask("Ping"), "Pong");
  await control.server.stop();
  assert.deepEqual(await readdir(dirname(socket)), []);
});

unixTest("ControlServer leaves alone what is no socket", async () => {
  await using control = await openControl({ start: false });
  const { socket } = control.place;
  await mkdir(dirname(socket));
  await writeFile(socket, "precious");
  await assert.rejects(control.server.start(), { code: "failed_precondition" });
  assert.equal(await readFile(socket, "utf8"), "precious");
});

unixTest("ControlServer does not follow a link in the place of its socket", async () => {
  await using control = await openControl({ start: false });
  const { socket } = control.place;
  await mkdir(dirname(socket));
  await symlink(join(control.folder, "elsewhere"), socket);
  await assert.rejects(control.server.start(), { code: "failed_precondition" });
});

unixTest("ControlServer with a path too long listens elsewhere and says where", async () => {
  await using control = await openControl({ socket: `${"long-".repeat(25)}/daemon/daemon.sock` });
  const { place } = control;
  assert.match(place.socket, /\/almenad-[0-9a-f]{12}\.sock$/);
  assert.ok(Buffer.byteLength(place.socket) <= 100);
  assert.equal(await readFile(place.pathFile!, "utf8"), `${place.socket}\n`);
  assert.equal(await modeOf(place.socket), "600");
  assert.equal(await (await control.connect()).ask("Ping"), "Pong");
  await control.server.stop();
  await assert.rejects(stat(place.pathFile!), { code: "ENOENT" });
  await assert.rejects(stat(place.socket), { code: "ENOENT" });
});

Deno.test("controlPlaces() counts bytes, and prefers the folder of the session", async () => {
  await using temp = await tempFolder();
  const input = { runtimeDir: "/run/user/1", tempDir: "/tmp" };
  const exact = `/${"a".repeat(94)}.sock`;
  assert.equal(controlPlaces(exact, input).socket, exact);
  const long = `/${"a".repeat(95)}.sock`;
  assert.match(controlPlaces(long, input).socket, /^\/run\/user\/1[\/\\]almenad-/);
  assert.match(controlPlaces(long, { tempDir: temp.path }).socket, /almenad-[0-9a-f]{12}\.sock$/);
  assert.notEqual(controlPlaces(`/${"ü".repeat(60)}.sock`, input).pathFile, undefined);
  assert.notEqual(
    controlPlaces(`${long}1`, input).socket,
    controlPlaces(`${long}2`, input).socket,
  );
});

Deno.test("ControlServer over TCP serves only who shows the token first", async () => {
  await using control = await openControl({ usesTcp: true });
  const { port, token } = JSON.parse(await readFile(control.place.portFile, "utf8"));
  assert.deepEqual(control.server.endpoints(), [{ host: "127.0.0.1", port }]);
  assert.match(token, /^[0-9a-f]{64}$/);
  if (!isWindows) assert.equal(await modeOf(control.place.portFile), "600");
  const friend = await control.connect();
  friend.send({ Auth: token });
  assert.equal(await friend.ask("Ping"), "Pong");
  for (const line of ['"Ping"', '{"Auth":"0"}', `{"Auth":"${token}0"}`, "{", '{"Auth":1}']) {
    const stranger = await control.connect();
    stranger.write(`${line}\n"Ping"\n`);
    assert.match(await stranger.nextLine(), /^\{"Error":\{"SecurityError":/, line);
    await stranger.closed;
    assert.deepEqual(stranger.lines, []);
  }
  await control.server.stop();
  await assert.rejects(stat(control.place.portFile), { code: "ENOENT" });
});
