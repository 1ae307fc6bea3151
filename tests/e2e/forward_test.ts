/** Ports of one daemon lead to programs behind another. */
import assert from "node:assert/strict";
import process from "node:process";
import { act, ask } from "../support/control_calls.ts";
import { type DaemonProcess, startDaemon } from "../support/daemon.ts";
import {
  close,
  dial,
  hashAll,
  readAll,
  sendAll,
  sendRandom,
  sendUntilStuck,
  TcpProgram,
} from "../support/tcp_programs.ts";
import { tempFolder } from "../support/temp_folder.ts";
import { waitFor } from "../support/wait.ts";

const IS_FULL = process.env["ALMENAD_FULL"] === "1";
const MIB = 64;
const SHORT_CONNECTIONS = IS_FULL ? 10_000 : 1_000;
const AT_ONCE = 32;
const LISTEN = ["--p2p-listen", "/ip4/127.0.0.1/tcp/0"];
const NO_GEOLOCATION = '[geolocation]\nurl = "http://127.0.0.1:9/"\nshare = false\n';

/** A daemon that serves, and one that forwards to it and is trusted there. */
async function pair(
  use: (server: DaemonProcess, client: DaemonProcess) => Promise<void>,
): Promise<void> {
  await using client = await startDaemon({ args: LISTEN, config: NO_GEOLOCATION });
  const config = `${NO_GEOLOCATION}[trust]\nallow = ["${client.ready.peer_id}"]\n`;
  await using server = await startDaemon({ args: LISTEN, config });
  await becomeTrusted(client, server);
  await use(server, client);
}

async function becomeTrusted(client: DaemonProcess, by: DaemonProcess): Promise<void> {
  await act(client.dataDir, "trust.request", { peer: addressOf(by) });
  const question = { peer: client.ready.peer_id, timeout_ms: 10_000 };
  assert.equal((await ask(by.dataDir, "trust.wait", question))["trusted"], true);
}

function addressOf({ ready }: DaemonProcess): string {
  return `${ready.p2p_addrs[0]}/p2p/${ready.peer_id}`;
}

async function forward(
  server: DaemonProcess,
  client: DaemonProcess,
  target: string,
  service: string,
): Promise<string> {
  await act(server.dataDir, "forward.listen", { service, target });
  const input = { peer: addressOf(server), service };
  return String((await act(client.dataDir, "forward.dial", input))["listen"]);
}

interface Counts {
  open: number;
  total: number;
  refused: number;
  failed: number;
  problem: string;
}

async function countsOf(daemon: DaemonProcess, kind: "listening" | "dialling", at = 0) {
  const list = await ask(daemon.dataDir, "forward.list");
  return (list[kind] as Counts[])[at]!;
}

Deno.test(`forward passes ${MIB} MiB each way with equal hashes, and half-closes`, async () => {
  await pair(async (server, client) => {
    using hasher = new TcpProgram(async (connection) => {
      const { digest } = await hashAll(connection);
      await sendAll(connection, new TextEncoder().encode(digest));
      await connection.closeWrite();
    });
    const up = await dial(await forward(server, client, hasher.address, "hasher"));
    const sent = await sendRandom(up, MIB); // ends its side; the answer still comes
    assert.equal(await readAll(up), sent);
    up.close();

    const { promise: digest, resolve } = Promise.withResolvers<string>();
    using source = new TcpProgram(async (connection) => resolve(await sendRandom(connection, MIB)));
    const down = await dial(await forward(server, client, source.address, "source"));
    assert.deepEqual(await hashAll(down), { digest: await digest, bytes: MIB * 2 ** 20 });
    down.close();
    await waitFor(
      "no open connection",
      async () => (await countsOf(client, "dialling", 1)).open === 0,
    );
    assert.equal((await countsOf(server, "listening", 1)).failed, 0);
  });
});

Deno.test(`forward serves ${SHORT_CONNECTIONS} short connections`, async () => {
  await pair(async (server, client) => {
    using echo = new TcpProgram(async (connection) => {
      const text = await readAll(connection);
      await sendAll(connection, new TextEncoder().encode(text));
    });
    const address = await forward(server, client, echo.address, "echo");
    let next = 0;
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
      while (next < SHORT_CONNECTIONS) {
        const text = `connection ${next++}`;
        const connection = await dial(address);
        await sendAll(connection, new TextEncoder().encode(text));
        await connection.closeWrite();
        assert.equal(await readAll(connection), text);
        connection.close();
      }
    }));
    const settled = (kind: "listening" | "dialling", daemon: DaemonProcess) =>
      waitFor(`no open connection of ${kind}`, async () => {
        const counts = await countsOf(daemon, kind);
        return counts.open === 0 && counts;
      });
    for (const counts of [await settled("dialling", client), await settled("listening", server)]) {
      assert.equal(counts.total, SHORT_CONNECTIONS);
      assert.equal(counts.failed + counts.refused, 0);
    }
    await waitFor("the program's connections to end", () => echo.open === 0);
  });
});

