/** Two instances of one user at once: peers of each other, and strangers in everything else. */
import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ControlClient } from "../support/control_client.ts";
import { type DaemonProcess, runAlmenad, startDaemon } from "../support/daemon.ts";
import { Lan, testInNetns } from "../support/netns.ts";
import { tempFolder } from "../support/temp_folder.ts";

type Line = { Event: Record<string, Record<string, unknown>> };

async function ask<T>(socket: string, kind: "Query" | "Action", method: string, payload = {}) {
  using client = await ControlClient.connect(socket);
  const answer = await client.ask<Record<string, T>>({ [kind]: { method, payload } });
  assert.ok("JsonOk" in answer, JSON.stringify(answer));
  return answer["JsonOk"] as T;
}

async function withoutGeolocation(base: string): Promise<void> {
  await mkdir(join(base, "config"), { recursive: true });
  await writeFile(
    join(base, "config", "config.toml"),
    '[geolocation]\nurl = "http://127.0.0.1:9/"\n',
  );
}

testInNetns("two instances see each other as peers, and nothing of each other's data", async () => {
  await using lan = await Lan.create(["alice"]);
  await using folder = await tempFolder();
  const { namespace } = lan.host("alice");
  await withoutGeolocation(folder.path);
  await withoutGeolocation(join(folder.path, "instances", "dev"));
  const start = (args: string[]) =>
    startDaemon({ netns: namespace, dataDir: folder.path, args, hasDefaultPorts: true });
  await using first = await start([]);
  const sockets = {
    first: join(folder.path, "daemon", "daemon.sock"),
    dev: join(folder.path, "daemon", "daemon-dev.sock"),
  };
  using listener = await ControlClient.connect(sockets.first);
  const types = ["DeviceDiscovered", "DeviceConnected"];
  await listener.ask({ Subscribe: { event_types: types } });
  await using dev = await start(["--instance", "dev"]);
  await checkApart(first, dev);
  const seen = await listener.until<Line>(({ Event: event }) => "DeviceConnected" in event, 20_000);
  assert.deepEqual(
    seen.map(({ Event: event }) => Object.entries(event)[0]).map((entry) => [
      entry?.[0],
      entry?.[1]["device_id"],
    ]),
    types.map((type) => [type, dev.ready.peer_id]),
  );
  const library = { name: "of the first" };
  await ask(sockets.first, "Action", "action:libraries.create.input.v1", library);
  const listed = await ask<{ libraries: { name: string }[] }>(
    ...[sockets.dev, "Query", "query:libraries.list.v1"] as const,
  );
  assert.deepEqual(listed.libraries.map(({ name }) => name), ["default"]);
  const { instances } = await ask<{ instances: { name: string; state: string; pid: number }[] }>(
    ...[sockets.dev, "Query", "query:instances.list.v1"] as const,
  );
  assert.deepEqual(instances.map(({ name, state, pid }) => [name, state, pid]), [
    ["", "running", first.pid],
    ["dev", "running", dev.pid],
  ]);
  await dev.stop();
  const after = await ask<{ instances: { state: string }[] }>(
    ...[sockets.first, "Query", "query:instances.list.v1"] as const,
  );
  assert.deepEqual(after.instances.map(({ state }) => state), ["running", "stopped"]);
});

async function checkApart(first: DaemonProcess, dev: DaemonProcess): Promise<void> {
  assert.notEqual(first.ready.peer_id, dev.ready.peer_id);
  assert.equal(dev.ready.instance, "dev");
  assert.equal(dev.ready.data_dir, join(first.dataDir, "instances", "dev"));
  assert.notEqual(first.ready.rest_addr, dev.ready.rest_addr);
  const tokens = await Promise.all(
    [first, dev].map(({ ready }) =>
      readFile(join(ready.data_dir, "daemon", "admin_token"), "utf8")
    ),
  );
  assert.notEqual(tokens[0], tokens[1]);
}

Deno.test("a name that no instance may have ends with exit code 2 before a file is touched", async () => {
  await using folder = await tempFolder();
  const dataDir = join(folder.path, "data");
  for (const name of ["../x", "a/b", "", "x".repeat(65), "a b"]) {
    const { code, stderr } = await runAlmenad(["--data-dir", dataDir, "--instance", name]);
    assert.equal(code, 2, `${name}: ${stderr}`);
  }
  await assert.rejects(readFile(dataDir), { code: "ENOENT" });
});
