/** Commands of people, run as they would type them. */
import assert from "node:assert/strict";
import { stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Client } from "../../src/client/mod.ts";
import { Cli } from "../support/cli.ts";
import { runAlmenad } from "../support/daemon.ts";
import { tempFolder } from "../support/temp_folder.ts";
import { waitFor } from "../support/wait.ts";

/** A port of loopback that nobody has. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

Deno.test("almenad --instance dev: start, status, peers, events, logs -f, stop", async () => {
  await using cli = await Cli.create();
  const dev = (...args: string[]) => cli.run("--instance", "dev", ...args);
  const started = await dev("start");
  assert.equal(started.code, 0, started.stderr);
  assert.match(started.stdout, /is started\n {2}peer id +12D3Koo/);
  const socket = join(cli.dataDir, "daemon", "daemon-dev.sock");
  assert.equal((await stat(socket)).mode & 0o777, 0o600);

  const status = await cli.json("--instance", "dev", "status");
  assert.deepEqual([status.code, status.value["instance"]], [0, "dev"]);
  assert.equal(status.value["pid"], await cli.pid("dev"));
  const peers = await dev("peers");
  assert.match(peers.stdout, /^PEER ID .*\n12D3Koo\S+ +this one/);
  assert.ok(!peers.stdout.includes("\x1b"), "no colours in a pipe");

  await using events = cli.follow("--instance", "dev", "events", "-t", "LibraryCreated");
  await using logs = cli.follow("--instance", "dev", "logs", "-f");
  await logs.waitFor("the log so far", (line) => /Daemon is ready/.test(line) || undefined);
  await cli.json("--instance", "dev", "call", "libraries.create", '{"name":"films"}');
  const begun = performance.now();
  await events.waitFor("event", (line) => /LibraryCreated .*films/.test(line) || undefined);
  await logs.waitFor("line", (line) => /libraries\.create/.test(line) || undefined);
  assert.ok(performance.now() - begun < 1_000);
  assert.equal((await logs.stop("SIGINT")).code, 130);
  assert.equal((await events.stop("SIGINT")).code, 130);
  assert.deepEqual([...events.stderr, ...logs.stderr], []);

  assert.equal((await dev("stop")).code, 0);
  await assert.rejects(stat(socket), { code: "ENOENT" });
});

Deno.test("almenad restart keeps the flags of the start, but for those it is given itself", async () => {
  await using cli = await Cli.create();
  const port = async () => {
    const { value } = await cli.json("status");
    return Number(/:(\d+)$/.exec(String(value["rest_addr"]))?.[1]);
  };
  const free = freePort();
  assert.equal((await cli.run("--rest-addr", `127.0.0.1:${free}`, "start")).code, 0);
  assert.equal(await port(), free);
  const first = await cli.pid();
  assert.equal((await cli.run("restart")).code, 0);
  assert.equal(await port(), free);
  assert.notEqual(await cli.pid(), first);
  const other = freePort();
  assert.equal((await cli.run("--rest-addr", `127.0.0.1:${other}`, "restart")).code, 0);
  assert.equal(await port(), other);
  assert.equal((await cli.run("stop")).code, 0);
  await assert.rejects(stat(join(cli.dataDir, "daemon", "daemon.flags")), { code: "ENOENT" });
});

Deno.test("almenad start names the running pid, exit 3; stop and status without a daemon, exit 4", async () => {
  await using cli = await Cli.create();
  const down = await cli.json("status");
  assert.deepEqual([down.code, down.value["offline"]], [4, true]);
  assert.equal((await cli.run("start")).code, 0);
  const again = await cli.run("start");
  assert.equal(again.code, 3);
  assert.equal(
    again.stderr,
    `almenad: Cannot start in ${cli.dataDir}: already running as pid ${await cli.pid()}; ` +
      `stop it with "almenad --data-dir ${cli.dataDir} stop"\n`,
  );
  assert.equal((await cli.run("restart")).code, 0);
  assert.equal((await cli.run("stop")).code, 0);
  const stopped = await cli.run("stop");
  assert.equal(stopped.code, 4);
  assert.match(stopped.stderr, /^almenad: Cannot reach almenad: daemon not running.*\n$/);
});

Deno.test("almenad says what to do about what it cannot use", async () => {
  await using cli = await Cli.create();
  const file = join(cli.dataDir, "a_file");
  await writeFile(file, "");
  const inFile = await runAlmenad(["--data-dir", file, "status"]);
  assert.equal(inFile.code, 1);
  assert.match(inFile.stderr, /^almenad: Cannot reach .*is the data folder.*almenad doctor.*\n$/);
  assert.equal((await cli.run("start")).code, 0);
  const whose = await cli.run("network", "why", "nobody");
  assert.equal(whose.code, 2);
  assert.match(
    whose.stderr,
    /^almenad: Cannot use peer id "nobody": it is none; almenad peers.*\n$/,
  );
  assert.equal((await cli.run("webhook", "set", "http://127.0.0.1:9/")).code, 0);
  const { code, stdout } = await cli.run("webhook", "test");
  assert.equal(code, 1);
  assert.match(stdout, /^The event did not arrive: .*ECONNREFUSED/);
});

Deno.test("almenad start says in one line why the daemon ended", async () => {
  await using cli = await Cli.create();
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  const { code, stderr } = await cli.run("--rest-addr", `127.0.0.1:${port}`, "start");
  assert.equal(code, 1);
  assert.match(stderr, /^almenad: Cannot listen on 127\.0\.0\.1:\d+.*--rest-addr\n$/);
});

Deno.test("kill -9: every client hears of it within a second, and the next start works", async () => {
  await using cli = await Cli.create();
  assert.equal((await cli.run("start")).code, 0);
  const clients = Array.from({ length: 50 }, () => new Client({ dataDir: cli.dataDir }));
  const isOver = new AbortController();
  let answered = 0;
  const endings = clients.map(async (client) => {
    while (!isOver.signal.aborted) {
      try {
        await client.query("core.ping");
        answered++;
      } catch (failure) {
        return { failure: failure as Error, at: performance.now() };
      }
    }
    return undefined;
  });
  await waitFor("answers to all", () => answered > 200);
  const killed = performance.now();
  await cli.kill();
  const all = await Promise.all(endings);
  isOver.abort();
  for (const ending of all) {
    assert.match(ending?.failure.message ?? "", /not accepting connections|Lost the connection/);
    assert.ok((ending?.at ?? Infinity) - killed < 1_000);
  }
  const status = await cli.run("ping");
  assert.equal(status.code, 4);
  assert.match(status.stderr, /^almenad: .*not accepting connections.*start it with.*\n$/);
  assert.equal((await cli.run("start")).code, 0);
});

Deno.test("two instances share nothing, and instances shows both", async () => {
  await using cli = await Cli.create();
  assert.equal((await cli.run("start")).code, 0);
  assert.equal((await cli.run("--instance", "dev", "start")).code, 0);
  await cli.run("call", "libraries.create", "music");
  const libraries = async (...flags: string[]) =>
    ((await cli.json(...flags, "library", "list")).value["libraries"] as { name: string }[])
      .map(({ name }) => name);
  assert.deepEqual(await libraries(), ["default", "music"]);
  assert.deepEqual(await libraries("--instance", "dev"), ["default"]);
  const { value } = await cli.json("instances");
  const listed = value["instances"] as { name: string; pid: number; state: string }[];
  assert.deepEqual(
    listed.map(({ name, pid, state }) => [name, pid, state]),
    [["", await cli.pid(), "running"], ["dev", await cli.pid("dev"), "running"]],
  );
  const stopped = await cli.json("instances", "stop", "dev");
  assert.deepEqual(stopped.value, { instances: [{ name: "dev", done: "stopped" }] });
  assert.equal((await cli.run("status")).code, 0);
  assert.equal((await cli.run("--instance", "../x", "start")).code, 2);
});

Deno.test("library list, logs and version work without a daemon and say so", async () => {
  await using cli = await Cli.create();
  await cli.run("start");
  await cli.run("stop");
  const { code, value } = await cli.json("library", "list");
  assert.deepEqual([code, value["offline"]], [0, true]);
  assert.equal((value["libraries"] as unknown[]).length, 1);
  const logs = await cli.run("logs", "-n", "1", "--format", "json");
  assert.equal(logs.code, 0);
  assert.deepEqual(JSON.parse(logs.stdout)["offline"], true);
  assert.equal((await cli.run("peers")).code, 4);
});

Deno.test("files copy waits for the end and shows one result", async () => {
  await using cli = await Cli.create();
  await cli.run("start");
  await using folder = await tempFolder();
  const from = join(folder.path, "from.bin");
  await writeFile(from, new Uint8Array(4_000_000));
  const to = join(folder.path, "to.bin");
  const { code, value } = await cli.json("files", "copy", from, to, "--method", "streaming");
  assert.deepEqual([code, value["status"], value["progress"]], [0, "Completed", 1]);
  assert.equal((await stat(to)).size, 4_000_000);
  const missing = await cli.run("files", "copy", join(folder.path, "nothing"), to);
  assert.notEqual(missing.code, 0);
  assert.match(missing.stderr, /^almenad: Cannot copy .*\n$/);
  const jobs = await cli.json("jobs");
  assert.equal((jobs.value["jobs"] as unknown[]).length, 1);
});

Deno.test("files copy ends with exit 130 at Ctrl-C, and its job with it", async () => {
  await using cli = await Cli.create();
  await cli.run("start");
  await using folder = await tempFolder();
  const from = join(folder.path, "from.bin");
  const to = join(folder.path, "to.bin");
  await writeFile(from, "");
  await truncate(from, 1_000_000_000);
  await using copy = cli.follow("files", "copy", from, to, "--method", "streaming");
  const status = async () =>
    ((await cli.json("jobs")).value["jobs"] as { status: string }[]).at(-1)?.status;
  await waitFor("running job", async () => await status() === "Running");
  assert.equal((await copy.stop("SIGINT")).code, 130);
  await waitFor("end of the job", async () => await status() === "Cancelled");
  await assert.rejects(stat(to), { code: "ENOENT" });
});

Deno.test("a request id of a client stands in the daemon's log", async () => {
  await using cli = await Cli.create();
  await cli.run("start");
  await using client = new Client({ dataDir: cli.dataDir });
  await client.action("libraries.create", { name: "films" }, { requestId: "my-request" });
  const { stdout } = await cli.run("logs", "--format", "json");
  assert.match(stdout, /"requestId":"my-request"/);
  assert.ok(!stdout.includes("films"), "payloads are nobody's business");
});

Deno.test("call reads JSON from its line and from standard input, words, and streams", async () => {
  await using cli = await Cli.create();
  await cli.run("start");
  const piped = await cli.shell(`echo '{"name":"a"}' | almenad call libraries.create -`);
  assert.equal(JSON.parse(piped.stdout)["name"], "a");
  const words = await cli.json("libraries", "create", "b");
  assert.equal(words.value["name"], "b");
  const wire = await cli.json("call", "query:libraries.list.v1");
  assert.equal((wire.value["libraries"] as unknown[]).length, 3);
  const list = await cli.json("call");
  const names = (list.value["operations"] as { name: string }[]).map(({ name }) => name);
  assert.ok(names.includes("network.peers") && names.includes("files.copy"));
  for (
    const [args, code] of [
      [["call", "network.nonsense"], 2],
      [["call", "libraries.create", "{"], 2],
      [["call", "libraries.create", '{"nam":1}'], 2],
      [["call", "libraries.delete", "nope"], 1],
      [["nonsense"], 2],
      [["files", "copy", "alone"], 2],
    ] as const
  ) {
    const ending = await cli.run(...args);
    assert.equal(ending.code, code, args.join(" "));
    assert.match(ending.stderr, /^almenad: [^\n]+\n$/, args.join(" "));
  }
});

Deno.test("almenad <noun> <verb> --help tells of the operation, without a daemon", async () => {
  await using cli = await Cli.create();
  for (const help of ["--help", "-h"]) {
    const { code, stdout, stderr } = await cli.run("network", "tag", help);
    assert.deepEqual([code, stderr], [0, ""]);
    assert.match(stdout, /^Usage: almenad network tag <id> <tags>\n/);
    assert.match(stdout, /Set the tags of a member/);
    assert.match(stdout, /^peer +string +no +this daemon when absent$/m);
  }
  assert.match((await cli.run("nothing", "such", "--help")).stdout, /^Usage: almenad \[options\]/);
});

Deno.test("a reader that leaves early gets no stack trace", async () => {
  await using cli = await Cli.create();
  await cli.run("start");
  // Who only waits learns at its next line that nobody reads any more, so events go on meanwhile.
  const news = 'for i in 1 2 3 4 5 6; do almenad call libraries.create "l$i"; done';
  const following = `(${news}) >/dev/null & almenad events`;
  const long = [
    "--help",
    "config show",
    "daemon install --dry-run --platform linux",
    "start --help",
  ];
  for (const script of [...long, "call", "logs", "peers", "call core.operations"]) {
    const { stdout, stderr } = await cli.shell(`almenad ${script} | head -1`);
    assert.equal(stdout.split("\n").length, 2, script);
    assert.equal(stderr, "", script);
  }
  const { stdout, stderr } = await cli.shell(`${following} | head -1; wait`);
  assert.equal(stdout.split("\n").length, 2);
  assert.equal(stderr, "");
  // A reader that takes its time gets everything.
  const slow = await cli.shell("almenad call --format json | { sleep 1; cat; }");
  assert.ok(JSON.parse(slow.stdout)["operations"].length > 20);
});

Deno.test("logs -f ends with exit 4 when the daemon stops", async () => {
  await using cli = await Cli.create();
  await cli.run("start");
  await using logs = cli.follow("logs", "-f");
  await logs.waitFor("the log so far", (line) => /Daemon is ready/.test(line) || undefined);
  await cli.run("stop");
  assert.equal((await logs.ended()).code, 4);
  assert.match(logs.stderr.join("\n"), /^almenad: The daemon has ended/);
});
