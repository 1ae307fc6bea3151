/**
 * Random sequences of downloads, installations, removals, kills (SIGKILL of a real process), failing disks,
 * recoveries and the user's own files on one item, from a seed: 8 sequences, 1,000 under ALMENAD_FULL=1;
 * `ALMENAD_SEED` replays one run.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { systemFiles } from "../../src/sharing/files.ts";
import { LineProcess } from "../support/line_process.ts";
import { installsOn } from "../support/sharing/crash_scene.ts";
import { archiveOf, type CrashOrder, installedOf } from "../support/sharing/crash_worker.ts";
import { readTree, writeTree } from "../support/sharing/item_folder.ts";
import { QUICK_PARENT, tempFolder } from "../support/temp_folder.ts";

const RUNS = process.env["ALMENAD_FULL"] === "1" ? 1_000 : 8;
const SEED = Number(process.env["ALMENAD_SEED"] ?? 7_001);
const WORKER = fileURLToPath(import.meta.resolve("../support/sharing/crash_worker.ts"));

type Step =
  | (Pick<CrashOrder, "kind" | "stopAt" | "fault">)
  | { readonly kind: "new version" }
  | { readonly kind: "foreign"; readonly name: string };

const order = fc.record({
  kind: fc.constantFrom("download" as const, "install" as const, "uninstall" as const, "recover"),
  stopAt: fc.oneof(
    fc.constant(0),
    fc.integer({ min: 1, max: 26 }),
    fc.integer({ min: 1, max: 45 }),
  ),
  fault: fc.constantFrom("kill after" as const, "kill before" as const, "EIO", "ENOSPC"),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: order as fc.Arbitrary<Step>, weight: 4 },
  { arbitrary: fc.record({ kind: fc.constant("new version" as const) }), weight: 1 },
  {
    arbitrary: fc.record({
      kind: fc.constant("foreign" as const),
      name: fc.constantFrom("mine.txt", "own/a.txt", "save.dat", ".hidden", "local.txt"),
    }),
    weight: 1,
  },
);

/** Processes that obey orders; one that died makes room for one that waits already. */
class Workers implements AsyncDisposable {
  kills = 0;
  #busy = Workers.#start();
  #spare = Workers.#start();

