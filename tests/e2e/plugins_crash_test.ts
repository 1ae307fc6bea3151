/** kill -9 at each step of each write of trust, networks and policies: old or new, never lost. */
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { program, testNeeding } from "../support/needs.ts";
import { SUBJECTS } from "../support/state_writer.ts";
import { tempFolder } from "../support/temp_folder.ts";

const WRITER = fileURLToPath(new URL("../support/state_writer.ts", import.meta.url));
/** Where a durable write is cut: before the file is on the disk, before its name is, before the folder. */
const SYSCALLS = ["fsync", "rename"] as const;
const CHANGES = 3;

/** Runs the writer until strace kills it at the n-th such call that concerns the folder. */
async function killAt(folder: string, what: string, syscall: string, n: number): Promise<number> {
  const args = [
    ...["-f", "-qq", "-o", "/dev/null"],
    ...["-e", `trace=${syscall}`, "-e", `inject=${syscall}:signal=KILL:when=${n}`],
    ...[Deno.execPath(), "run", "-A", "--no-check", WRITER, folder, what, "2", String(1 + CHANGES)],
  ];
  const { stdout } = await new Deno.Command("strace", { args, stderr: "null" }).output();
  return new TextDecoder().decode(stdout).split("\n").filter((line) => line.startsWith("done"))
    .length;
}

async function check(what: string, folder: string, acknowledged: number): Promise<void> {
  const found = await SUBJECTS[what]!(folder).read();
  const isOldOrNew = found === acknowledged || found === acknowledged + 1;
  assert.ok(isOldOrNew, `${what}: change ${acknowledged} was acknowledged, found ${found}`);
}

testNeeding(
  [program("strace")],
  "kill -9 at each step of a write leaves the old state or the new",
  async () => {
    for (const what of Object.keys(SUBJECTS)) {
      for (const syscall of SYSCALLS) {
        // strace counts by thread, so only the first is sure to be reached.
        for (const n of [1, 2, 3]) {
          await using folder = await tempFolder();
          await SUBJECTS[what]!(folder.path).change(1);
          const acknowledged = await killAt(folder.path, what, syscall, n);
          if (n === 1) assert.ok(acknowledged < CHANGES, `${syscall} did not end the writer`);
          await check(what, folder.path, 1 + acknowledged);
        }
      }
    }
  },
);

/** Runs the writer on a disk that answers a system call with an error, and gives what it said. */
async function failWith(folder: string, what: string, syscall: string, error: string) {
  const args = [
    ...["-f", "-qq", "-o", "/dev/null", "-e", `trace=${syscall}`],
    ...["-e", `inject=${syscall}:error=${error}`],
    ...[Deno.execPath(), "run", "-A", "--no-check", WRITER, folder, what, "2", "2"],
  ];
  const { stdout, stderr } = await new Deno.Command("strace", { args }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { stdout: text(stdout), stderr: text(stderr) };
}

testNeeding(
  [program("strace")],
  "a full or failing disk acknowledges nothing, names the file and leaves the old state",
  async () => {
    for (const what of Object.keys(SUBJECTS)) {
      for (const error of ["ENOSPC", "EIO"]) {
        for (const syscall of SYSCALLS) {
          await using folder = await tempFolder();
          await SUBJECTS[what]!(folder.path).change(1);
          const { stdout, stderr } = await failWith(folder.path, what, syscall, error);
          assert.equal(stdout, "", `${what} ${syscall} ${error}`);
          assert.match(stderr, /Cannot write .*\.json: /);
          assert.equal(await SUBJECTS[what]!(folder.path).read(), 1);
          const left = (await filesBelow(folder.path)).filter((name) => name.endsWith(".tmp"));
          assert.deepEqual(left, []);
        }
      }
    }
  },
);

async function filesBelow(folder: string): Promise<string[]> {
  return await readdir(folder, { recursive: true });
}

Deno.test("kill -9 at any moment leaves the old state or the new", async () => {
  const rounds = process.env["ALMENAD_FULL"] ? 40 : 4;
  for (const what of Object.keys(SUBJECTS)) {
    await using folder = await tempFolder();
    let last = 0;
    for (let round = 0; round < rounds; round++) {
      const command = [Deno.execPath(), "run", "-A", "--no-check", WRITER];
      const [exe = "", ...args] = [...command, folder.path, what, String(last + 1), "1000000"];
      const child = new Deno.Command(exe, { args, stdout: "piped", stderr: "inherit" }).spawn();
      let text = "";
      const decoder = new TextDecoder();
      const ends = Date.now() + 10_000;
      for await (const chunk of child.stdout) {
        text += decoder.decode(chunk, { stream: true });
        const count = text.split("\n").length - 1;
        if (count > 20 + 7 * round || Date.now() > ends) child.kill("SIGKILL");
      }
      await child.status;
      const whole = text.slice(0, text.lastIndexOf("\n"));
      last = Number(/done (\d+)$/.exec(whole)?.[1] ?? last);
      await check(what, folder.path, last);
      last = await SUBJECTS[what]!(folder.path).read();
    }
    const left = (await readdir(folder.path)).filter((name) => name.endsWith(".tmp"));
    assert.ok(left.length <= rounds, "temporary files pile up");
  }
});