Deno.test("forward holds back who sends to a program that does not read", async () => {
  await pair(async (server, client) => {
    using deaf = new TcpProgram(() => new Promise(() => undefined));
    const connection = await dial(await forward(server, client, deaf.address, "deaf"));
    const taken = await sendUntilStuck(connection, 64 * 2 ** 20);
    assert.ok(taken < 24 * 2 ** 20, `${taken} bytes went somewhere`); // mostly the system's buffers
    connection.close();
  });
});

Deno.test("forward resets connections when the peer is killed, and goes on when it is back", async () => {
  await using folder = await tempFolder();
  await using client = await startDaemon({ args: LISTEN, config: NO_GEOLOCATION });
  await Deno.mkdir(`${folder.path}/config`);
  await Deno.writeTextFile(
    `${folder.path}/config/config.toml`,
    `${NO_GEOLOCATION}[trust]\nallow = ["${client.ready.peer_id}"]\n`,
  );
  using source = new TcpProgram((connection) => sendRandom(connection, 1_024));
  const first = await startDaemon({ args: LISTEN, dataDir: folder.path });
  await becomeTrusted(client, first);
  await act(folder.path, "forward.listen", {
    ...{ service: "source", target: source.address, keep: true },
  });
  const input = { peer: addressOf(first), service: "source" };
  const { listen } = await act(client.dataDir, "forward.dial", input);
  const connection = await dial(String(listen));
  const buffer = new Uint8Array(65_536);
  for (let got = 0; got < 8 * 2 ** 20;) got += await connection.read(buffer) ?? 0;
  Deno.kill(first.pid, "SIGKILL");
  // An end in order would pass a part for the whole.
  await assert.rejects(hashAll(connection), Deno.errors.ConnectionReset);
  connection.close();
  await first.stop();
  const args = ["--p2p-listen", first.ready.p2p_addrs[0] ?? ""];
  await using _again = await startDaemon({ args, dataDir: folder.path });
  await waitFor("the service of the restarted peer", async () => {
    const again = await dial(String(listen));
    const size = await again.read(buffer).catch(() => null);
    close(again);
    return size !== null && size > 0;
  }, 20_000);
});

/** It is reset, be it so early that the connection is not even told of. */
async function assertReset(address: string): Promise<void> {
  await assert.rejects(
    async () => {
      const connection = await dial(address);
      try {
        await hashAll(connection);
      } finally {
        close(connection);
      }
    },
    (failure) =>
      failure instanceof Deno.errors.ConnectionReset ||
      failure instanceof Deno.errors.NotConnected,
  );
}

Deno.test("forward refuses who may not, what is bound to others, and what is too much", async () => {
  await using server = await startDaemon({ args: LISTEN, config: NO_GEOLOCATION });
  await using stranger = await startDaemon({ args: LISTEN, config: NO_GEOLOCATION });
  using echo = new TcpProgram((connection) => connection.readable.pipeTo(connection.writable));
  const address = await forward(server, stranger, echo.address, "echo");
  await assertReset(address);
  assert.equal((await countsOf(server, "listening")).refused, 1);
  assert.equal((await countsOf(stranger, "dialling")).open, 0);

  await assert.rejects(
    act(stranger.dataDir, "forward.dial", {
      ...{ peer: server.ready.peer_id, service: "echo", listen: "0.0.0.0:0" },
    }),
    /other machines could use/,
  );
  await assert.rejects(
    act(server.dataDir, "forward.listen", { service: "echo", target: "9" }),
    /served already/,
  );
  await act(server.dataDir, "forward.close", { name: "echo" });
  await act(server.dataDir, "forward.listen", {
    ...{ service: "echo", target: echo.address, allow: [stranger.ready.peer_id] },
  });
  const held = await Promise.all(Array.from({ length: 256 }, async (_, at) => {
    const connection = await dial(address);
    await sendAll(connection, new Uint8Array([at]));
    assert.deepEqual(await connection.read(new Uint8Array(2)), 1);
    return connection;
  }));
  await assertReset(address);
  const { closed } = await act(server.dataDir, "forward.close", { name: "all" });
  assert.deepEqual(closed, ["echo"]);
  for (const connection of held) {
    await assert.rejects(hashAll(connection), Deno.errors.ConnectionReset);
    close(connection);
  }
  // Those that were held may report their end a moment later than the next one its own.
  await waitFor("the reason", async () => {
    await assertReset(address);
    return /does not serve|protocol/.test((await countsOf(stranger, "dialling")).problem);
  });
});
