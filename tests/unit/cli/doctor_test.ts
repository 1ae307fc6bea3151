import assert from "node:assert/strict";
import { mkdir, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { checkLog } from "../../../src/cli/doctor/daemon_checks.ts";
import { checkClock, checkDisk, checkFolder } from "../../../src/cli/doctor/machine_checks.ts";
import { question } from "../../../src/cli/doctor/network_checks.ts";
import { checkPorts, listenersOn } from "../../../src/cli/doctor/port_checks.ts";
import { futile } from "../../../src/cli/doctor/subscription_checks.ts";
import { dataDirs } from "../../../src/core/mod.ts";
import { tempFolder } from "../../support/temp_folder.ts";

const dirsIn = (dataDir: string) =>
  dataDirs({ platform: "linux", isDev: false, dataDir, env: {}, cwd: "/" });

Deno.test("checkFolder() is content with a folder that can be made", async () => {
  await using folder = await tempFolder();
  const found = await checkFolder(dirsIn(join(folder.path, "not", "yet")));
  assert.deepEqual(found.map(({ severity }) => severity), ["ok", "ok"]);
});

Deno.test("checkClock() sees files of the future, and a clock before the release", async () => {
  await using folder = await tempFolder();
  const dirs = dirsIn(folder.path);
  await mkdir(dirs.logs);
  const path = join(dirs.logs, "daemon.log");
  await writeFile(path, "");
  assert.deepEqual((await checkClock(dirs)).map(({ severity }) => severity), ["ok"]);
  const later = Date.now() / 1_000 + 600;
  await utimes(path, later, later);
  const [found] = await checkClock(dirs);
  assert.equal(found?.severity, "warning");
  assert.match(found?.message ?? "", /daemon\.log is dated 6\d\d s in the future/);
  const [old] = await checkClock(dirs, Date.parse("2020-01-01"));
  assert.equal(old?.severity, "error");
});

Deno.test("checkDisk() tells how much is free", async () => {
  await using folder = await tempFolder();
  const [found] = await checkDisk(dirsIn(folder.path));
  assert.match(found?.message ?? "", /MiB free/);
});

Deno.test("checkPorts() tells a port that is taken, worse where it was asked for", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const wanted = { door: "REST", host: "127.0.0.1", port, flag: "--rest-addr" } as const;
  const actual = { gRPC: [], REST: [`127.0.0.1:${port}`] };
  const severity = async (isExplicit: boolean, pid?: number) =>
    (await checkPorts([{ ...wanted, isExplicit }], pid, actual)).map((one) => one.severity);
  assert.deepEqual(await severity(false), ["warning"]);
  assert.deepEqual(await severity(true), ["error"]);
  assert.deepEqual(await severity(true, 42), ["ok"]); // it is the daemon's own
});

Deno.test("listenersOn() reads the tables of proc(5)", () => {
  const table =
    `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000 0 4711 1 0 100 0
   1: 0100007F:1F90 0100007F:9C40 01 00000000:00000000 00:00000000 00000000  1000 0 4712 1 0 100 0`;
  assert.deepEqual(listenersOn(8_080, table), ["4711"]);
  assert.deepEqual(listenersOn(8_081, table), []);
});

Deno.test("question() is a DNS message with one question, RFC 1035 section 4.1", () => {
  const bytes = [...question("ab")];
  assert.deepEqual(bytes.slice(0, 12), [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  assert.deepEqual(bytes.slice(12, 16), [2, 97, 98, 5]);
  assert.deepEqual(bytes.slice(-5), [0, 0, 12, 0, 1]);
});

Deno.test("futile() finds filters that can match nothing, and no others", () => {
  const known = {
    fields: new Map([
      ["JobUpdate", ["job_id", "library_id", "status"]],
      ["LibraryCreated", ["id", "name"]],
      ["LogMessage", ["timestamp", "level", "target", "message", "job_id", "library_id"]],
      ["DeviceConnected", ["device_id"]],
      ["CoreStarted", []],
    ]),
    libraries: new Set(["music"]),
    jobs: new Set(["j1"]),
    devices: new Set(["p1"]),
  };
  const isFutile = (event_types: string[], filter: Parameters<typeof futile>[0]["filter"]) =>
    futile({ id: 1, event_types, filter }, known).length > 0;
  assert.ok(isFutile(["JobUpdate"], { job_id: "nope" }));
  assert.ok(isFutile(["JobUpdate", "LibraryCreated"], { library_id: "nope" }));
  assert.ok(isFutile(["LogMessage"], { level: "off" }));
  assert.ok(isFutile(["LogMessage"], { target: "nonsense" }));
  assert.ok(isFutile(["DeviceConnected"], { device_id: "nope" }));
  assert.ok(!isFutile(["JobUpdate"], { job_id: "j1" }));
  assert.ok(!isFutile(["JobUpdate"], { job_id: "download:game" })); // it may begin any time
  assert.ok(!isFutile(["JobUpdate", "CoreStarted"], { job_id: "nope" })); // not filtered by it
  assert.ok(!isFutile([], { job_id: "nope" }));
  assert.ok(!isFutile(["LogMessage"], { library_id: "nope" })); // lines of no library pass
});

Deno.test("checkLog() gives the reason behind a line", () => {
  const line = { timestamp: "t", level: "error", target: "api", message: "Failed", error: "why" };
  assert.equal(checkLog([line])[0]?.message, "t api: Failed: why");
  assert.equal(checkLog([])[0]?.severity, "ok");
});
