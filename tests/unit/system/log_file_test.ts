import assert from "node:assert/strict";
import { mkdir, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { DailyLogFile, KEPT_LOG_FILES } from "../../../src/system/log_file.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { tempFolder } from "../../support/temp_folder.ts";

const DAY_MS = 24 * 60 * 60 * 1_000;

async function withLog(
  run: (parts: { log: DailyLogFile; folder: string; clock: FakeClock }) => Promise<void>,
): Promise<void> {
  await using temp = await tempFolder();
  const folder = join(temp.path, "logs");
  const clock = new FakeClock(Date.UTC(2026, 2, 1, 12));
  const log = new DailyLogFile({ clock }, { folder });
  try {
    await run({ log, folder, clock });
  } finally {
    log.close();
  }
}

Deno.test("DailyLogFile.write() makes folder and file for this user alone, and appends", () =>
  withLog(async ({ log, folder }) => {
    log.write("one\n");
    log.write("two\n");
    assert.equal(await readFile(join(folder, "daemon.log"), "utf8"), "one\ntwo\n");
    if (process.platform === "win32") return;
    assert.equal((await stat(folder)).mode & 0o777, 0o700);
    assert.equal((await stat(join(folder, "daemon.log"))).mode & 0o777, 0o600);
  }));

Deno.test("DailyLogFile.write() begins a new file each day and keeps seven old ones", () =>
  withLog(async ({ log, folder, clock }) => {
    for (let day = 1; day <= 12; day++) {
      log.write(`day ${day}\n`);
      await clock.advance(DAY_MS);
    }
    const names = (await readdir(folder)).sort();
    assert.equal(KEPT_LOG_FILES, 7);
    assert.deepEqual(names, [
      ...[5, 6, 7, 8, 9, 10, 11].map((day) => `daemon-2026-03-${String(day).padStart(2, "0")}.log`),
      "daemon.log",
    ]);
    assert.equal(await readFile(join(folder, "daemon-2026-03-11.log"), "utf8"), "day 11\n");
    assert.equal(await readFile(join(folder, "daemon.log"), "utf8"), "day 12\n");
  }));

Deno.test("DailyLogFile.write() goes on in today's file after a restart", () =>
  withLog(async ({ log, folder, clock }) => {
    log.write("before\n");
    log.close();
    const now = new Date(clock.now());
    await utimes(join(folder, "daemon.log"), now, now);
    const next = new DailyLogFile({ clock }, { folder });
    next.write("after\n");
    next.close();
    assert.equal(await readFile(join(folder, "daemon.log"), "utf8"), "before\nafter\n");
  }));

Deno.test("DailyLogFile.write() puts a file of another day away at a restart", () =>
  withLog(async ({ log, folder, clock }) => {
    log.write("old\n");
    log.close();
    const then = new Date(clock.now());
    await utimes(join(folder, "daemon.log"), then, then);
    await clock.advance(3 * DAY_MS);
    const next = new DailyLogFile({ clock }, { folder });
    next.write("new\n");
    next.close();
    assert.equal(await readFile(join(folder, "daemon-2026-03-01.log"), "utf8"), "old\n");
    assert.equal(await readFile(join(folder, "daemon.log"), "utf8"), "new\n");
  }));

Deno.test("DailyLogFile removes none but its own old files", () =>
  withLog(async ({ log, folder, clock }) => {
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "daemon-notes.log"), "mine");
    await writeFile(join(folder, "aaa.txt"), "mine");
    for (let day = 1; day <= 10; day++) {
      log.write("x\n");
      await clock.advance(DAY_MS);
    }
    const names = await readdir(folder);
    assert.ok(names.includes("daemon-notes.log") && names.includes("aaa.txt"), names.join());
  }));

Deno.test("DailyLogFile.write() loses lines on a disk that fails, never throws, and recovers", () =>
  withLog(async ({ log, folder }) => {
    await writeFile(folder, "a file where the folder should be");
    log.write("lost\n");
    assert.match(log.problem, /EEXIST|ENOTDIR/);
    await rm(folder);
    log.write("kept\n");
    assert.equal(log.problem, "");
    assert.equal(await readFile(join(folder, "daemon.log"), "utf8"), "kept\n");
  }));

Deno.test("DailyLogFile.write() survives a clock that jumps back", () =>
  withLog(async ({ log, folder, clock }) => {
    log.write("tomorrow\n");
    clock.jumpTo(Date.UTC(2026, 1, 1));
    log.write("long ago\n");
    clock.jumpTo(Date.UTC(2026, 2, 1, 13));
    log.write("today\n");
    assert.equal(log.problem, "");
    assert.equal(await readFile(join(folder, "daemon.log"), "utf8"), "today\n");
    assert.ok((await readdir(folder)).length >= 2);
  }));
