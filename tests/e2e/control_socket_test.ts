/** The control socket of a real daemon, with the tools of a terminal and real files. */
import assert from "node:assert/strict";
import { chmod, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { connect, ControlError } from "../../src/client/mod.ts";
import { ControlClient } from "../support/control_client.ts";
import { type DaemonProcess, runAlmenad, startDaemon } from "../support/daemon.ts";
import { linuxRoot, program, testNeeding } from "../support/needs.ts";
import { tempFolder } from "../support/temp_folder.ts";
import { waitFor } from "../support/wait.ts";

const MIB = 1_048_576;
const isWindows = Deno.build.os === "windows";

type Line = Record<string, Record<string, Record<string, unknown>>>;

function socketOf({ dataDir }: DaemonProcess, instance = ""): string {
  return join(dataDir, "daemon", instance ? `daemon-${instance}.sock` : "daemon.sock");
}

async function run(words: readonly string[], input = ""): Promise<string> {
  const [name = "", ...args] = words;
  const child = new Deno.Command(name, {
    ...{ args, stdin: "piped", stdout: "piped", stderr: "piped" },
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input)).catch(() => undefined);
  await writer.close().catch(() => undefined);
  const { stdout, stderr } = await child.output();
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(() => true, () => false);
}

testNeeding([program("nc")], 'a person with nc -U types "Ping" and reads "Pong"', async () => {
  await using daemon = await startDaemon();
  const path = socketOf(daemon);
  assert.equal(await run(["nc", "-N", "-U", path], '"Ping"\n'), '"Pong"\n');
  assert.equal(await run(["nc", "-N", "-U", path], '"Ping"'), '"Pong"\n', "no newline at the end");
  const query = '{"Query":{"method":"query:network.status.v1","payload":{}}}\n';
  const { JsonOk: status } = JSON.parse(await run(["nc", "-N", "-U", path], query));
  assert.equal(status.peer_id, daemon.ready.peer_id);
});

testNeeding([linuxRoot(), program("curl")], "another user of the machine is refused", async () => {
  await using daemon = await startDaemon();
  const path = socketOf(daemon);
  assert.equal(((await stat(dirname(path))).mode & 0o777).toString(8), "700");
  assert.equal(((await stat(path)).mode & 0o777).toString(8), "600");
  const asNobody = async () => {
    const { stderr } = await new Deno.Command("/usr/bin/curl", {
      args: ["-sv", "--max-time", "3", "--unix-socket", path, "http://localhost/"],
      ...{ uid: 65_534, gid: 65_534, cwd: "/", stdin: "null" },
    }).output();
    return new TextDecoder().decode(stderr);
  };
  for (let folder = dirname(dirname(path)); folder !== "/"; folder = dirname(folder)) {
    if (((await stat(folder)).mode & 0o001) === 0) await chmod(folder, 0o755);
  }
  assert.match(await asNobody(), /[Pp]ermission denied/, "by the folder");
  await chmod(dirname(path), 0o755);
  assert.match(await asNobody(), /[Pp]ermission denied/, "by the socket itself");
});

Deno.test("socket and lock files are gone after stop, SIGTERM and Shutdown", async () => {
  await using folder = await tempFolder();
  const endings: ((daemon: DaemonProcess) => Promise<unknown>)[] = [
    (daemon) => daemon.stop("SIGTERM"),
    (daemon) => daemon.stop("SIGINT"),
    async (daemon) => {
      using client = await ControlClient.connect(socketOf(daemon));
      assert.deepEqual(await client.ask("Shutdown"), { Ok: [] });
      assert.equal(await daemon.ended(), 0);
    },
  ];
  for (const end of endings) {
    const daemon = await startDaemon({ dataDir: folder.path });
    const path = socketOf(daemon);
    assert.ok(await exists(path));
    await end(daemon);
    assert.equal(await exists(path), false);
    const left = await readdir(join(folder.path, "daemon"));
    assert.deepEqual(left.filter((name) => /sock|port|pid|path/.test(name)), []);
  }
});

Deno.test("kill -9 amid the calls of 50 clients: each is told within 1 s, the next start works", async () => {
  await using folder = await tempFolder();
  const daemon = await startDaemon({ dataDir: folder.path });
  const socket = socketOf(daemon);
  const clients = await Promise.all(Array.from({ length: 50 }, () => connect({ socket })));
  let answered = 0;
  let killedAt = Infinity;
  const ends = clients.map(async (client, index) => {
    try {
      for (;;) {
        if (index % 2 === 0) await client.query("core.status");
        else await client.action("libraries.open", { id: "default" });
        answered++;
      }
    } catch (failure) {
      assert.ok(failure instanceof ControlError, String(failure));
      assert.match(failure.message, /not running|not accepting|connection|daemon/i);
      return performance.now() - killedAt;
    }
  });
  await waitFor("calls", () => answered > 500);
  killedAt = performance.now();
  await daemon.kill();
  const delays = await Promise.all(ends);
  assert.ok(Math.max(...delays) < 1_000, `${Math.max(...delays)} ms`);
  await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()));
  if (!isWindows) assert.ok(await exists(socket), "a killed process cleans nothing up");
  const next = await startDaemon({ dataDir: folder.path });
  using client = await ControlClient.connect(socket);
  assert.equal(await client.ask<unknown>("Ping"), "Pong");
  await next.stop();
});

