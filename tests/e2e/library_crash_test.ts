/**
 * Transactions of the shared library stopped by SIGKILL after each step on the disk, and on a disk
 * that fails at each step: old or new, never a mix. `ALMENAD_FULL=1` kills before and after every step.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import {
  inspect,
  perform,
  prepare,
  recover,
  type Transaction,
  TRANSACTIONS,
} from "../support/sharing/crash_scene.ts";
import { type Fault, FaultFiles } from "../support/sharing/fault_files.ts";
import { QUICK_PARENT, tempFolder } from "../support/temp_folder.ts";

const IS_FULL = Deno.env.get("ALMENAD_FULL") === "1";
const CHILD = fileURLToPath(import.meta.resolve("../support/sharing/crash_child.ts"));

async function runChild(folder: string, what: string, step: number, fault: Fault) {
  const args = ["run", "-A", "--no-check", CHILD, folder, what, String(step), fault];
  return await new Deno.Command(Deno.execPath(), { args, stderr: "piped" }).output();
}

async function countSteps(transaction: Transaction): Promise<number> {
  await using folder = await tempFolder(QUICK_PARENT);
  await prepare(folder.path, transaction);
  const files = new FaultFiles();
  await perform(folder.path, transaction, files);
  await inspect(folder.path, transaction, "undisturbed");
  return files.steps.length;
}

for (const transaction of TRANSACTIONS) {
  Deno.test(`${transaction} killed after each step leaves the old state or the new`, async () => {
    const steps = await countSteps(transaction);
    const seen = new Set<string>();
    let kills = 0;
    for (let step = 1; step <= steps; step++) {
      for (const fault of ["kill after", "kill before"] as const) {
        // The small size takes turns; the state before a step is the one after the step before.
        if (!IS_FULL && (fault === "kill before" || step % 6 !== 1)) continue;
        await using folder = await tempFolder(QUICK_PARENT);
        await prepare(folder.path, transaction);
        const { signal, stderr } = await runChild(folder.path, transaction, step, fault);
        const when = `${transaction}, ${fault} step ${step} of ${steps}`;
        assert.equal(signal, "SIGKILL", `${when}: ${new TextDecoder().decode(stderr)}`);
        kills++;
        await recover(folder.path);
        const { installed, downloaded } = await inspect(folder.path, transaction, when);
        seen.add(`${installed}/${downloaded}`);
        await recover(folder.path); // again changes nothing
        assert.deepEqual(await inspect(folder.path, transaction, `${when}, again`), {
          installed,
          downloaded,
        });
      }
    }
    assert.equal(kills > 0, true);
    process.stdout.write(
      `${transaction}: ${kills} kills in ${steps} steps, ended in ${[...seen]}\n`,
    );
  });
}

for (const fault of ["ENOSPC", "EIO"] as const) {
  for (const isLasting of [false, true]) {
    const disk = `a disk that ${isLasting ? "goes on to fail" : "fails once"} with ${fault}`;
    Deno.test(`Every transaction on ${disk} leaves the old state or the new`, async () => {
      let cases = 0;
      for (const transaction of TRANSACTIONS) {
        const steps = await countSteps(transaction);
        for (let step = 1; step <= steps; step += IS_FULL ? 1 : 2) {
          await using folder = await tempFolder(QUICK_PARENT);
          await prepare(folder.path, transaction);
          const files = new FaultFiles(step, fault, { isLasting });
          const when = `${transaction} with ${fault} at ${step} (${isLasting})`;
          let failure: unknown;
          await perform(folder.path, transaction, files).catch((error) => failure = error);
          if (failure) assert.equal((failure as Error).name, "DaemonError", `${when}: ${failure}`);
          cases++;
          await recover(folder.path);
          await inspect(folder.path, transaction, `${when}: ${files.steps[step - 1]}`);
        }
      }
      process.stdout.write(`${cases} cases with ${fault}\n`);
    });
  }
}

Deno.test("A recovery that is stopped at each step is finished by the next one", async () => {
  let cases = 0;
  for (const transaction of ["install", "update", "uninstall"] as const) {
    const steps = await countSteps(transaction);
    for (let step = 2; step <= steps; step += IS_FULL ? 1 : 7) {
      for (let inner = 1;; inner++) {
        await using folder = await tempFolder(QUICK_PARENT);
        await prepare(folder.path, transaction);
        // A disk that fails for good stops the transaction and its own undoing, as a power cut does.
        await perform(folder.path, transaction, new FaultFiles(step, "EIO", { isLasting: true }))
          .catch(() => undefined);
        const files = new FaultFiles(inner, "EIO", { isLasting: true });
        const isDone = await recover(folder.path, files).then(() => true, () => false);
        cases++;
        if (!isDone) await recover(folder.path);
        const when = `${transaction} at ${step}, recovery at ${inner}`;
        await inspect(folder.path, transaction, when);
        if (isDone) break;
      }
    }
  }
  process.stdout.write(`${cases} stopped recoveries\n`);
});

Deno.test("A recovery killed after each step is finished by the next one", async () => {
  let kills = 0;
  const all = [["update", 30], ["update", 20], ["install", 12]] as const;
  for (const [transaction, step] of IS_FULL ? all : all.slice(0, 1)) {
    for (let inner = 1;; inner++) {
      await using folder = await tempFolder(QUICK_PARENT);
      await prepare(folder.path, transaction);
      await runChild(folder.path, transaction, step, "kill after");
      const { signal } = await runChild(folder.path, "recover", inner, "kill after");
      await recover(folder.path);
      const when = `${transaction}, recovery killed at ${inner} in ${join(folder.path)}`;
      await inspect(folder.path, transaction, when);
      if (signal !== "SIGKILL") break;
      kills++;
      if (!IS_FULL) inner += 2;
    }
  }
  assert.equal(kills > 0, true);
  process.stdout.write(`${kills} recoveries killed\n`);
});
