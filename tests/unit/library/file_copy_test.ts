import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import type { CopyMethod } from "../../../src/library/copy_plan.ts";
import { testNeeding } from "../../support/needs.ts";
import { type OpenShelf, openShelf } from "../../support/shelf.ts";
import { waitFor } from "../../support/wait.ts";

const isWindows = process.platform === "win32";
const SHM = "/dev/shm";
const MIB = 1_048_576;

interface Wish {
  sources: string[];
  destination: string;
  method?: CopyMethod;
  isMove?: boolean;
  isReplacing?: boolean;
}

function begin(shelf: OpenShelf, wish: Wish) {
  const request = { method: "Auto" as const, isMove: false, isReplacing: false, ...wish };
  return shelf.fileCopy.begin(request, { libraryId: "default", requestId: "r-1" });
}

async function copy(shelf: OpenShelf, wish: Wish) {
  return await shelf.ended((await begin(shelf, wish)).jobId);
}

async function exists(path: string): Promise<boolean> {
  return await lstat(path).then(() => true, () => false);
}

Deno.test("FileCopy copies a tree by every method: bytes, rights, times, links; the source stays", async () => {
  await using shelf = await openShelf();
  const source = join(shelf.files, "tree");
  await mkdir(join(source, "inner", "empty"), { recursive: true });
  const bytes = randomBytes(3 * MIB + 17);
  await writeFile(join(source, "inner", "big.bin"), bytes);
  await writeFile(join(source, "run.sh"), "#!/bin/sh\n");
  if (!isWindows) {
    await chmod(join(source, "run.sh"), 0o750);
    await symlink("inner/big.bin", join(source, "link"));
    await symlink("/nowhere", join(source, "dangling"));
  }
  await utimes(join(source, "run.sh"), 1_000, 2_000);
  for (const method of ["Auto", "Atomic", "Streaming"] as const) {
    const destination = join(shelf.files, `copy-${method}`);
    const job = await copy(shelf, { sources: [source], destination, method });
    assert.equal(job.status, "Completed", job.message);
    assert.ok(Buffer.compare(await readFile(join(destination, "inner", "big.bin")), bytes) === 0);
    const names = await readdir(join(destination, "inner"));
    assert.deepEqual(names.sort(), ["big.bin", "empty"]);
    const stats = await stat(join(destination, "run.sh"));
    assert.equal(stats.mtimeMs, 2_000_000);
    if (!isWindows) {
      assert.equal(stats.mode & 0o777, 0o750);
      assert.equal(await readlink(join(destination, "link")), "inner/big.bin");
      assert.equal(await readlink(join(destination, "dangling")), "/nowhere");
    }
  }
  assert.ok(await exists(join(source, "inner", "big.bin")));
  assert.deepEqual(await readdir(join(shelf.base, "data", "copies")), []);
});

Deno.test("FileCopy tells how far it is: queued, running, completed, never backwards", async () => {
  await using shelf = await openShelf();
  const source = join(shelf.files, "big.bin");
  await writeFile(source, new Uint8Array(64 * MIB));
  const job = await copy(shelf, {
    sources: [source],
    destination: join(shelf.files, "copy.bin"),
    method: "Streaming",
  });
  const updates = shelf.events.filter(({ topic }) => topic === "job.updated")
    .map(({ payload }) => payload);
  assert.ok(
    updates.every((update) =>
      update["job_id"] === job.jobId && update["library_id"] === "default" &&
      update["request_id"] === "r-1"
    ),
  );
  const statuses = updates.map(({ status }) => status);
  assert.deepEqual([...new Set(statuses)], ["Queued", "Running", "Completed"]);
  const progress = updates.map((update) => Number(update["progress"]));
  assert.deepEqual(progress, progress.toSorted((a, b) => a - b), "progress never goes back");
  assert.equal(updates.at(-1)?.["status"], "Completed");
  assert.equal(progress.at(-1), 1);
  assert.equal(job.message, `Copied 1 files, ${64 * MIB} bytes`);
});

