import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { zipSync } from "fflate";
import { type Files, systemFiles } from "../../../src/sharing/files.ts";
import { ArchiveUnpacker } from "../../../src/sharing/unpack/archives.ts";
import { TargetTree } from "../../../src/sharing/unpack/target_tree.ts";
import { hugeTarGz, rarOf, tarHeader, zipSaying } from "../../support/sharing/hostile_archives.ts";
import { type ArchiveEntry, readTree, tarOf } from "../../support/sharing/item_folder.ts";
import { findProgram, fullSize, program, testNeeding } from "../../support/needs.ts";
import { QUICK_PARENT, tempFolder } from "../../support/temp_folder.ts";

const GIB = 1_024 ** 3;

const text = (value: string) => new TextEncoder().encode(value);

async function unpack(
  name: string,
  bytes: Uint8Array,
  limits = {},
  onWrite: (bytes: number) => void = () => undefined,
  openMs = 0,
) {
  const folder = await tempFolder(QUICK_PARENT);
  try {
    const [root, target] = [join(folder.path, "root"), join(folder.path, "root", "target")];
    await mkdir(target, { recursive: true });
    await writeFile(join(root, name), bytes);
    const files: Files = {
      ...systemFiles,
      open: async (path, mode, options) => {
        if (openMs > 0) await new Promise((resolve) => setTimeout(resolve, openMs));
        const file = await systemFiles.open(path, mode, options);
        const write = (part: Uint8Array, at: number) => {
          onWrite(part.byteLength);
          return file.write(part, at);
        };
        return { ...file, write };
      },
    };
    const unpacker = new ArchiveUnpacker({ files, external: () => [] }, limits);
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

Deno.test("ArchiveUnpacker.unpack() refuses 10 GB in an archive of a kilobyte before it writes a byte", async () => {
  const archives = { "a.tar.gz": hugeTarGz(), "a.zip": zipSaying(BigInt(10 * GIB), 1n) };
  for (const [name, bytes] of Object.entries(archives)) {
    assert.equal(bytes.byteLength <= 1_024, true, `${name} has ${bytes.byteLength} bytes`);
    let written = 0;
    const onWrite = (bytes: number) => written += bytes;
    await assert.rejects(unpack(name, bytes, {}, onWrite), /grows over/, name);
    assert.equal(written, 0);
  }
});

Deno.test("ArchiveUnpacker.unpack() refuses a million entries as soon as they are told", async () => {
  await assert.rejects(unpack("a.zip", zipSaying(0n, 1_000_000n)), /more than 250000 entries/);
});

Deno.test("ArchiveUnpacker.unpack() fails on entries that hold more than they say", async () => {
  const zip = zipSync({ zero: new Uint8Array(8 * 2 ** 20) });
  const view = new DataView(zip.buffer, zip.byteOffset);
  const central = zip.findLastIndex((_, at) =>
    at + 4 <= zip.byteLength && view.getUint32(at, true) === 0x02014b50
  );
  view.setUint32(central + 24, 1_000, true);
  // On a slow disk the archive fails before anybody reads from it.
  for (const openMs of [0, 200]) {
    let written = 0;
    await assert.rejects(unpack("a.zip", zip, {}, (bytes) => written += bytes, openMs), {
      name: "DaemonError",
    });
    assert.equal(written <= 2 * 2 ** 20, true, `${written} bytes were written`);
  }
});

Deno.test("ArchiveUnpacker.unpack() fails on archives that are cut off, on a slow disk too", async () => {
  const tar = await tarOf([{ name: "a", content: "x".repeat(2 ** 20) }]);
  const gz = gzipSync(tar.map((byte, at) => at < 512 ? byte : byte ^ (at * 2_654_435_761 >>> 24)));
  const cut: Readonly<Record<string, Uint8Array>> = {
    "a.tar": tar.subarray(0, 300_000),
    "a.tar.gz": gz.subarray(0, gz.byteLength - 200_000),
  };
  for (const [name, bytes] of Object.entries(cut)) {
    for (const openMs of [0, 200]) {
      const unpacked = unpack(name, bytes, {}, () => undefined, openMs);
      await assert.rejects(unpacked, { name: "DaemonError" }, name);
    }
  }
});

Deno.test("ArchiveUnpacker.unpack() keeps no more than a few megabytes of a tar header", async () => {
  const block = tarHeader("PaxHeader", { type: "x", size: 2 * GIB - 1 });
  const bomb = gzipSync(Buffer.concat([block, new Uint8Array(64 * 2 ** 20)]));
  await assert.rejects(unpack("a.tar.gz", bomb), { name: "DaemonError" });
});

testNeeding(
  [fullSize()],
  "ArchiveUnpacker.unpack() stops real archives of 10 GB and of a million entries",
  async () => {
    await using folder = await tempFolder(QUICK_PARENT);
    const path = join(folder.path, "zeros.gz");
    const script = `head -c 10G /dev/zero | gzip -1 >'${path}'`;
    assert.equal((await new Deno.Command("sh", { args: ["-c", script] }).output()).code, 0);
    // One file of 10 GB after its header, as one gzip stream of two members.
    const bomb = Buffer.concat([hugeTarGz(), await readFile(path)]);
    await assert.rejects(unpack("a.tar.gz", bomb), /grows over/);
    const headers: Uint8Array[] = [];
    for (let n = 0; n < 1_000_000; n++) headers.push(tarHeader(`f${n}`));
    const million = gzipSync(Buffer.concat(headers), { level: 1 });
    await assert.rejects(unpack("a.tgz", million), /more than 250000 entries/);
  },
);

Deno.test("ArchiveUnpacker.unpack() refuses more entries than an item may have", async () => {
  const entries = Array.from({ length: 300 }, (_, index) => ({ name: `f${index}`, content: "" }));
  await assert.rejects(unpack("a.tar", await tarOf(entries), { maxEntries: 200 }), /entries/);
  const zip = zipSync(Object.fromEntries(entries.map(({ name }) => [name, new Uint8Array()])));
  await assert.rejects(unpack("a.zip", zip, { maxEntries: 200 }), /entries/);
});

Deno.test("TargetTree remembers no more names than fit", () => {
  const tree = new TargetTree({ files: systemFiles, root: "/", onProgress: () => undefined });
  const long = `${"n".repeat(250)}/`.repeat(4);
  const adopt = () => {
    for (let n = 0; n < 100_000; n++) tree.adopt(`${long}${n}`, 0);
  };
  assert.throws(adopt, /very long names/);
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

async function runExternally(script: string, limits = {}, free = 1e12) {
  await using folder = await tempFolder(QUICK_PARENT);
  const target = join(folder.path, "target");
  await mkdir(target);
  await writeFile(join(folder.path, "x.rar"), "not read");
  const files: Files = { ...systemFiles, freeBytes: () => Promise.resolve(free) };
  const opened: string[] = [];
  files.open = (path, mode, options) => {
    opened.push(mode);
    return systemFiles.open(path, mode, options);
  };
  const external = () => [{ extensions: [".rar"], command: ["sh", "-c", script] }];
  const unpacker = new ArchiveUnpacker({ files, external }, limits);
  const { signal } = new AbortController();
  await unpacker.unpack(folder.path, target, signal, () => undefined);
  return { tree: await readTree(target), opened };
}

Deno.test("ArchiveUnpacker.unpack() bounds what a program unpacks as it does archives", async () => {
  const limits = { maxEntries: 20, freeOfRatioBytes: 1_000_000 };
  await assert.rejects(runExternally("touch $(seq 1 30)", limits), /more than 20 entries/);
  await assert.rejects(runExternally("head -c 2000000 /dev/zero >big", limits), /grows over/);
  const endless = "while :; do sleep 0.05; done";
  await assert.rejects(runExternally(endless, {}, 1_000), { code: "resource_exhausted" });
  await assert.rejects(runExternally("mkfifo pipe"), /no file and no folder/);
  await assert.rejects(runExternally("echo x >'a:b'"), /not allowed/);
});

Deno.test("ArchiveUnpacker.unpack() takes files that a program made read-only", async () => {
  const { tree, opened } = await runExternally("mkdir d; echo x >d/f; chmod 0444 d/f");
  assert.deepEqual(tree, { "d/": "", "d/f": "x\n" });
  assert.deepEqual(opened, ["read"]); // nobody but root could open it otherwise
});

// Debian has two programs of this name; the free one takes the old kind of archive as well.
const unrar = ["unrar", "unrar-nonfree", "unrar-free"].find(findProgram) ?? "unrar";
testNeeding([program(unrar)], "ArchiveUnpacker.unpack() unpacks a .rar with unrar", async () => {
  await using folder = await tempFolder();
  const target = join(folder.path, "target");
  await mkdir(target);
  await writeFile(join(folder.path, "x.rar"), rarOf("hello.txt", text("hello from a rar")));
  const command = [unrar, "x", "-y", "{archive}", "{target}/"];
  const external = () => [{ extensions: [".rar"], command }];
  const unpacker = new ArchiveUnpacker({ files: systemFiles, external });
  const { signal } = new AbortController();
  await unpacker.unpack(folder.path, target, signal, () => undefined);
  assert.deepEqual(await readTree(target), { "hello.txt": "hello from a rar" });
  await writeFile(join(folder.path, "x.rar"), "no archive at all");
  await assert.rejects(unpacker.unpack(folder.path, target, signal, () => undefined), {
    name: "DaemonError",
  });
});
