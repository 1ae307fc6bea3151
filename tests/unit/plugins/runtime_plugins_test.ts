import assert from "node:assert/strict";
import { chmod, chown, mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { importRuntimePlugins } from "../../../src/plugins/runtime_plugins.ts";
import { linuxRoot, program, testNeeding } from "../../support/needs.ts";
import { tempFolder } from "../../support/temp_folder.ts";

const MODULE = `export const register = ({ registerPlugin }) => registerPlugin("x", () => null);`;

/** A folder of plugins with one that may be run. */
async function pluginFolder(root: string): Promise<string> {
  const folder = join(root, "config", "plugins");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(join(folder, "x.js"), MODULE, { mode: 0o600 });
  return folder;
}

async function refusals(folder: string): Promise<(string | undefined)[]> {
  const plugins = await importRuntimePlugins({ folder, isEnabled: true, list: [] });
  return plugins.map(({ refused }) => refused);
}

async function refusal(folder: string): Promise<string> {
  const [reason = ""] = await refusals(folder);
  return reason;
}

const posix = { name: "POSIX file rights", isMet: process.platform !== "win32" };

testNeeding([posix], "importRuntimePlugins() runs what belongs to us alone", async () => {
  await using root = await tempFolder();
  const folder = await pluginFolder(root.path);
  const path = join(folder, "x.js");
  assert.equal(await refusal(folder), "");
  for (const mode of [0o644, 0o640, 0o602, 0o604]) {
    await chmod(path, mode);
    assert.match(await refusal(folder), /others may use .*x\.js.*chmod 600/);
  }
  await chmod(path, 0o600);
  for (const mode of [0o770, 0o707, 0o1777]) {
    await chmod(folder, mode);
    assert.match(await refusal(folder), /others may use .*plugins .*chmod 700/);
  }
  await chmod(folder, 0o755);
  await writeFile(join(folder, "x.json"), "{}");
  await chmod(join(folder, "x.json"), 0o666);
  assert.match(await refusal(folder), /others may use .*x\.json.*chmod go-w/);
  await chmod(join(folder, "x.json"), 0o644);
  assert.equal(await refusal(folder), "");
});

testNeeding([posix], "importRuntimePlugins() follows no link, and waits at no pipe", async () => {
  await using root = await tempFolder();
  const folder = await pluginFolder(root.path);
  const path = join(folder, "x.js");
  await rename(path, join(root.path, "elsewhere.js"));
  await symlink(join(root.path, "elsewhere.js"), path);
  assert.match(await refusal(folder), /is a link/);
  await rm(path);
  await mkdir(path);
  assert.match(await refusal(folder), /is no file/);
  await rm(path, { recursive: true });
  await rename(join(root.path, "elsewhere.js"), path);
  await symlink("/etc/passwd", join(folder, "x.json"));
  assert.match(await refusal(folder), /x\.json is a link/);
  await rm(join(folder, "x.json"));
  await rename(folder, join(root.path, "real"));
  await symlink(join(root.path, "real"), folder);
  assert.match(await refusal(folder), /plugins is a link/);
});

testNeeding([posix, program("mkfifo")], "importRuntimePlugins() opens no pipe", async () => {
  await using root = await tempFolder();
  const folder = await pluginFolder(root.path);
  const path = join(folder, "pipe.js");
  await new Deno.Command("mkfifo", { args: ["-m", "600", path] }).output();
  const [pipe, own] = await refusals(folder);
  assert.match(pipe ?? "", /pipe\.js is no file/);
  assert.equal(own, undefined);
});

testNeeding(
  [posix],
  "importRuntimePlugins() trusts no way to the folder that others could change meanwhile",
  async () => {
    await using root = await tempFolder();
    const open = join(root.path, "open");
    await mkdir(open);
    const folder = await pluginFolder(join(open, "data"));
    for (const mode of [0o777, 0o775]) {
      await chmod(open, mode);
      assert.match(await refusal(folder), /others may change .*open .*chmod go-w .*open$/);
    }
    await chmod(open, 0o1777); // as /tmp is
    assert.equal(await refusal(folder), "");
  },
);

testNeeding([linuxRoot()], "importRuntimePlugins() runs nothing of another user", async () => {
  await using root = await tempFolder();
  const data = join(root.path, "data");
  const folder = await pluginFolder(data);
  for (const path of [join(folder, "x.js"), folder, data]) {
    await chown(path, 12_345, 12_345);
    assert.match(await refusal(folder), /belongs to another user/, path);
    await chown(path, 0, 0);
  }
  assert.equal(await refusal(folder), "");
});

Deno.test("importRuntimePlugins() names what it cannot load", async () => {
  await using root = await tempFolder();
  const folder = await pluginFolder(root.path);
  const load = (list: string[] = []) => importRuntimePlugins({ folder, isEnabled: true, list });
  await assert.rejects(load(["y"]), /y\.js: there is no such file/);
  await writeFile(join(folder, "x.json"), "[");
  await assert.rejects(load(), /x\.json/);
  await writeFile(join(folder, "x.json"), JSON.stringify({ text: "x".repeat(1_048_576) }));
  await assert.rejects(load(), /x\.json: it has over 1048576 bytes/);
  await rm(join(folder, "x.json"));
  await writeFile(join(folder, "z.js"), "export const nothing = 1;", { mode: 0o600 });
  await assert.rejects(load(), /z\.js: it exports no function "register"/);
  assert.deepEqual(await importRuntimePlugins({ folder, isEnabled: false, list: [] }), []);
  const nowhere = join(root.path, "nowhere");
  assert.deepEqual(await importRuntimePlugins({ folder: nowhere, isEnabled: true, list: [] }), []);
});