Deno.test("FileCopy cancelled in the middle leaves nothing of the copy, and the source", async () => {
  await using shelf = await openShelf();
  const source = join(shelf.files, "big.bin");
  await writeFile(source, new Uint8Array(256 * MIB));
  const target = join(shelf.files, "out");
  await mkdir(target);
  const { jobId } = await begin(shelf, {
    sources: [source],
    destination: target,
    method: "Streaming",
  });
  await waitFor("progress", () => shelf.jobs.get(jobId).progress > 0, 5_000);
  const job = await shelf.jobs.cancel(jobId);
  assert.equal(job.status, "Cancelled");
  assert.deepEqual(await readdir(target), []);
  assert.ok(await exists(source));
  await assert.rejects(shelf.jobs.cancel(jobId), { code: "failed_precondition" });
});

Deno.test("FileCopy refuses what cannot be done before anything is touched", async () => {
  await using shelf = await openShelf();
  const { files } = shelf;
  const [file, folder] = [join(files, "file"), join(files, "folder")];
  await writeFile(file, "x");
  await mkdir(join(folder, "inside"), { recursive: true });
  await writeFile(join(files, "taken"), "precious");
  if (!isWindows) await symlink(file, join(files, "link"));
  const key = join(shelf.base, "data", "identity.key");
  await writeFile(key, "secret");
  const table: [sources: string[], destination: string, code: string][] = [
    [[join(files, "missing")], folder, "not_found"],
    [[file], join(files, "no", "such", "name"), "not_found"],
    [["relative"], folder, "invalid_argument"],
    [[`${file}\0`], folder, "invalid_argument"],
    [[file], join(files, "taken"), "already_exists"],
    [[file], file, "invalid_argument"],
    [[folder], join(folder, "inside"), "invalid_argument"],
    [[file, folder], join(files, "new"), "invalid_argument"],
    [[file, file], folder, "invalid_argument"],
    [[key], folder, "permission_denied"],
    [[file], join(shelf.base, "data"), "permission_denied"],
    [[shelf.base], folder, "permission_denied"],
    ...isWindows ? [] : [
      [[join(files, "link")], folder, "invalid_argument"],
      [["/dev/null"], folder, "invalid_argument"],
    ] as [string[], string, string][],
  ];
  for (const [sources, destination, code] of table) {
    await assert.rejects(begin(shelf, { sources, destination }), { code }, `${sources}`);
  }
  assert.equal(await readFile(join(files, "taken"), "utf8"), "precious");
  assert.deepEqual(await readdir(folder), ["inside"]);
  assert.deepEqual(shelf.jobs.list(), []);
});

Deno.test("FileCopy replaces a file only when asked to", async () => {
  await using shelf = await openShelf();
  const [source, target] = [join(shelf.files, "a"), join(shelf.files, "b")];
  await writeFile(source, "new");
  await writeFile(target, "old");
  for (const method of ["Auto", "Atomic", "Streaming"] as const) {
    const job = await copy(shelf, {
      ...{ sources: [source], destination: target, method, isReplacing: true },
    });
    assert.equal(job.status, "Completed", job.message);
    assert.equal(await readFile(target, "utf8"), "new");
  }
});

Deno.test("FileCopy moves on one volume by renaming, and by Streaming with a verified copy", async () => {
  await using shelf = await openShelf();
  const source = join(shelf.files, "a");
  for (const method of ["Auto", "Atomic", "Streaming"] as const) {
    await writeFile(source, method);
    const { ino } = await stat(source);
    const target = join(shelf.files, `moved-${method}`);
    const job = await copy(shelf, {
      sources: [source],
      destination: target,
      method,
      isMove: true,
    });
    assert.equal(job.status, "Completed", job.message);
    assert.equal(await exists(source), false);
    assert.equal(await readFile(target, "utf8"), method);
    assert.equal((await stat(target)).ino === ino, method !== "Streaming");
  }
});

const volumes = {
  name: "a second volume",
  isMet: Deno.build.os === "linux" &&
    Deno.statSync(SHM).dev !== Deno.statSync(process.env["TMPDIR"] ?? "/tmp").dev,
};

