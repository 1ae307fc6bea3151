/**
 * The daemon itself, from source or as an executable, killed in the middle of a system call that changes the disk:
 * strace sends SIGKILL at the n-th one while it downloads, installs, updates and uninstalls. What the next start
 * finds is the old state or the new one. `ALMENAD_FULL=1` takes every n there is.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { program, testNeeding } from "../support/needs.ts";
import { LineProcess } from "../support/line_process.ts";
import { isAlone } from "../support/own_network.ts";
import { readTree, tarGzOf, type Tree, writeTree } from "../support/sharing/item_folder.ts";
import { LibraryDaemon } from "../support/sharing/library_daemon.ts";
import { tempFolder } from "../support/temp_folder.ts";
import { waitFor } from "../support/wait.ts";

const IS_FULL = process.env["ALMENAD_FULL"] === "1";
/** Kinds of system calls; a question mark where not every processor has the call. */
const CALLS = {
  rename: "?rename,?renameat,renameat2",
  sync: "fsync,fdatasync",
  make: "?mkdir,mkdirat",
  remove: "?unlink,unlinkat,?rmdir",
  write: "pwrite64",
} as const;
type Call = keyof typeof CALLS;
/** In the small size: which operation, killed at which call of which kind. */
const SMALL = [
  ["download", "rename", 1],
  ["install", "rename", 1],
  ["install", "remove", 1],
  ["uninstall", "remove", 1],
] as const;
const FOREIGN: Tree = { "mine.txt": "the user's", "own/note.txt": "also the user's" };

const alone = { name: "a network of its own", isMet: isAlone() };

type Step = "download" | "install" | "uninstall";

function installedTree(version: number): Record<string, string> {
  return { "a.txt": `a of ${version}`, "deep/b.txt": `b of ${version}` };
}

async function archived(version: number): Promise<Tree> {
  return {
    "data.tar.gz": await tarGzOf(installedTree(version)),
    "parts/extra.bin": `extra of ${version}`.repeat(1_000),
    "version.ini": `version=${version}\n`,
  };
}

/** Has a daemon killed at the n-th call of one of its threads; undone by {@link LineProcess.stop}. */
async function killAt(pid: number, call: Call, count: number): Promise<LineProcess> {
  const inject = `inject=${CALLS[call]}:signal=SIGKILL:when=${count}`;
  const trace = ["-e", `trace=${CALLS[call]}`, "-e", inject];
  const strace = new LineProcess({
    command: ["strace", "-f", "-o", "/dev/null", ...trace, "-p", `${pid}`],
  });
  const isTraced = (task: string) =>
    !/^TracerPid:\t0$/m.test(readFileSync(`/proc/${pid}/task/${task}/status`, "utf8"));
  await waitFor("strace at every thread", () => readdirSync(`/proc/${pid}/task`).every(isTraced));
  return strace;
}

/** What a kill left: which steps it hit is seen from it. */
function remains(root: string): string {
  const names = ["local", ".local.installing", ".local.backup", "version.ini"].concat(
    [".version.ini.tmp", ".version.ini.discarded", ".lanspread.json.tmp"],
  );
  let log = "no log";
  try {
    const { state, phase } = JSON.parse(readFileSync(join(root, ".lanspread.json"), "utf8"));
    log = `${state} ${phase ?? ""}`;
  } catch {
    // there is none yet
  }
  return [log, ...names.filter((name) => existsSync(join(root, name)))].join(" ");
}

/** Asserts what holds after every start. @returns The versions that are installed and downloaded. */
async function inspect(root: string, when: string) {
  const tree = await readTree(root);
  for (const [path, content] of Object.entries(FOREIGN)) assert.equal(tree[path], content, when);
  const left = Object.keys(tree).find((name) =>
    /^\.(local|version|lanspread\.json\.)|_owned$/.test(name)
  );
  assert.equal(left, undefined, `${when}: ${left} was left behind`);
  if (tree[".lanspread.json"]) {
    assert.equal(JSON.parse(tree[".lanspread.json"]).state, "None", when);
  }
  const installed = /a of (\d+)/.exec(tree["local/a.txt"] ?? "")?.[1];
  if (tree["local/"] === undefined) assert.equal(installed, undefined, when);
  else {
    const local = Object.fromEntries(
      Object.entries(tree).filter(([path]) => /^local\/.*[^/]$/.test(path))
        .map(([path, content]) => [path.slice("local/".length), content]),
    );
    assert.deepEqual(local, installedTree(Number(installed)), when);
  }
  const sentinel = tree["version.ini"];
  const downloaded = /^version=(\d+)\n$/.exec(sentinel ?? "")?.[1];
  if (sentinel !== undefined) {
    for (const [path, content] of Object.entries(await archived(Number(downloaded)))) {
      const text = Buffer.from(content).toString("latin1");
      assert.equal(tree[path] === text, true, `${when}: ${path} is not of version ${downloaded}`);
    }
  }
  return { installed: Number(installed ?? 0), downloaded: Number(downloaded ?? 0) };
}