  static #start(): LineProcess {
    return new LineProcess({ command: [Deno.execPath(), "run", "-A", "--no-check", WORKER] });
  }

  /** @returns Whether it was done, failed, or died in between. */
  async obey(one: CrashOrder): Promise<"done" | "failed" | "killed"> {
    const child = this.#busy;
    await child.waitFor("a worker", (line) => line === "{}" || undefined, 60_000);
    const before = child.lines.length;
    await child.write(JSON.stringify(one));
    try {
      // Every answer so far stands in its lines.
      const answer = () => child.lines.length > before ? child.lines.at(-1) : undefined;
      const line = await child.waitFor("an answer", answer, 60_000);
      return (JSON.parse(line) as { isDone: boolean }).isDone ? "done" : "failed";
    } catch (failure) {
      const { signal } = await child.ended();
      assert.equal(signal, "SIGKILL", `${failure}`);
      this.kills++;
      this.#busy = this.#spare;
      this.#spare = Workers.#start();
      return "killed";
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of [this.#busy, this.#spare]) await child.stop();
  }
}

/** One item, and what may be true of it. */
class Item {
  readonly root: string;
  version = 1;
  #installed: ReadonlySet<number> = new Set([0]);
  #downloaded: ReadonlySet<number> = new Set([0]);
  readonly #foreign: Record<string, string> = {};

  constructor(readonly folder: string) {
    this.root = join(folder, "library", "item");
  }

  /** Version 1 is there and installed. */
  async begin(): Promise<void> {
    await writeTree(this.root, await archiveOf(1));
    const { signal } = new AbortController();
    await installsOn(systemFiles).install(this.root, { version: "1", signal });
    [this.#installed, this.#downloaded] = [new Set([1]), new Set([1])];
  }

  async writeForeign(name: string, content: string): Promise<void> {
    this.#foreign[name] = content;
    await writeTree(this.root, { [name]: content });
  }

  /** What follows from an operation, whole or in part. */
  happened(kind: CrashOrder["kind"], isDone: boolean): void {
    const [installed] = [...this.#installed];
    const [downloaded = 0] = [...this.#downloaded];
    const either = (now: number, before: number | undefined) =>
      new Set(isDone ? [now] : [now, before ?? 0]);
    if (kind === "install") this.#installed = either(downloaded, installed);
    if (kind === "uninstall") this.#installed = either(0, installed);
    // One that fails leaves none, or the old one if it had not begun.
    if (kind === "download") {
      this.#downloaded = new Set(isDone ? [this.version] : [this.version, downloaded, 0]);
    }
  }

  get downloaded(): number {
    return [...this.#downloaded][0] ?? 0;
  }

  get isInstalled(): boolean {
    return !this.#installed.has(0);
  }

  /** Puts it right as every start does, twice, and asserts the invariants of contract 5.4. */
  async settle(when: string): Promise<void> {
    const installs = installsOn(systemFiles);
    await installs.recover(this.root);
    const tree = await readTree(this.root);
    await installs.recover(this.root);
    assert.deepEqual(
      await readTree(this.root),
      tree,
      `${when}: a second recovery changed something`,
    );
    const mine = Object.entries(this.#foreign);
    for (const [path, content] of mine) assert.equal(tree[path], content, `${when}: ${path}`);
    const left = Object.keys(tree).find((path) =>
      /^\.(local|version)\.|_owned$|json\.tmp$/.test(path)
    );
    assert.equal(left, undefined, `${when}: ${left} was left behind`);
    const installed = this.#installedIn(tree, when);
    const downloaded = await this.#downloadedIn(tree, when);
    assert.equal(this.#installed.has(installed), true, `${when}: ${installed} is installed`);
    assert.equal(this.#downloaded.has(downloaded), true, `${when}: ${downloaded} is downloaded`);
    const log = tree[".lanspread.json"];
    if (log) {
      const { state, installed_version } = JSON.parse(log);
      assert.deepEqual(
        [state, Number(installed_version ?? 0)],
        ["None", installed],
        `${when}: ${log}`,
      );
    }
    this.#installed = new Set([installed]);
    this.#downloaded = new Set([downloaded]);
  }

  #installedIn(tree: Record<string, string>, when: string): number {
    if (tree["local/"] === undefined) return 0;
    const local = Object.entries(tree).filter(([path]) => /^local\/.*[^/]$/.test(path))
      .map(([path, content]) => [path.slice("local/".length), content]);
    const version = Number(/a (\d+)/.exec(tree["local/a.txt"] ?? "")?.[1]);
    assert.deepEqual(Object.fromEntries(local), installedOf(version), `${when}: a mix`);
    return version;
  }

  async #downloadedIn(tree: Record<string, string>, when: string): Promise<number> {
    const sentinel = tree["version.ini"];
    if (sentinel === undefined) return 0;
    const version = Number(/^version=(\d+)\n$/.exec(sentinel)?.[1]);
    for (const [path, content] of Object.entries(await archiveOf(version))) {
      const bytes = Buffer.from(content).toString("latin1");
      assert.equal(tree[path] === bytes, true, `${when}: ${path} is not of version ${version}`);
    }
    return version;
  }
}

// What cannot begin has nothing to stop.
function canBegin(kind: CrashOrder["kind"], item: Item): boolean {
  if (kind === "install") return item.downloaded > 0;
  return kind !== "uninstall" || item.isInstalled;
}

Deno.test("An item keeps its invariants through random operations, kills, faults and foreign files", async () => {
  const counts = { operations: 0, failed: 0 };
  await using workers = new Workers();
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 6, maxLength: 14 }), async (steps) => {
      await using folder = await tempFolder(QUICK_PARENT);
      const item = new Item(folder.path);
      await mkdir(join(folder.path, "data"));
      await item.begin();
      for (const [index, one] of steps.entries()) {
        if (one.kind === "new version") item.version++;
        else if (one.kind === "foreign") await item.writeForeign(one.name, `the user's ${index}`);
        else if (canBegin(one.kind, item)) {
          counts.operations++;
          const version = one.kind === "install" ? item.downloaded : item.version;
          const outcome = await workers.obey({ ...one, folder: folder.path, version });
          if (outcome === "failed") counts.failed++;
          item.happened(one.kind, outcome === "done");
        }
        await item.settle(`step ${index}, ${JSON.stringify(one)}`);
      }
    }),
    { numRuns: RUNS, seed: SEED, endOnFailure: true },
  );
  assert.equal(workers.kills > 0 && counts.failed > 0, true);
  const { operations, failed } = counts;
  process.stdout.write(
    `${RUNS} sequences, ${operations} operations, ${workers.kills} killed, ${failed} failed\n`,
  );
});
