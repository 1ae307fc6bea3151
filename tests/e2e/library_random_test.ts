/**
 * Random sequences of operations, failing disks, recoveries and the user's own files on one item, from a
 * seed: 30 sequences, 1,000 under ALMENAD_FULL=1; `ALMENAD_SEED` replays one run.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { systemClock } from "../../src/core/mod.ts";
import { Installs } from "../../src/sharing/transaction.ts";
import { systemFiles } from "../../src/sharing/files.ts";
import { ArchiveUnpacker } from "../../src/sharing/unpack/archives.ts";
import { FaultFiles } from "../support/sharing/fault_files.ts";
import { readTree, tarGzOf, writeTree } from "../support/sharing/item_folder.ts";
import { QUICK_PARENT, tempFolder } from "../support/temp_folder.ts";

const RUNS = process.env["ALMENAD_FULL"] === "1" ? 1_000 : 30;
const SEED = Number(process.env["ALMENAD_SEED"] ?? 7_001);

type Step =
  | { readonly kind: "install"; readonly stopAt: number }
  | { readonly kind: "uninstall"; readonly stopAt: number }
  | { readonly kind: "recover"; readonly stopAt: number }
  | { readonly kind: "new version" }
  | { readonly kind: "foreign"; readonly name: string };

const stopAt = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 60 }));
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant("install" as const), stopAt }),
  fc.record({ kind: fc.constant("uninstall" as const), stopAt }),
  fc.record({ kind: fc.constant("recover" as const), stopAt }),
  fc.record({ kind: fc.constant("new version" as const) }),
  fc.record({
    kind: fc.constant("foreign" as const),
    name: fc.constantFrom("mine.txt", "own/a.txt", "save.dat", ".hidden", "local.txt"),
  }),
);

const contentOf = (version: number) => ({ "a.txt": `a ${version}`, "deep/b.txt": `b ${version}` });

Deno.test("Installs keeps its invariants through random operations, stops and foreign files", async () => {
  let operations = 0;
  let stops = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 10 }), async (steps) => {
      await using folder = await tempFolder(QUICK_PARENT);
      const root = folder.path;
      const foreign: Record<string, string> = {};
      let version = 1;
      const possible = new Set(["none"]);
      const publish = async () =>
        await writeTree(root, {
          "version.ini": `version=${version}\n`,
          "data.tar.gz": await tarGzOf(contentOf(version)),
        });
      await publish();
      for (const [index, one] of steps.entries()) {
        if (one.kind === "new version") {
          version++;
          await publish();
        } else if (one.kind === "foreign") {
          foreign[one.name] = `the user's ${index}`;
          await writeTree(root, { [one.name]: foreign[one.name] ?? "" });
        } else {
          operations++;
          const files = new FaultFiles(one.stopAt, "EIO", { isLasting: true });
          const installs = new Installs({
            ...{ files, clock: systemClock },
            unpacker: new ArchiveUnpacker({ files, external: () => [] }),
          });
          const { signal } = new AbortController();
          const run = one.kind === "install"
            ? installs.install(root, { version: String(version), signal })
            : one.kind === "uninstall"
            ? installs.uninstall(root)
            : installs.recover(root).then(() => undefined);
          const isDone = await run.then(() => true, () => false);
          if (!isDone) stops++;
          if (one.kind === "install") {
            if (isDone) possible.clear();
            possible.add(String(version));
          } else if (one.kind === "uninstall") {
            if (isDone) possible.clear();
            possible.add("none");
          }
          await settle(root);
        }
        const installed = await check(root, foreign, possible);
        possible.clear();
        possible.add(installed);
      }
    }),
    { numRuns: RUNS, seed: SEED },
  );
  process.stdout.write(`${RUNS} sequences, ${operations} operations, ${stops} of them stopped\n`);
});

async function settle(root: string): Promise<void> {
  const unpacker = new ArchiveUnpacker({ files: systemFiles, external: () => [] });
  const installs = new Installs({ files: systemFiles, clock: systemClock, unpacker });
  await installs.recover(root);
  const once = await readTree(root);
  await installs.recover(root);
  assert.deepEqual(await readTree(root), once, "a second recovery changed something");
}

async function check(
  root: string,
  foreign: Readonly<Record<string, string>>,
  possible: ReadonlySet<string>,
): Promise<string> {
  const tree = await readTree(root);
  for (const [path, content] of Object.entries(foreign)) assert.equal(tree[path], content, path);
  assert.equal(Object.keys(tree).some((path) => /^\.local\.|_owned$|\.tmp$/.test(path)), false);
  const log = await readFile(join(root, ".lanspread.json"), "utf8").catch(() => "");
  if (log) assert.equal(JSON.parse(log).state, "None");
  if (tree["local/"] === undefined) {
    assert.equal(possible.has("none"), true, `nothing is installed, not ${[...possible]}`);
    return "none";
  }
  const version = /a (\d+)/.exec(tree["local/a.txt"] ?? "")?.[1] ?? "?";
  assert.equal(possible.has(version), true, `${version} is installed, not ${[...possible]}`);
  const wanted = Object.entries(contentOf(Number(version)));
  for (const [path, content] of wanted) assert.equal(tree[`local/${path}`], content, path);
  const inside = Object.keys(tree).filter((path) =>
    path.startsWith("local/") && !path.endsWith("/")
  );
  assert.equal(inside.length, wanted.length, "a mix of two versions");
  return version;
}
