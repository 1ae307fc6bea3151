import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { type FileHandle, mkdir, readdir, readFile, readlink } from "node:fs/promises";
import { rename, symlink, truncate } from "node:fs/promises";
import { join } from "node:path";
import { BULK_BYTES } from "../../../src/sharing/bulk_file.ts";
import { ChunkIntake } from "../../../src/sharing/chunk_intake.ts";
import { ChunkMemory } from "../../../src/sharing/chunk_memory.ts";
import { ChunkThread } from "../../../src/sharing/chunk_thread.ts";
import { DirectFile } from "../../../src/sharing/direct_file.ts";
import { systemFiles } from "../../../src/sharing/files.ts";
import { CHUNK_BYTES } from "../../../src/sharing/names.ts";
import { linuxRoot, onLinux, testNeeding } from "../../support/needs.ts";
import { noiseBytes } from "../../support/sharing/library_node.ts";
import { tempFolder } from "../../support/temp_folder.ts";

/** A folder, a thread, and chunks in its memory. */
async function scene() {
  const folder = await tempFolder();
  const thread = new ChunkThread(new ChunkMemory());
  const path = join(folder.path, "file");
  const chunk = (seed: number, length = CHUNK_BYTES) => {
    const bytes = thread.memory.take().subarray(0, length);
    bytes.set(noiseBytes(length, seed));
    return bytes;
  };
  return {
    ...{ folder: folder.path, thread, path, chunk },
    open: (at = path) => systemFiles.open(at, "update", { thread }),
    async [Symbol.asyncDispose]() {
      await thread.end();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** Flags of every descriptor of this process that is open on a file. */
async function flagsOf(path: string): Promise<number[]> {
  const flags = [];
  for (const fd of await readdir("/proc/self/fd")) {
    if (await readlink(`/proc/self/fd/${fd}`).catch(() => "") !== path) continue;
    const info = await readFile(`/proc/self/fdinfo/${fd}`, "utf8");
    flags.push(Number.parseInt(/flags:\s*(\d+)/.exec(info)?.[1] ?? "0", 8));
  }
  return flags;
}

const isDirect = (flags: number) => (flags & 0o40000) !== 0;

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

Deno.test("Chunks of any length are written at their places, the last bytes as well", async () => {
  await using given = await scene();
  const lengths = [CHUNK_BYTES, CHUNK_BYTES - 1, BULK_BYTES + 4_097, BULK_BYTES, 5_000, 1];
  const chunks = lengths.map((length, seed) => given.chunk(seed, length));
  const file = await given.open();
  await file.truncate(lengths.length * CHUNK_BYTES);
  await Promise.all(chunks.map((chunk, index) => file.write(chunk, index * CHUNK_BYTES)));
  await file.write(given.chunk(9, 70_000), 4 * CHUNK_BYTES + 10_001); // at no such place
  await file.sync();
  await file.close();
  const whole = await readFile(given.path);
  assert.equal(whole.byteLength, lengths.length * CHUNK_BYTES);
  for (const [index, chunk] of chunks.entries()) {
    const at = index * CHUNK_BYTES;
    assert.equal(sha256(whole.subarray(at, at + chunk.byteLength)), sha256(chunk), `${index}`);
  }
  const at = 4 * CHUNK_BYTES + 10_001;
  assert.equal(sha256(whole.subarray(at, at + 70_000)), sha256(noiseBytes(70_000, 9)));
});

testNeeding(
  [onLinux()],
  "Chunks pass the system's cache by, and nothing of a closed file stays open",
  async () => {
    await using given = await scene();
    const file = await given.open();
    await file.truncate(CHUNK_BYTES);
    await file.write(given.chunk(1), 0);
    assert.equal((await flagsOf(given.path)).some(isDirect), true);
    await file.close();
    assert.deepEqual(await flagsOf(given.path), []);
  },
);

testNeeding(
  [onLinux()],
  "What takes another file's place is not written to, nor what a link in its place names",
  async () => {
    await using given = await scene();
    const other = join(given.folder, "other");
    await using _other = await systemFiles.open(other, "update").then((file) => ({
      [Symbol.asyncDispose]: () => file.close(),
    }));
    await truncate(other, CHUNK_BYTES);
    for (const putThere of [rename, symlink] as const) {
      const moved = join(given.folder, `moved by ${putThere.name}`);
      const file = await given.open();
      await file.truncate(CHUNK_BYTES);
      await rename(given.path, moved);
      await putThere(other, given.path);
      const chunk = given.chunk(2);
      await file.write(chunk, 0);
      await file.close();
      assert.equal(sha256(await readFile(moved)), sha256(chunk));
      assert.equal((await readFile(given.path)).every((byte) => byte === 0), true);
      await rename(given.path, other);
    }
  },
);

Deno.test("A file that its system has no number for is written to in another way", async () => {
  await using given = await scene();
  const handle = { stat: () => Promise.resolve({ dev: 1n, ino: 0n }) } as unknown as FileHandle;
  const file = new DirectFile(given.thread, handle, given.path);
  assert.equal(await file.write(given.chunk(1), 0), 0);
  await file.close();
});

testNeeding([onLinux()], "A disk's failure comes back with its code", async () => {
  await using given = await scene();
  const file = await given.open("/dev/full");
  const full = (error: NodeJS.ErrnoException) => error.code === "ENOSPC";
  await assert.rejects(file.write(given.chunk(3), 0), full);
  await file.close();
});

testNeeding([linuxRoot()], "A file system without such writes is written to as well", async () => {
  await using given = await scene();
  const disk = join(given.folder, "disk");
  await mkdir(disk);
  const run = async (program: string, ...args: string[]) => {
    const { code, stderr } = await new Deno.Command(program, { args }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
  };
  await run("mount", "-t", "ramfs", "almenad-test", disk);
  try {
    const path = join(disk, "file");
    const file = await given.open(path);
    const chunk = given.chunk(4);
    await file.write(chunk, 0);
    assert.equal((await flagsOf(path)).some(isDirect), false);
    await file.close();
    assert.equal(sha256(await readFile(path)), sha256(chunk));
  } finally {
    await run("umount", disk);
  }
});

Deno.test("A chunk is hashed where it is, however many there are", async () => {
  await using given = await scene();
  for (let index = 0; index < 40; index++) {
    const chunk = given.chunk(index, CHUNK_BYTES - index);
    assert.equal(await given.thread.hash(chunk), sha256(noiseBytes(CHUNK_BYTES - index, index)));
    if (index % 2 === 0) given.thread.memory.give(chunk);
  }
});

Deno.test("A chunk that does not come leaves its memory to the next one", async () => {
  await using given = await scene();
  const seen = new Set<number>();
  const fetchChunk = (_peer: string, _place: unknown, buffer: Uint8Array) => {
    seen.add(buffer.byteOffset);
    return Promise.reject(new TypeError("it left"));
  };
  const entry = { path: "file", size: CHUNK_BYTES, sha256: "", chunks: [""] };
  const manifest = { id: "item", version: "1", files: [entry] };
  const intake = new ChunkIntake({ client: { fetchChunk }, thread: given.thread }, manifest);
  const chunk = { index: 0, file: 0, chunk: 0, length: CHUNK_BYTES };
  for (let index = 0; index < 30; index++) {
    const { signal } = new AbortController();
    await assert.rejects(intake.receive(chunk, "peer", signal, () => undefined), /it left/);
  }
  assert.equal(seen.size, 1);
});
