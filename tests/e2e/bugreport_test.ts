/** What almenad bugreport writes: enough to help, and nothing that is nobody's business. */
import assert from "node:assert/strict";
import { appendFile, mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { act, ask } from "../support/control_calls.ts";
import { type DaemonProcess, runAlmenad, startDaemon } from "../support/daemon.ts";
import { program, testNeeding } from "../support/needs.ts";
import { pageCode } from "../support/page_session.ts";
import { tempFolder } from "../support/temp_folder.ts";

const FILES = [
  ...["README.txt", "versions.json", "config.json", "daemon.json", "doctor.json", "files.json"],
  "daemon.log",
];

/** Every file of an archive, as the system's tar reads it. */
async function unpack(archive: string, folder: string): Promise<Record<string, string>> {
  await mkdir(folder);
  const tar = new Deno.Command("tar", { args: ["-xzvf", archive, "-C", folder] });
  const { code, stdout, stderr } = await tar.output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  const names = new TextDecoder().decode(stdout).trim().split("\n");
  const texts = names.map(async (name) => [name, await readFile(join(folder, name), "utf8")]);
  return Object.fromEntries(await Promise.all(texts));
}

/** Puts secrets where a daemon has them, and into its log; gives all words that nobody may read. */
async function plantSecrets(
  { dataDir }: DaemonProcess,
  other: DaemonProcess,
  secret: string,
): Promise<string[]> {
  const url = "https://hooks.example/services/T000/word-in-the-path";
  await act(dataDir, "webhook.set", { url });
  const { token } = await act(dataDir, "network.create", { name: "home" });
  const { ticket } = await ask(dataDir, "trust.invite");
  const { code } = await pageCode(dataDir);
  const address = other.ready.p2p_addrs.find((one) => one.startsWith("/ip4/127."));
  await act(dataDir, "network.connect", { peer: `${address}/p2p/${other.ready.peer_id}` });
  const admin = (await readFile(join(dataDir, "daemon", "admin_token"), "utf8")).trim();
  const key = await readFile(join(dataDir, "data", "identity.key"));
  // Whatever a line of the log may one day hold.
  const words = `${admin} ${secret} ${token} ${ticket} #code=${code} 93.184.216.34`;
  const line = { timestamp: new Date().toISOString(), level: "info", target: "test" };
  const text = JSON.stringify({ ...line, message: words });
  await appendFile(join(dataDir, "logs", "daemon.log"), `${text}\n`);
  const all = [admin, String(token), String(ticket), code, url, "word-in-the-path"];
  return [...all, "93.184.216.34", key.toString("base64"), key.toString("hex")];
}

testNeeding(
  [program("tar")],
  "almenad bugreport tells much of a running daemon, and no secret",
  async () => {
    await using folder = await tempFolder();
    await using other = await startDaemon();
    const secret = "the-webhooks-own-word-4711";
    await using daemon = await startDaemon({
      config: `[geolocation]\nurl = "http://127.0.0.1:9/"\n[webhook]\nsecret = "${secret}"\n`,
      env: { RUST_LOG: "debug" },
    });
    const { dataDir, ready } = daemon;
    const planted = await plantSecrets(daemon, other, secret);

    const path = join(folder.path, "report.tar.gz");
    const args = ["--data-dir", dataDir, "bugreport", "--output", path];
    const { code: exit, stdout, stderr } = await runAlmenad(args);
    assert.equal(exit, 0, stderr);
    assert.match(stdout, new RegExp(`^Wrote ${path} \\(`));
    for (const name of FILES) assert.ok(stdout.includes(name), name);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    const files = await unpack(path, join(folder.path, "unpacked"));
    assert.deepEqual(Object.keys(files), FILES);

    const text = Object.values(files).join("\n");
    for (const word of [...planted, secret, ready.peer_id, other.ready.peer_id]) {
      assert.ok(!text.includes(word), `${word} is in it`);
    }
    assert.match(files["daemon.log"] ?? "", /\[secret\] \[secret\] \[secret\] \[ticket\]/);
    assert.match(files["README.txt"] ?? "", /\[secret\]/);

    const json = (name: string) => JSON.parse(files[name] ?? "");
    assert.equal(json("versions.json").almenad.version, ready.version);
    assert.equal(json("config.json").config.webhook.secret, "[secret]");
    assert.equal(json("config.json").origins["webhook.secret"], "file");
    const told = json("daemon.json");
    assert.equal(told["core.status"].pid, ready.pid);
    assert.equal(told["core.status"].peer_id, "[this peer]");
    assert.equal(told["network.links"].links[0].peer_id, "[peer 1]");
    assert.ok(told["core.health"].entries.length > 3);
    assert.ok(json("doctor.json").some(({ check }: { check: string }) => check === "socket"));
    const listed = json("files.json").map(({ name }: { name: string }) => name);
    assert.ok(listed.includes(join("data", "identity.key")));
    const lines = (files["daemon.log"] ?? "").trim().split("\n").map((one) => JSON.parse(one));
    assert.ok(lines.some(({ message }) => message === "Daemon is ready"));

    const again = await runAlmenad(args);
    assert.equal(again.code, 5, "what is there is not overwritten");
    assert.match(again.stderr, /--output/);
  },
);

testNeeding(
  [program("tar")],
  "almenad bugreport works without a daemon, without a folder, with a bad config",
  async () => {
    await using folder = await tempFolder();
    const dataDir = join(folder.path, "none");
    const report = async (name: string) => {
      const path = join(folder.path, `${name}.tar.gz`);
      const { code, stdout, stderr } = await runAlmenad([
        ...["--data-dir", dataDir, "--format", "json", "bugreport", "-o", path, "-n", "5"],
      ]);
      assert.equal(code, 0, stderr);
      assert.deepEqual(JSON.parse(stdout).files.map((one: { name: string }) => one.name), FILES);
      return await unpack(path, join(folder.path, name));
    };
    const none = await report("a");
    assert.match(none["daemon.json"] ?? "", /not running/);
    assert.equal(none["daemon.log"], "");

    await mkdir(join(dataDir, "config"), { recursive: true });
    await mkdir(join(dataDir, "logs"));
    await writeFile(join(dataDir, "config", "config.toml"), 'secret = "12345678"\n[webhook\n');
    const lines = Array.from({ length: 9 }, (_, n) => `{"level":"info","message":"line ${n}"}\n`);
    await writeFile(join(dataDir, "logs", "daemon.log"), `${lines.join("")}half a li`);
    const bad = await report("b");
    assert.match(bad["config.json"] ?? "", /config\.toml/);
    assert.doesNotMatch(Object.values(bad).join(), /12345678/);
    assert.equal(bad["daemon.log"]?.trim().split("\n").length, 5);
    assert.match(bad["daemon.log"] ?? "", /line 8/);
  },
);
