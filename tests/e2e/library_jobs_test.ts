/** A download as a job at every door: told, listed, followed and ended by one id, also after a restart. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { almenadCommand, runAlmenad } from "../support/daemon.ts";
import { jsonLine, LineProcess } from "../support/line_process.ts";
import { Lan, testInNetns } from "../support/netns.ts";
import { writeTree } from "../support/sharing/item_folder.ts";
import { LibraryDaemon } from "../support/sharing/library_daemon.ts";
import { noiseBytes } from "../support/sharing/library_node.ts";
import { tempFolder } from "../support/temp_folder.ts";

const SIZE = 24 * 1_024 * 1_024;
const SECONDS = 6;
const JOB = "download:game";

interface Update {
  readonly job_id: string;
  readonly library_id?: string;
  readonly status: string;
  readonly progress?: number;
  readonly message?: string;
}

/** A job as one line of a door tells it. */
function updateIn(line: string): Update | undefined {
  const told = jsonLine(line.replace(/^data: /, "")) as
    | { JobUpdate?: Update; Event?: { JobUpdate?: Update }; data?: { jobsWatch?: Update } }
    | undefined;
  const update = told?.JobUpdate ?? told?.Event?.JobUpdate ?? told?.data?.jobsWatch;
  return update?.job_id === JOB ? update : undefined;
}

/** Everyone who listens to a daemon, door by door. */
class Doors implements AsyncDisposable {
  readonly #doors: readonly LineProcess[];

  constructor(daemon: LibraryDaemon, filter: readonly string[] = []) {
    const { netns, daemon: { dataDir } } = daemon;
    const types = `event_types=${encodeURIComponent('["JobUpdate"]')}`;
    const query = "subscription { jobsWatch { job_id status progress message } }";
    const commands = [
      [...almenadCommand(), "--data-dir", dataDir, "--format", "json", "events"].concat(filter),
      ["curl", "-sN", daemon.daemon.url(`/api/v1/events?${types}`)],
      ["curl", "-sN", daemon.daemon.url("/graphql"), "-d", JSON.stringify({ query })].concat(
        ...["accept: text/event-stream", "content-type: application/json"].map((
          one,
        ) => ["-H", one]),
      ),
    ];
    this.#doors = commands.map((command) => new LineProcess({ command, netns }));
  }

  /** Waits until every door told this; returns what each told. */
  async tell(status: string, timeoutMs = 20_000): Promise<Update[]> {
    return await Promise.all(
      this.#doors.map((door) =>
        door.waitFor(`${status} of the job`, (line) => {
          const update = updateIn(line);
          return update?.status === status ? update : undefined;
        }, timeoutMs)
      ),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const door of this.#doors) await door.stop();
  }
}

async function jobs(daemon: LibraryDaemon): Promise<(Update & { kind: string })[]> {
  return (await daemon.call("jobs", "list") as { jobs: (Update & { kind: string })[] }).jobs;
}

testInNetns(
  "A download is a JobUpdate at every door, and a job to be listed, followed and ended",
  async () => {
    await using lan = await Lan.create(["alice", "bob"]);
    await using home = await tempFolder();
    const limit = `[library]\ndownload_limit = ${SIZE / SECONDS}\n`;
    await writeTree(home.path, { "config/config.toml": limit });
    const init = { netns: lan.host("bob").namespace, dataDir: home.path };
    const almenad = (...words: string[]) =>
      runAlmenad(["--data-dir", home.path, ...words], { netns: init.netns });
    await using alice = await LibraryDaemon.start({ netns: lan.host("alice").namespace });
    const content = { "version.ini": "version=7", "big.bin": noiseBytes(SIZE) };
    await writeTree(join(alice.dir, "game"), content);
    await alice.scan();
    {
      await using bob = await LibraryDaemon.start(init);
      await bob.item("game", ({ peers }) => peers === 1);
      const unknown = await almenad("call", "jobs.cancel", JOB);
      assert.match(unknown.stderr, /Cannot find job "download:game"/);
      await using doors = new Doors(bob, ["--type", "JobUpdate", "--job", JOB]);
      await bob.call("library", "download", { id: "game", install: false });
      for (const { message } of await doors.tell("Running")) {
        assert.equal(message, `Fetching "game", version 7`);
      }
      assert.match((await almenad("jobs")).stdout, /download:game +library\.download +Running/);
      const cancelled = await almenad("call", "jobs.cancel", JOB);
      assert.equal(cancelled.code, 0, cancelled.stderr);
      await doors.tell("Cancelled");
      const [job] = await jobs(bob);
      assert.deepEqual([job?.kind, job?.status], ["library.download", "Cancelled"]);
      await bob.call("library", "download", { id: "game", install: false });
    }
    await using bob = await LibraryDaemon.start(init); // and nobody asks for anything
    await using doors = new Doors(bob, ["--type", "JobUpdate", "--library", "default"]);
    const [job] = await jobs(bob);
    assert.deepEqual([job?.job_id, job?.kind], [JOB, "library.download"], "the same as before");
    const followed = await almenad("call", "jobs.watch", JOB, "--format", "json");
    assert.equal(followed.code, 0, followed.stderr);
    const seen = followed.stdout.trim().split("\n").map((line) => JSON.parse(line) as Update);
    assert.deepEqual([seen.at(-1)?.status, seen.at(-1)?.progress], ["Completed", 1]);
    for (const { progress } of await doors.tell("Completed")) assert.equal(progress, 1);
    await bob.item("game", ({ downloaded }) => downloaded);
  },
);