/** The seed has a newer version. */
async function publish(seed: LibraryDaemon, version: number): Promise<void> {
  await writeTree(join(seed.dir, "game"), await archived(version));
  await seed.scan();
}

class Scene implements AsyncDisposable {
  kills = 0;
  readonly states = new Set<string>();
  readonly root: string;
  #version = 1;

  private constructor(
    readonly seed: LibraryDaemon,
    public daemon: LibraryDaemon,
    readonly home: { readonly path: string } & AsyncDisposable,
  ) {
    this.root = join(home.path, "library", "game");
  }

  static async create(): Promise<Scene> {
    const seed = await LibraryDaemon.start();
    await publish(seed, 1); // whoever comes later sees it at once
    const home = await tempFolder();
    const daemon = await LibraryDaemon.start({ dataDir: home.path });
    const scene = new Scene(seed, daemon, home);
    await writeTree(scene.root, FOREIGN);
    return scene;
  }

  /** One operation with a kill in it. @returns Whether it came to the kill. */
  async run(step: Step, call: Call, count: number): Promise<boolean> {
    const { downloaded } = await inspect(this.root, `before ${step}`);
    if (step === "download" && downloaded === this.#version) {
      await publish(this.seed, ++this.#version);
    }
    await this.#prepare(step);
    const before = await inspect(this.root, `before ${step}`);
    const strace = await killAt(this.daemon.daemon.pid, call, count);
    let isOver = false;
    const end = this.daemon.daemon.ended().then(() => isOver = true);
    await this.#begin(step).catch(() => undefined); // it may die before it answers
    await waitFor(`the end of ${step}`, async () => isOver || await this.#isIdle(), 30_000);
    await strace.stop();
    if (!isOver) return false;
    await end;
    this.kills++;
    const found = remains(this.root);
    this.states.add(found);
    const when = `${step}, killed at ${call} ${count}: ${found}`;
    this.daemon = await LibraryDaemon.start({ dataDir: this.home.path });
    // What was cut short goes on by itself; what the kill left is to be seen.
    await this.daemon.call("library", "cancel", { id: "game" });
    await this.daemon.item("game", ({ activity }) => activity === undefined);
    const after = await inspect(this.root, when);
    const allowed = {
      download: [[before.installed], [0, before.downloaded, this.#version]],
      install: [[before.installed, before.downloaded], [before.downloaded]],
      uninstall: [[before.installed, 0], [before.downloaded]],
    }[step];
    assert.equal(allowed[0]?.includes(after.installed), true, `${when}: ${after.installed}`);
    assert.equal(allowed[1]?.includes(after.downloaded), true, `${when}: ${after.downloaded}`);
    return true;
  }

  // A download may go on by itself after a start; each step has a state to begin with.
  async #prepare(step: Step): Promise<void> {
    await this.daemon.item("game", ({ activity }) => activity === undefined);
    const version = `${this.#version}`;
    if (step === "download") {
      await this.daemon.item("game", (item) => item.peers === 1 && item.version === version);
      return;
    }
    const item = await this.daemon.item("game", ({ activity }) => activity === undefined);
    if (!item.downloaded) await this.#whole("download", ({ downloaded }) => downloaded);
    if (step === "uninstall" && !item.installed) {
      await this.#whole("install", (one) => one.installed);
    }
  }

  async #whole(step: Step, holds: Parameters<LibraryDaemon["item"]>[1]): Promise<void> {
    if (step === "download") await this.daemon.item("game", ({ peers }) => peers === 1);
    assert.deepEqual(await this.#begin(step), { id: "game", started: true });
    await this.daemon.item("game", (item) => holds(item) && item.activity === undefined);
  }

  #begin(step: Step): Promise<unknown> {
    const options = step === "download" ? { install: false } : {};
    return this.daemon.call("library", step, { id: "game", ...options });
  }

  async #isIdle(): Promise<boolean> {
    const items = await this.daemon.items().catch(() => []);
    return items.some(({ id, activity }) => id === "game" && activity === undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.daemon[Symbol.asyncDispose]();
    await this.seed[Symbol.asyncDispose]();
    await this.home[Symbol.asyncDispose]();
  }
}

testNeeding(
  [program("strace"), program("curl"), alone],
  "A daemon killed within a system call of any operation leaves the old state or the new (R6)",
  async () => {
    await using scene = await Scene.create();
    for (const [step, call, count] of IS_FULL ? [] : SMALL) await scene.run(step, call, count);
    for (const step of IS_FULL ? ["download", "install", "uninstall"] as const : []) {
      for (const call of Object.keys(CALLS) as Call[]) {
        for (let count = 1; await scene.run(step, call, count); count++);
      }
    }
    assert.equal(scene.kills >= 3, true, `${scene.kills} kills`);
    process.stdout.write(
      `${scene.kills} kills, which left ${scene.states.size} different states\n`,
    );
    if (IS_FULL) process.stdout.write([...scene.states].map((state) => `  ${state}\n`).join(""));
  },
);