Deno.test("a daemon starts in order: its folder, its store, its doors, its word that it is ready", async () => {
  await using daemon = await startDaemon({ env: { RUST_LOG: "debug" } });
  const started = await waitFor("the last service", () => {
    const names = [...daemon.stderr.matchAll(/Service started service='([\w-]+)'/g)]
      .map(([, name = ""]) => name);
    return names.includes("announcer") && names;
  });
  const wanted = ["data-folder", "libraries", "swarm", "grpc", "rest", "control", "announcer"];
  assert.deepEqual(started.filter((name) => wanted.includes(name)), wanted);
});

Deno.test("a second start says already running with exit code 3, and disturbs nobody", async () => {
  await using daemon = await startDaemon();
  const second = await runAlmenad(["--data-dir", daemon.dataDir]);
  assert.equal(second.code, 3, second.stderr);
  using client = await ControlClient.connect(socketOf(daemon));
  assert.equal(await client.ask<unknown>("Ping"), "Pong");
});

Deno.test("100 clients are served by one process, the 101st is closed", async () => {
  await using daemon = await startDaemon();
  const clients = await Promise.all(
    Array.from({ length: 100 }, () => ControlClient.connect(socketOf(daemon))),
  );
  const status = { Query: { method: "query:core.status.v1", payload: {} } };
  const pids = await Promise.all(clients.map(async (client) => {
    const { JsonOk: answer } = await client.ask<{ JsonOk: { pid: number } }>(status, 20_000);
    return answer.pid;
  }));
  assert.deepEqual([...new Set(pids)], [daemon.pid]);
  using surplus = await ControlClient.connect(socketOf(daemon));
  await surplus.closed;
  for (const client of clients) client[Symbol.dispose]();
});

Deno.test("files.copy tells its progress as events; cancelled, it leaves nothing", async () => {
  await using daemon = await startDaemon();
  await using folder = await tempFolder();
  const source = join(folder.path, "big.bin");
  await writeFile(source, new Uint8Array(64 * MIB));
  using caller = await ControlClient.connect(socketOf(daemon));
  using listener = await ControlClient.connect(socketOf(daemon));
  const types = ["JobUpdate", "ResourceChanged"];
  assert.equal(await listener.ask<unknown>({ Subscribe: { event_types: types } }), "Subscribed");
  const begin = async (destination: string) => {
    const payload = { sources: [source], destination, method: "Streaming" };
    const method = "action:files.copy.input.v1";
    const call = { method, library_id: "default", payload, request_id: "by-hand-1" };
    const answer = await caller.ask<{ JsonOk: { job_id: string } }>({ Action: call });
    return answer.JsonOk.job_id;
  };
  const id = await begin(join(folder.path, "copy.bin"));
  const updates = await listener.until<Line>((line) => isStatus(line, "Completed"), 20_000);
  const jobs = updates.map(({ Event: event }) => event?.["JobUpdate"])
    .filter((job) => job !== undefined);
  assert.ok(jobs.length >= 2);
  assert.ok(jobs.every((job) => job["job_id"] === id && job["request_id"] === "by-hand-1"));
  assert.equal((await stat(join(folder.path, "copy.bin"))).size, 64 * MIB);
  await mkdir(join(folder.path, "out"));
  await writeFile(source, new Uint8Array(512 * MIB));
  const second = await begin(join(folder.path, "out"));
  await listener.until<Line>((line) => isStatus(line, "Running"), 20_000);
  const cancel = { method: "action:jobs.cancel.input.v1", payload: { job_id: second } };
  const { JsonOk: job } = await caller.ask<{ JsonOk: { status: string } }>({ Action: cancel });
  assert.equal(job.status, "Cancelled");
  assert.deepEqual(await readdir(join(folder.path, "out")), []);
});

