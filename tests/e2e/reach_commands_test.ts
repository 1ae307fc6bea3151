/** DHT, pubsub, relays and forwarded ports as people type them. */
import assert from "node:assert/strict";
import { almenadCommand, type DaemonProcess, runAlmenad, startDaemon } from "../support/daemon.ts";
import { ask } from "../support/control_calls.ts";
import { LineProcess } from "../support/line_process.ts";
import { P2pd } from "../support/p2pd_process.ts";
import { dial, readAll, sendAll, TcpProgram } from "../support/tcp_programs.ts";
import { waitFor } from "../support/wait.ts";

const CONFIG = [
  'p2p_listen = "/ip4/127.0.0.1/tcp/0"\ndht = "server"\npubsub = true\nrelay = true\n',
  '[geolocation]\nurl = "http://127.0.0.1:9/"\nshare = false\n',
].join("");

async function almenad({ dataDir }: DaemonProcess, ...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await runAlmenad(["--data-dir", dataDir, ...words]);
  assert.equal(code, 0, `almenad ${words.join(" ")}: ${stderr}`);
  return stdout.trim();
}

function addressOf({ ready }: DaemonProcess): string {
  return `${ready.p2p_addrs[0]}/p2p/${ready.peer_id}`;
}

Deno.test("almenad dht and pubsub, typed", async () => {
  await using one = await startDaemon({ config: CONFIG });
  assert.match(await almenad(one, "dht", "put", "/cli/key", "a value"), /^Stored 7 bytes/);
  assert.equal(await almenad(one, "dht", "get", "/cli/key"), "a value");
  assert.equal(await almenad(one, "dht", "get", "/cli/key", "--base64"), btoa("a value"));
  const cid = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
  await almenad(one, "dht", "provide", cid);
  assert.match(await almenad(one, "dht", "find-providers", cid), new RegExp(one.ready.peer_id));
  const missing = await runAlmenad(["--data-dir", one.dataDir, "dht", "get", "/cli/none"]);
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /Cannot find \/cli\/none in the DHT/);

  const words = ["--data-dir", one.dataDir, "pubsub", "subscribe", "news"];
  const follower = new LineProcess({ command: [...almenadCommand(), ...words] });
  await waitFor("the topic", async () => /news/.test(await almenad(one, "pubsub", "topics")));
  await almenad(one, "pubsub", "publish", "news", "hello there");
  await follower.waitFor("message", (line) => line === "hello there" || undefined);
  assert.equal((await follower.stop("SIGINT")).code, 130);
});

Deno.test("almenad relay: a place, a guest, a relayed peer, and the place given back", async () => {
  await using relay = await startDaemon({ config: CONFIG });
  await using hidden = await startDaemon({ config: CONFIG });
  await using caller = await P2pd.start("almenad");
  const said = await almenad(hidden, "relay", "reserve", addressOf(relay));
  assert.match(said, /\/p2p-circuit/);
  const status = await ask(hidden.dataDir, "network.status");
  const [place] = status["relay_addresses"] as string[];
  assert.equal(place, `${addressOf(relay)}/p2p-circuit`);
  assert.equal(status["is_relay"], true);
  assert.equal(status["reachability"], "unknown"); // nobody here is on the internet
  assert.match(
    await almenad(relay, "relay", "status"),
    new RegExp(`guests *${hidden.ready.peer_id}`),
  );

  await caller.client.connect(hidden.ready.peer_id, [place ?? ""], 15);
  const connectionOf = async (peerId: string) => {
    const { peers } = await ask(hidden.dataDir, "network.peers") as {
      peers: { peer_id: string; connection?: string }[];
    };
    return peers.find(({ peer_id }) => peer_id === peerId)?.connection;
  };
  await waitFor("the caller", async () => await connectionOf(caller.peerId) !== undefined);
  assert.equal(await connectionOf(caller.peerId), "relayed");
  assert.equal(await connectionOf(relay.ready.peer_id), "direct");
  assert.match(await almenad(hidden, "peers"), new RegExp(`${caller.peerId} +by relay`));
  assert.match(await almenad(hidden, "status"), /\(1 by relay\)/);

  await almenad(hidden, "relay", "release", relay.ready.peer_id);
  await waitFor("no place", async () => {
    const { relay_addresses } = await ask(hidden.dataDir, "network.status");
    return (relay_addresses as string[]).length === 0;
  });
  await almenad(hidden, "relay", "reserve", addressOf(relay)); // and it can be had again
  const nobody = `/ip4/127.0.0.1/tcp/9/p2p/${caller.peerId}`;
  const refused = await runAlmenad(["--data-dir", hidden.dataDir, "relay", "reserve", nobody]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /Cannot get a place at/);
});

Deno.test("almenad listen and forward, typed", async () => {
  await using server = await startDaemon({ config: CONFIG });
  await using client = await startDaemon({ config: CONFIG });
  using program = new TcpProgram(async (connection) => {
    await sendAll(connection, new TextEncoder().encode(`got ${await readAll(connection)}`));
  });
  const allow = ["--allow", client.ready.peer_id];
  assert.match(
    await almenad(server, "listen", "shout", String(program.port), ...allow),
    /They alone reach 127\.0\.0\.1:\d+ as "shout"/,
  );
  const line = await almenad(client, "forward", addressOf(server), "shout");
  const [, address = ""] = /^(127\.0\.0\.1:\d+) leads to "shout"/.exec(line) ?? assert.fail(line);
  const connection = await dial(address);
  await sendAll(connection, new TextEncoder().encode("it"));
  await connection.closeWrite();
  assert.equal(await readAll(connection), "got it");
  connection.close();
  assert.match(await almenad(client, "forward", "list"), new RegExp(address.replace(".", "\\.")));
  assert.match(await almenad(server, "forward", "list"), /"shout".* 1 +0 +0$/m);
  assert.equal(await almenad(client, "forward", "close", address), `Closed: ${address}`);
  await assert.rejects(dial(address), Deno.errors.ConnectionRefused);
});
