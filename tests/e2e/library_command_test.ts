/** `almenad library …` between real daemons, and the README's script that shares a folder. */
import assert from "node:assert/strict";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Cli } from "../support/cli.ts";
import { almenadCommand } from "../support/daemon.ts";
import { Lan, testInNetns } from "../support/netns.ts";
import { readTree, tarGzOf, writeTree } from "../support/sharing/item_folder.ts";
import { tempFolder } from "../support/temp_folder.ts";
import { waitFor } from "../support/wait.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

interface Listed {
  readonly items: readonly { readonly id: string; readonly version: string }[];
}

async function good(cli: Cli, ...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await cli.run("library", ...words);
  assert.equal(code, 0, `${words.join(" ")}: ${stdout}${stderr}`);
  return stdout.trim();
}

async function refused(cli: Cli, code: number, ...words: string[]): Promise<string> {
  const ending = await cli.run("library", ...words);
  assert.equal(ending.code, code, `${words.join(" ")}: ${ending.stdout}${ending.stderr}`);
  return ending.stderr || ending.stdout;
}

/** A folder that not even root can write into. */
async function readOnlyFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const { path, [Symbol.asyncDispose]: remove } = await tempFolder();
  const mount = (...args: string[]) => new Deno.Command(args.shift() ?? "", { args }).output();
  await mount("mount", "-t", "tmpfs", "-o", "ro,mode=755", "none", path);
  return {
    path,
    async [Symbol.asyncDispose]() {
      await mount("umount", path);
      await remove();
    },
  };
}

/** Waits until a daemon knows a version of an item. */
async function knows(cli: Cli, id: string, version: string): Promise<void> {
  await waitFor(`version ${version} of ${id}`, async () => {
    const { items } = (await cli.json("library", "ls")).value as unknown as Listed;
    return items.some((item) => item.id === id && item.version === version);
  });
}

testInNetns(
  "almenad library: add, get, update, verify and uninstall between two daemons",
  async () => {
    await using lan = await Lan.create(["alice", "bob"]);
    await using folder = await tempFolder();
    await using alice = await Cli.create({ netns: lan.host("alice").namespace });
    await using bob = await Cli.create({ netns: lan.host("bob").namespace });
    await refused(bob, 4, "ls"); // nothing runs yet
    await using sealed = await readOnlyFolder();
    for (const cli of [alice, bob]) assert.equal((await cli.run("start")).code, 0);
    await writeTree(join(folder.path, "game"), {
      "game.tar.gz": await tarGzOf({ "bin/game": "the first" }),
    });
    await good(alice, "add", join(folder.path, "game"), "--version", "1");
    await knows(bob, "game", "1");
    assert.match(await good(bob, "search", "GAM"), /game +game +1 .* 1/);
    assert.match(await good(bob, "search", "nobody"), /nothing like that/);
    assert.match(await good(bob, "get", "game"), /is here and installed/);
    const installed = async () =>
      (await readTree(join(bob.dataDir, "library", "game")))["local/bin/game"];
    assert.equal(await installed(), "the first");
    assert.match(await good(bob, "verify", "game"), /as it was/);
    assert.match(await good(bob, "update"), /Nothing to update/);

    const shared = join(alice.dataDir, "library", "game");
    await writeTree(shared, { "game.tar.gz": await tarGzOf({ "bin/game": "the second" }) });
    await writeFile(join(shared, "version.ini"), "version=2");
    await good(alice, "scan");
    await knows(bob, "game", "2");
    await good(bob, "update");
    assert.equal(await installed(), "the second");
    assert.match(await good(bob, "uninstall", "game"), /no longer installed/);
    assert.equal(await installed(), undefined);
    await good(bob, "install", "game");
    assert.match(await good(bob, "cancel", "game"), /was not busy/);

    assert.match(await refused(bob, 1, "get", "nobody-has-it"), /no peer/);
    for (const verb of ["install", "cancel"]) {
      assert.match(await refused(bob, 1, verb, "nobody-has-it"), /not in the library/);
    }
    await refused(bob, 2, "get", "../game");
    await refused(bob, 2, "get");
    assert.match(await refused(bob, 5, "set-dir", join(bob.dataDir, "data")), /Cannot/);
    assert.match(
      await refused(bob, 5, "set-dir", sealed.path),
      /Cannot use library folder .*: nothing can be written into it \(EROFS.*; choose another folder/,
    );
    assert.match(
      await refused(bob, 5, "set-dir", "/sys/kernel"),
      /belongs to the system|nothing can be written/,
    );
    assert.match(await good(bob, "search", "game"), /game +game +2 /, "all is as it was");
    const missing = join(folder.path, "not-there");
    assert.match(await refused(bob, 1, "set-dir", missing), /Cannot use library folder/);
    assert.match(await good(bob, "ls"), new RegExp(`^${join(bob.dataDir, "library")} `, "m"));
    await chmod(folder.path, 0o755);
    assert.match(await good(bob, "set-dir", folder.path), /nothing was moved/);
  },
);

testInNetns(
  "README: a folder is shared through two kills of a download and one of an installation",
  async () => {
    const readme = await readFile(join(ROOT, "README.md"), "utf8");
    const [, typed = ""] = /^sudo (bash examples\/share_folder\.sh \d+)$/m.exec(readme) ?? [];
    assert.notEqual(typed, "", "the README tells how");
    const size = Deno.env.get("ALMENAD_FULL") === "1" ? "1024" : "48";
    const { code, stdout, stderr } = await new Deno.Command("bash", {
      args: ["-c", typed.replace(/\d+$/, size)],
      cwd: ROOT,
      env: { ALMENAD: almenadCommand().join(" ") },
      stdin: "null",
    }).output();
    const text = new TextDecoder().decode(stdout);
    assert.equal(code, 0, text + new TextDecoder().decode(stderr));
    assert.match(
      text,
      /killed while it fetched, round 1.*\n[\s\S]*killed while it fetched, round 2/,
    );
    assert.match(text, /killed while it installed/);
    assert.match(text, /equal: 3 files have the same hashes at both ends\n$/);
  },
);