Deno.test("kill -9 amid a copy: the next start removes the rest and tells of the job", async () => {
  await using data = await tempFolder();
  await using folder = await tempFolder();
  const source = join(folder.path, "big.bin");
  await writeFile(source, new Uint8Array(512 * MIB));
  const out = join(folder.path, "out");
  await mkdir(out);
  const daemon = await startDaemon({ dataDir: data.path });
  using caller = await ControlClient.connect(socketOf(daemon));
  const payload = { sources: [source], destination: out, method: "Streaming" };
  const call = { method: "action:files.copy.input.v1", library_id: "default", payload };
  const { JsonOk: begun } = await caller.ask<{ JsonOk: { job_id: string } }>({ Action: call });
  await waitFor("the copy's beginning", async () => (await readdir(out)).length > 0);
  await daemon.kill();
  assert.equal((await readdir(out)).length, 1, "a part is there");
  const next = await startDaemon({ dataDir: data.path });
  await waitFor("the part's end", async () => (await readdir(out)).length === 0);
  await using client = await connect({ socket: socketOf(next) });
  const [job] = (await client.query("jobs.list", {})).jobs;
  assert.deepEqual([job?.job_id, job?.status, job?.error], [begun.job_id, "Failed", "aborted"]);
  await next.stop();
});

Deno.test("the log names each request by its id, and holds no payload and no token", async () => {
  await using daemon = await startDaemon({ env: { RUST_LOG: "debug" } });
  using client = await ControlClient.connect(socketOf(daemon));
  const payload = { name: "very private name", dir: "/nonexistent-private-place/x" };
  const call = { method: "action:libraries.create.input.v1", payload, request_id: "find-me-42" };
  await client.ask({ Action: call });
  await client.ask({ Query: { ...call, method: "query:none.v1", request_id: "find-me-43" } });
  const token = (await readFile(join(daemon.dataDir, "daemon", "admin_token"), "utf8")).trim();
  await fetch(daemon.url("/api/v1/libraries/create"), {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(payload),
  }).then((response) => response.body?.cancel());
  const logs = join(daemon.dataDir, "logs");
  const text = await waitFor("the log", async () => {
    const all = await Promise.all(
      (await readdir(logs)).map((name) => readFile(join(logs, name), "utf8")),
    );
    return all.join("").includes("find-me-43") && all.join("");
  });
  assert.match(text, /find-me-42/);
  assert.ok(!text.includes("very private name"));
  assert.ok(!text.includes(token));
  assert.doesNotMatch(text, /PRIVATE KEY/);
});

testNeeding([program("ss")], "only loopback listens, the peers' port apart", async () => {
  await using daemon = await startDaemon();
  const listening = (await run(["ss", "-ltnpH"])).split("\n")
    .filter((line) => line.includes(`pid=${daemon.pid},`))
    .map((line) => line.trim().split(/\s+/)[3] ?? "");
  const ports = daemon.ready.p2p_addrs.map((address) => /\/tcp\/(\d+)/.exec(address)?.[1]);
  const others = listening.filter((address) => !ports.includes(address.split(":").at(-1)));
  assert.equal(others.length, 2, others.join());
  assert.ok(others.every((address) => /^(127\.|\[::1\])/.test(address)), others.join());
});

Deno.test("events of a short while ago are replayed once to who comes late", async () => {
  await using daemon = await startDaemon();
  using early = await ControlClient.connect(socketOf(daemon));
  const create = (name: string) => ({
    Action: { method: "action:libraries.create.input.v1", payload: { name } },
  });
  await early.ask(create("before"));
  using late = await ControlClient.connect(socketOf(daemon));
  await late.ask({ Subscribe: { event_types: ["LibraryCreated"] } });
  await early.ask(create("after"));
  const nameOf = ({ Event: event }: Line) => String(event?.["LibraryCreated"]?.["name"]);
  const names = (await late.until<Line>((line) => nameOf(line) === "after")).map(nameOf);
  assert.deepEqual(names.filter((name) => name !== "default"), ["before", "after"]);
  assert.deepEqual(late.lines, []);
});

function isStatus({ Event: event }: Line, status: string): boolean {
  return event?.["JobUpdate"]?.["status"] === status;
}
