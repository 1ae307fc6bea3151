import assert from "node:assert/strict";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import {
  AlreadyRunningError,
  DataLock,
  makeFolders,
  readPid,
} from "../../../src/system/data_lock.ts";
import { LineProcess } from "../../support/line_process.ts";
import { tempFolder } from "../../support/temp_folder.ts";

const HOLDER = fileURLToPath(new URL("../../support/lock_holder.ts", import.meta.url));
const CONFIG = fileURLToPath(new URL("../../../deno.json", import.meta.url));

function foldersIn(base: string) {
  return { base, daemon: join(base, "daemon") };
}

/** Another process that owns the folder. */
async function startHolder(base: string): Promise<LineProcess> {
  const flags = ["run", "-A", "--no-check", "--config", CONFIG];
  const holder = new LineProcess({ command: [Deno.execPath(), ...flags, HOLDER, base] });
  await holder.waitFor("the lock", (line) => line === "locked" || undefined);
  return holder;
}

Deno.test("DataLock.acquire() makes a private folder with lock and pid", async () => {
  await using temp = await tempFolder();
  const dirs = foldersIn(join(temp.path, "base"));
  const lock = new DataLock(dirs);
  lock.acquire();
  assert.deepEqual((await readdir(dirs.daemon)).sort(), ["daemon.lock", "daemon.pid"]);
  assert.equal(await readFile(join(dirs.daemon, "daemon.pid"), "utf8"), `${process.pid}\n`);
  assert.equal(readPid(dirs), process.pid);
  if (process.platform !== "win32") {
    assert.equal((await stat(dirs.daemon)).mode & 0o777, 0o700);
    assert.equal((await stat(join(dirs.daemon, "daemon.pid"))).mode & 0o777, 0o600);
  }
  lock.release();
  lock.release();
  assert.deepEqual(await readdir(dirs.daemon), []);
});

Deno.test("DataLock.acquire() refuses a second owner of this process, and can be had again", async () => {
  await using temp = await tempFolder();
  const dirs = foldersIn(temp.path);
  const first = new DataLock(dirs);
  first.acquire();
  assert.throws(() => new DataLock(dirs).acquire(), AlreadyRunningError);
  first.release();
  first.acquire();
  first.release();
});

Deno.test("DataLock.acquire() names the pid of the process that owns the folder", async () => {
  await using temp = await tempFolder();
  await using holder = await startHolder(temp.path);
  const before = await readdir(join(temp.path, "daemon"));
  assert.throws(() => new DataLock(foldersIn(temp.path)).acquire(), (failure) => {
    assert.ok(failure instanceof AlreadyRunningError);
    assert.equal(failure.code, "already_exists");
    assert.equal(failure.pid, holder.pid);
    assert.match(failure.message, new RegExp(`already running as pid ${holder.pid};.*--data-dir`));
    return true;
  });
  assert.deepEqual(await readdir(join(temp.path, "daemon")), before);
  assert.equal(readPid(foldersIn(temp.path)), holder.pid);
});

Deno.test("DataLock.acquire() succeeds with no hand after the owner was killed", async () => {
  await using temp = await tempFolder();
  const holder = await startHolder(temp.path);
  await holder.stop("SIGKILL");
  assert.deepEqual((await readdir(join(temp.path, "daemon"))).sort(), [
    "daemon.lock",
    "daemon.pid",
  ]);
  const lock = new DataLock(foldersIn(temp.path));
  lock.acquire();
  assert.equal(readPid(foldersIn(temp.path)), process.pid);
  lock.release();
});

Deno.test("DataLock.acquire() takes no notice of a pid file without a lock", async () => {
  await using temp = await tempFolder();
  const dirs = foldersIn(temp.path);
  await mkdir(dirs.daemon);
  for (const text of ["1\n", "", "not a pid\n", "-5\n"]) {
    await writeFile(join(dirs.daemon, "daemon.pid"), text);
    const lock = new DataLock(dirs);
    lock.acquire();
    assert.equal(readPid(dirs), process.pid);
    lock.release();
  }
});

Deno.test("DataLock.acquire() says what to do about a folder it cannot use", async () => {
  await using temp = await tempFolder();
  const base = join(temp.path, "file");
  await writeFile(base, "not a folder");
  assert.throws(() => new DataLock(foldersIn(base)).acquire(), {
    code: "permission_denied",
    message: /^Cannot use data folder .*file: .*; make it writable.*--data-dir$/,
  });
});

Deno.test("DataLock.release() before acquire() does nothing", async () => {
  await using temp = await tempFolder();
  new DataLock(foldersIn(temp.path)).release();
  assert.deepEqual(await readdir(temp.path), []);
});

Deno.test("readPid() is undefined for what is no pid", async () => {
  await using temp = await tempFolder();
  const dirs = foldersIn(temp.path);
  assert.equal(readPid(dirs), undefined);
  await mkdir(dirs.daemon);
  for (const text of ["", "0", "-1", "1.5", "abc"]) {
    await writeFile(join(dirs.daemon, "daemon.pid"), text);
    assert.equal(readPid(dirs), undefined, text);
  }
});

Deno.test("makeFolders() makes private folders, and names what stands in the way", async () => {
  await using folder = await tempFolder();
  const [inside, file] = [join(folder.path, "inside"), join(folder.path, "file")];
  makeFolders(folder.path, [inside, inside]);
  assert.equal((await stat(inside)).mode & 0o777, 0o700);
  await writeFile(file, "");
  assert.throws(() => makeFolders(folder.path, [file]), {
    code: "permission_denied",
    message: /^Cannot use data folder .*file.*; make it writable/,
  });
});
