/** The library's headless command line, two of them on 127.0.0.1 that find each other by mDNS. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { pause } from "../../src/core/mod.ts";
import { almenadCommand, runAlmenad } from "../support/daemon.ts";
import { jsonLine, LineProcess } from "../support/line_process.ts";
import { Lan, testInNetns } from "../support/netns.ts";
import { readTree, tarGzOf, writeTree } from "../support/sharing/item_folder.ts";
import { tempFolder } from "../support/temp_folder.ts";

function start(folder: string, name: string, netns?: string): LineProcess {
  const paths = ["--dir", join(folder, name, "games"), "--state", join(folder, name, "state")];
  return new LineProcess({
    command: [...almenadCommand(), "library-cli", "--name", name, ...paths],
    netns,
  });
}

function event(child: LineProcess, name: string): Promise<Record<string, unknown>> {
  return child.waitFor(`event ${name}`, (line) => {
    const json = jsonLine(line);
    return json?.["event"] === name ? json : undefined;
  }, 30_000);
}

/** Lists until what is listed is as wanted. @returns The ids. */
async function list(
  child: LineProcess,
  holds: (ids: readonly string[]) => boolean,
): Promise<readonly string[]> {
  for (let n = 0;; n++) {
    const request = `list ${n}`;
    await child.write(JSON.stringify({ cmd: "list-games", request_id: request }));
    const answer = await child.waitFor("the list", (line) => {
      const json = jsonLine(line);
      return json?.["request_id"] === request ? json : undefined;
    }, 30_000);
    const ids = (answer["games"] as { id: string }[]).map(({ id }) => id);
    if (holds(ids)) return ids;
    assert.equal(n < 100, true, `only ${ids} are listed`);
    await pause(200);
  }
}

Deno.test("library-cli finds a peer by mDNS alone, fetches and installs (L3, L5, L7, L14, L42)", async () => {
  await using folder = await tempFolder();
  await writeTree(join(folder.path, "alpha", "games", "quake"), {
    "version.ini": "20240101",
    "quake.tar.gz": await tarGzOf({ "bin/quake": "binary" }),
  });
  await using alpha = start(folder.path, "alpha");
  await event(alpha, "cli-started");
  // Nobody tells alpha of it: its monitor does.
  await writeTree(join(folder.path, "alpha", "games", "doom"), { "version.ini": "1", a: "a" });
  const slow = join(folder.path, "alpha", "games", "hexen");
  await writeTree(slow, { a: "the first file of a long copy" });
  await using beta = start(folder.path, "beta");
  const started = await event(beta, "cli-started");
  assert.equal(started["name"], "beta");
  assert.equal("mdns" in started, false);
  assert.equal(jsonLine(beta.lines[0] ?? "")?.["event"], "cli-started");
  for (const child of [alpha, beta]) {
    await event(child, "peer-discovered");
    await event(child, "peer-connected");
  }
  await beta.waitFor("the game", (line) => {
    const json = jsonLine(line);
    return json?.["event"] === "games-list-updated" ? json : undefined;
  }, 30_000);
  await beta.write(JSON.stringify({ cmd: "fetch-latest-from-peers", id: "quake" }));
  await event(beta, "got-game-files");
  await beta.write(JSON.stringify({ cmd: "download-game-files", id: "quake" }));
  await event(beta, "game-download-finished");
  await event(beta, "game-install-finished");
  const tree = await readTree(join(folder.path, "beta", "games", "quake"));
  assert.equal(tree["local/bin/quake"], "binary");
  const [known] = await list(beta, (ids) => ids.includes("doom"));
  assert.equal(known, "doom", "what was put into the folder is announced by itself");
  await writeTree(slow, { "version.ini": "1" });
  await list(alpha, (ids) => ids.includes("hexen"));
  await beta.write(JSON.stringify({ cmd: "get-peer-count" }));
  const count = await beta.waitFor("count", (line) => {
    const json = jsonLine(line);
    return json?.["cmd"] === "get-peer-count" ? json : undefined;
  });
  assert.equal(count["count"], 1);
  await beta.write(JSON.stringify({ cmd: "quit" }));
  assert.equal((await beta.ended()).code, 0);
});

Deno.test("library-cli has no switch for mDNS (L1)", async () => {
  const words = ["library-cli", "--no-mdns", "--dir", "a", "--state", "b"];
  const { code, stderr } = await runAlmenad(words);
  assert.equal(code, 2);
  assert.match(stderr, /no-mdns/);
});

testInNetns("library-cli connects by command where mDNS does not get through (L8)", async () => {
  await using lan = await Lan.create(["alpha", "beta"], { hasIpv6: false });
  for (const name of ["alpha", "beta"]) await lan.muteMulticast(name);
  await using folder = await tempFolder();
  await writeTree(join(folder.path, "alpha", "games", "quake"), { "version.ini": "1", a: "a" });
  await using alpha = start(folder.path, "alpha", lan.host("alpha").namespace);
  await using beta = start(folder.path, "beta", lan.host("beta").namespace);
  const { addrs, peer_id } = await event(alpha, "cli-started");
  await event(beta, "cli-started");
  const [address] = (addrs as string[]).filter((one) => one.includes(lan.host("alpha").ipv4));
  await pause(3_000); // several rounds of mDNS, had it got through
  assert.equal(beta.lines.some((line) => jsonLine(line)?.["event"] === "peer-discovered"), false);
  await beta.write(JSON.stringify({ cmd: "connect", addr: `${address}/p2p/${peer_id}` }));
  await event(beta, "peer-connected");
  assert.deepEqual(await list(beta, (ids) => ids.length > 0), ["quake"]);
  await beta.write(JSON.stringify({ cmd: "fetch-latest-from-peers", id: "quake" }));
  await event(beta, "got-game-files");
});
