import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Client, connect, lastLogLines } from "../../../src/client/mod.ts";
import { dataDirs } from "../../../src/core/mod.ts";
import { tempFolder } from "../../support/temp_folder.ts";

const VERSION = { version: "1.2.3", commit: "", build_time: "", runtime: "2.9.3" };

Deno.test("Client answers from disk what it can, and says so", async () => {
  await using folder = await tempFolder();
  const library = { id: "music", name: "Music", dir: "/music", is_open: true };
  await mkdir(join(folder.path, "data"));
  await writeFile(
    join(folder.path, "data", "libraries.json"),
    JSON.stringify({ libraries: [{ ...library, locations: [] }] }),
  );
  await using client = await connect({ dataDir: folder.path, offline: true, version: VERSION });
  assert.deepEqual(await client.query("libraries.list"), { libraries: [library], offline: true });
  assert.deepEqual(await client.query("core.version"), { ...VERSION, offline: true });
  const status = await client.query("core.status");
  assert.deepEqual([status.offline, status.data_dir, status.pid], [true, folder.path, 0]);
  await assert.rejects(client.query("network.peers"), /daemon not running/);
  await assert.rejects(client.action("libraries.create", { name: "x" }), /daemon not running/);
});

Deno.test("Client does not answer from disk unless that is wanted", async () => {
  await using folder = await tempFolder();
  await using client = new Client({ dataDir: folder.path });
  await assert.rejects(client.query("libraries.list"), /daemon not running/);
});

Deno.test("lastLogLines() gives the last whole lines that are wanted", async () => {
  await using folder = await tempFolder();
  const dirs = dataDirs({
    platform: "linux",
    isDev: false,
    dataDir: folder.path,
    env: {},
    cwd: "/",
  });
  assert.deepEqual(await lastLogLines(dirs, 5), []);
  await mkdir(dirs.logs);
  const lines = ["info", "error", "info", "error"].map((level, at) =>
    JSON.stringify({ timestamp: `${at}`, level, target: "core", message: `m${at}` })
  );
  await writeFile(join(dirs.logs, "daemon.log"), `${lines.join("\n")}\n{"timestamp":"cut`);
  const messages = async (count: number, level?: string) =>
    (await lastLogLines(dirs, count, (line) => !level || line.level === level))
      .map(({ message }) => message);
  assert.deepEqual(await messages(2), ["m2", "m3"]);
  assert.deepEqual(await messages(9, "error"), ["m1", "m3"]);
  assert.deepEqual(await messages(0), []);
});
