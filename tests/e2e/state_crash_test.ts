/**
 * kill -9 at each step of each write of trust, networks and policies, and a disk that fails: old or
 * new, never lost. A program that writes them stands for the daemon: plugins_crash_test.ts has that.
 */
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { sized } from "../support/hostile/seeded.ts";
import { killAt, WRITE_STEPS, type WriteStep } from "../support/kill_at.ts";
import { LineProcess } from "../support/line_process.ts";
import { linuxRoot, program, testNeeding } from "../support/needs.ts";
import { folderOf, SUBJECTS } from "../support/state_writer.ts";
import { tempFolder } from "../support/temp_folder.ts";

const WRITER = fileURLToPath(new URL("../support/state_writer.ts", import.meta.url));
const NAMES = Object.keys(SUBJECTS);

function writerCommand(...words: string[]): string[] {
  return [Deno.execPath(), "run", "-A", "--no-check", WRITER, ...words];
}

/** Kills a writer at one step of its second change. @returns What the files say then. */
async function killWriter(what: string, step: WriteStep): Promise<number> {
  await using folder = await tempFolder();
  const command = writerCommand(folder.path, what, "1", "2", "wait");
  await using writer = new LineProcess({ command });
  await writer.waitFor("the first change", (line) => line === "done 1" || undefined, 30_000);
  await using _watch = await killAt(writer.pid, step, folderOf(what, folder.path));
  await writer.write("go");
  const { signal } = await writer.ended();
  assert.equal(signal, "SIGKILL", `${what}: nobody came to "${step.name}"`);
  assert.deepEqual(writer.lines, ["done 1"]);
  return await SUBJECTS[what]!(folder.path).read();
}

for (const what of NAMES) {
  testNeeding(
    [program("strace"), linuxRoot()],
    `kill -9 at each step of a write of ${what} leaves the old state or the new`,
    async () => {
      for (const step of WRITE_STEPS) {
        assert.equal(await killWriter(what, step), step.leaves === "old" ? 1 : 2, step.name);
      }
    },
  );
}

/** Runs the writer on a disk that answers a system call with an error, and gives what it said. */
async function failWith(folder: string, syscall: string, error: string): Promise<string[]> {
  const args = [
    ...["-f", "-qq", "-o", "/dev/null", "-e", `trace=${syscall}`],
    ...["-e", `inject=${syscall}:error=${error}`, ...writerCommand(folder, "all", "2", "2")],
  ];
  const { stdout } = await new Deno.Command("strace", { args, stderr: "null" }).output();
  return new TextDecoder().decode(stdout).trim().split("\n");
}

testNeeding(
  [program("strace")],
  "a full or failing disk acknowledges nothing, names the file and leaves the old state",
  async () => {
    for (const [syscall, error] of [["fsync", "ENOSPC"], ["rename", "ENOSPC"], ["fsync", "EIO"]]) {
      await using folder = await tempFolder();
      for (const what of NAMES) await SUBJECTS[what]!(folder.path).change(1);
      const said = await failWith(folder.path, syscall!, error!);
      assert.equal(said.length, NAMES.length);
      for (const [index, what] of NAMES.entries()) {
        assert.match(said[index]!, new RegExp(`^failed ${what} 2: .*Cannot write .*\\.json: `));
        assert.equal(await SUBJECTS[what]!(folder.path).read(), 1, `${what} ${syscall} ${error}`);
      }
      const left = (await readdir(folder.path, { recursive: true }))
        .filter((name) => name.endsWith(".tmp"));
      assert.deepEqual(left, []);
    }
  },
);

Deno.test("kill -9 at any moment leaves the old state or the new", async () => {
  const rounds = sized(1, 40);
  for (const what of NAMES) {
    await using folder = await tempFolder();
    let last = 0;
    for (let round = 0; round < rounds; round++) {
      const command = writerCommand(folder.path, what, String(last + 1), "1000000");
      await using writer = new LineProcess({ command });
      const enough = `done ${last + 20 + 7 * round}`;
      await writer.waitFor(enough, (line) => line === enough || undefined, 60_000);
      await writer.stop("SIGKILL");
      last = Number(writer.lines.at(-1)!.slice("done ".length));
      const found = await SUBJECTS[what]!(folder.path).read();
      assert.ok(found === last || found === last + 1, `${what}: ${last} was told, found ${found}`);
      last = found;
    }
    const left = (await readdir(folder.path)).filter((name) => name.endsWith(".tmp"));
    assert.ok(left.length <= rounds, "temporary files pile up");
  }
});
