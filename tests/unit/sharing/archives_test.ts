import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { zipSync } from "fflate";
import { systemFiles } from "../../../src/sharing/files.ts";
import { ArchiveUnpacker } from "../../../src/sharing/unpack/archives.ts";
import { type ArchiveEntry, readTree, tarOf } from "../../support/sharing/item_folder.ts";
import { tempFolder } from "../../support/temp_folder.ts";

const text = (value: string) => new TextEncoder().encode(value);

async function unpack(name: string, bytes: Uint8Array, limits = {}) {
  const folder = await tempFolder();
  try {
    const [root, target] = [join(folder.path, "root"), join(folder.path, "root", "target")];
    await mkdir(target, { recursive: true });
    await writeFile(join(root, name), bytes);
    const unpacker = new ArchiveUnpacker({ files: systemFiles, external: () => [] }, limits);
    const { signal } = new AbortController();
    await unpacker.unpack(root, target, signal, () => undefined);
    return await readTree(target);
  } finally {
    await folder[Symbol.asyncDispose]();
  }
}

Deno.test("ArchiveUnpacker.unpack() reads tar, tar.gz and zip", async () => {
  const tar = await tarOf([{ name: "d/", type: "directory" }, { name: "d/a", content: "x" }]);
  const zip = zipSync({ "d/a": text("x"), "d/": new Uint8Array() });
  for (
    const [name, bytes] of [["a.tar", tar], ["a.tar.gz", gzipSync(tar)], ["a.zip", zip]] as const
  ) {
    assert.deepEqual(await unpack(name, bytes), { "d/": "", "d/a": "x" }, name);
  }
});

const BAD: readonly ArchiveEntry[] = [
  { name: "../evil", content: "x" },
  { name: "a/../../evil", content: "x" },
  { name: "/etc/evil", content: "x" },
  { name: "C:\\evil", content: "x" },
  { name: "aux.txt", content: "x" },
  { name: "link", type: "symlink", linkname: "/etc/passwd" },
  { name: "hard", type: "link", linkname: "../../x" },
  { name: "dev", type: "character-device" },
  { name: "pipe", type: "fifo" },
  { name: ".lanspread_owned", content: "x" },
];
for (const entry of BAD) {
  Deno.test(`ArchiveUnpacker.unpack() refuses ${entry.type ?? "file"} "${entry.name}"`, async () => {
    await assert.rejects(unpack("a.tar", await tarOf([entry])), { name: "DaemonError" });
    if (entry.type) return;
    const zip = zipSync({ [entry.name]: text("x") });
    await assert.rejects(unpack("a.zip", zip), { name: "DaemonError" });
  });
}

Deno.test("ArchiveUnpacker.unpack() refuses two names that are one on some file system", async () => {
  const tar = await tarOf([{ name: "A", content: "1" }, { name: "a", content: "2" }]);
  await assert.rejects(unpack("a.tar", tar), /two entries/);
});

Deno.test("ArchiveUnpacker.unpack() stops an archive that grows out of proportion", async () => {
  const bomb = gzipSync(await tarOf([{ name: "zero", content: new Uint8Array(64 * 2 ** 20) }]));
  await assert.rejects(unpack("a.tar.gz", bomb, { freeOfRatioBytes: 2 ** 20 }), /grows over/);
  const zip = zipSync({ zero: new Uint8Array(64 * 2 ** 20) });
  await assert.rejects(unpack("a.zip", zip, { freeOfRatioBytes: 2 ** 20 }), /grows over/);
});

Deno.test("ArchiveUnpacker.unpack() refuses more entries than an item may have", async () => {
  const entries = Array.from({ length: 300 }, (_, index) => ({ name: `f${index}`, content: "" }));
  await assert.rejects(unpack("a.tar", await tarOf(entries), { maxEntries: 200 }), /entries/);
  const zip = zipSync(Object.fromEntries(entries.map(({ name }) => [name, new Uint8Array()])));
  await assert.rejects(unpack("a.zip", zip, { maxEntries: 200 }), /entries/);
});

Deno.test("ArchiveUnpacker.unpack() fails cleanly on a damaged archive", async () => {
  const tar = gzipSync(await tarOf([{ name: "a", content: "x".repeat(100_000) }]));
  await assert.rejects(unpack("a.tgz", tar.subarray(0, tar.byteLength - 20)), {
    name: "DaemonError",
  });
  await assert.rejects(unpack("a.zip", text("no archive at all")), { name: "DaemonError" });
});

Deno.test("ArchiveUnpacker.unpack() runs the configured program, and checks what it made", async () => {
  for (
    const [script, isGood] of [["cp {archive} {target}/out", true], ["ln -s / {target}/x", false]]
  ) {
    await using folder = await tempFolder();
    const target = join(folder.path, "target");
    await mkdir(target);
    await writeFile(join(folder.path, "x.part1.rar"), "1");
    await writeFile(join(folder.path, "x.part2.rar"), "2");
    const command = ["sh", "-c", String(script)];
    const unpacker = new ArchiveUnpacker({
      files: systemFiles,
      external: () => [{ extensions: [".rar"], command }],
    });
    const done = unpacker.unpack(
      folder.path,
      target,
      new AbortController().signal,
      () => undefined,
    );
    if (!isGood) await assert.rejects(done, { name: "DaemonError" });
    else {
      await done;
      assert.deepEqual(await readTree(target), { out: "1" });
    }
  }
});