testNeeding(
  [volumes],
  "FileCopy across volumes: Atomic refuses, Auto copies and removes",
  async () => {
    await using shelf = await openShelf();
    const other = await mkdtemp(join(SHM, "almenad-test-"));
    try {
      const source = join(shelf.files, "tree");
      await mkdir(source);
      await writeFile(join(source, "file"), "content");
      const wish = { sources: [source], destination: other, isMove: true };
      await assert.rejects(begin(shelf, { ...wish, method: "Atomic" }), {
        code: "failed_precondition",
        message: /different volumes.*Auto or Streaming/,
      });
      const copied = await copy(shelf, { ...wish, method: "Atomic", isMove: false });
      assert.equal(copied.status, "Completed", "a copy, not a move, may be atomic across volumes");
      await rm(join(other, "tree"), { recursive: true });
      const moved = await copy(shelf, { ...wish, method: "Auto" });
      assert.equal(moved.status, "Completed", moved.message);
      assert.equal(await exists(source), false);
      assert.equal(await readFile(join(other, "tree", "file"), "utf8"), "content");
    } finally {
      await rm(other, { recursive: true });
    }
  },
);

Deno.test("FileCopy keeps a source that changed while it was moved", async () => {
  await using shelf = await openShelf();
  const source = join(shelf.files, "tree");
  await mkdir(source);
  await writeFile(join(source, "big"), new Uint8Array(64 * MIB));
  await writeFile(join(source, "log"), "first");
  const { jobId } = await begin(shelf, {
    sources: [source],
    destination: join(shelf.files, "moved"),
    method: "Streaming",
    isMove: true,
  });
  await waitFor("progress", () => shelf.jobs.get(jobId).progress > 0, 5_000);
  await writeFile(join(source, "appeared"), "meanwhile");
  const job = await shelf.ended(jobId);
  const where = await exists(join(source, "appeared")) ? source : join(shelf.files, "moved");
  assert.equal(await readFile(join(where, "appeared"), "utf8"), "meanwhile", job.message);
});

Deno.test("FileCopy clears away what a killed daemon left, and tells of it as a failed job", async () => {
  await using shelf = await openShelf();
  const folder = join(shelf.base, "data", "copies");
  await mkdir(folder);
  const id = crypto.randomUUID();
  const temp = join(shelf.files, `.big.bin.${crypto.randomUUID()}.tmp`);
  await mkdir(join(temp, "inner"), { recursive: true });
  await writeFile(join(shelf.files, "precious"), "x");
  const entry = {
    job_id: id,
    library_id: "default",
    message: "Copies 1 to somewhere",
    created_at: Date.UTC(2026, 0, 1),
    temps: [temp, join(shelf.files, "precious"), shelf.files],
  };
  await writeFile(join(folder, `${id}.json`), JSON.stringify(entry));
  await writeFile(join(folder, "damaged.json"), "{");
  await using again = await shelf.reopen();
  const [job] = await waitFor("recovery", () => {
    const jobs = again.jobs.list();
    return jobs.length > 0 && jobs;
  });
  assert.equal(job?.jobId, id);
  assert.equal(job?.status, "Failed");
  assert.equal(job?.error, "aborted");
  assert.match(job?.message ?? "", /^Copies 1 to somewhere: cut short/);
  assert.deepEqual(await readdir(shelf.files), ["precious"]);
  assert.deepEqual(await readdir(folder), ["damaged.json"], "a damaged entry is left to a person");
});

Deno.test("Jobs run two at a time, the rest wait their turn and can be cancelled", async () => {
  await using shelf = await openShelf();
  const gate = Promise.withResolvers<string>();
  const submit = () =>
    shelf.jobs.submit({ kind: "test", message: "waits", run: () => gate.promise }).jobId;
  const [first = "", second = "", third = ""] = [submit(), submit(), submit()];
  await waitFor("two", () => shelf.jobs.list({ status: "Running" }).length === 2);
  assert.equal(shelf.jobs.get(third).status, "Queued");
  assert.equal((await shelf.jobs.cancel(third)).status, "Cancelled");
  gate.resolve("done");
  for (const id of [first, second]) assert.equal((await shelf.ended(id)).status, "Completed");
  for (let count = 0; count < 256; count++) submit();
  assert.throws(submit, { code: "resource_exhausted" });
});
