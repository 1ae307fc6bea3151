/** Mistakes on the command line and in the environment, and ports that others hold. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { runAlmenad, startDaemon } from "../support/daemon.ts";
import { GrpcClient } from "../support/grpc_client.ts";
import { tempFolder } from "../support/temp_folder.ts";

const GRPC = ["--grpc-addr", "127.0.0.1:0"];
const REST = ["--rest-addr", "127.0.0.1:0"];

/** What must be refused with exit code 2, and words that tell what is wrong. */
const MISUSE: readonly (readonly [
  args: readonly string[],
  env: Record<string, string>,
  says: RegExp,
])[] = [
  [["--nonsense"], {}, /unknown option '--nonsense'; see almenad --help/],
  [["nonsense"], {}, /unknown command 'nonsense'; see almenad --help/],
  [["run", "surplus"], {}, /too many arguments/],
  [["--grpc-addr"], {}, /'--grpc-addr <host:port>' argument missing/],
  [["--grpc-addr", ""], {}, /--grpc-addr "".*expected "host:port"/],
  [["--grpc-addr", "50051"], {}, /--grpc-addr "50051"/],
  [["--grpc-addr", "127.0.0.1:65536"], {}, /--grpc-addr/],
  [["--grpc-addr", "0.0.0.0:0", ...REST], {}, /no loopback address.*--allow-remote/],
  [["--rest-addr", "[::1"], {}, /--rest-addr "\[::1"/],
  [["--rest-addr", "0.0.0.0:0", ...GRPC], {}, /no loopback address.*--allow-remote/],
  [["--p2p-listen", ""], {}, /--p2p-listen "".*expected TCP multiaddrs/],
  [["--p2p-listen", ","], {}, /--p2p-listen ","/],
  [["--p2p-listen", "nonsense"], {}, /--p2p-listen "nonsense"/],
  [["--p2p-listen", "/ip4/127.0.0.1/udp/0/quic-v1"], {}, /--p2p-listen/],
  [["--data-dir", ""], {}, /--data-dir "".*no folder/],
  [["--data-dir"], {}, /'--data-dir <path>' argument missing/],
  [["--format", "xml"], {}, /Allowed choices are human, json/],
  [["--dev=yes"], {}, /unknown option/],
  [["--allow-remote=yes"], {}, /unknown option/],
  [["--no-mdns"], {}, /unknown option '--no-mdns'/],
  [[], { GRPC_ADDR: "nowhere" }, /GRPC_ADDR "nowhere" from the environment/],
  [GRPC, { REST_ADDR: ":80" }, /REST_ADDR ":80" from the environment/],
  [[...GRPC, ...REST], { P2P_LISTEN: "nowhere" }, /P2P_LISTEN "nowhere" from the environment/],
  [[...GRPC, ...REST], { RUST_LOG: "loud" }, /RUST_LOG "loud".*trace, debug, info/],
  [[...GRPC, ...REST], { RUST_LOG: "network=loud" }, /RUST_LOG "network=loud"/],
  [["logs", "-n", "-3"], {}, /Cannot print "-3" lines: give 0 or more/],
];

Deno.test("almenad refuses every misuse with exit code 2 and one line that says what is wrong", async () => {
  await using folder = await tempFolder();
  // All folders it could choose by itself are below the temporary one.
  const base = { XDG_DATA_HOME: folder.path, HOME: folder.path, APPDATA: folder.path };
  const tries = MISUSE.map(([args, env, says]) => async () => {
    const home = Deno.env.get("HOME") ?? "";
    const denoDir = Deno.env.get("DENO_DIR") ?? join(home, ".cache", "deno");
    const { code, stdout, stderr } = await runAlmenad(args, {
      env: { ...base, DENO_DIR: denoDir, ...env },
      cwd: folder.path,
    });
    const what = `${JSON.stringify(env)} ${args.join(" ")}: ${stderr}`;
    assert.equal(code, 2, what);
    assert.equal(stdout, "", what);
    assert.match(stderr, /^almenad: .+\n$/, what);
    assert.match(stderr, says, what);
  });
  while (tries.length > 0) await Promise.all(tries.splice(0, 4).map((one) => one()));
});

Deno.test("almenad passes over a malformed bootstrap peer with a warning", async () => {
  await using daemon = await startDaemon({
    env: { BOOTSTRAP_PEERS: "nowhere,/ip4/1.2.3.4/tcp/1" },
  });
  for (const item of ["nowhere", "/ip4/1.2.3.4/tcp/1"]) {
    await daemon.logged(new RegExp(`WARN .*Bootstrap peer is passed over item='${item}'`));
  }
});

Deno.test("almenad answers on both loopbacks, and moves on when its default ports are taken", async () => {
  await using first = await startDaemon({ hasDefaultPorts: true });
  assert.deepEqual(first.ready.grpc_addrs, ["[::1]:50051", "127.0.0.1:50051"]);
  assert.equal(first.ready.rest_addr, "127.0.0.1:8080");
  await using second = await startDaemon({ hasDefaultPorts: true });
  assert.deepEqual(second.ready.grpc_addrs, ["[::1]:50052", "127.0.0.1:50052"]);
  assert.equal(second.ready.rest_addr, "127.0.0.1:8081");
  for (const { ready } of [first, second]) {
    for (const address of ready.grpc_addrs) {
      using client = new GrpcClient(address);
      assert.deepEqual(await client.call("Ping"), { message: "pong" }, address);
    }
    const status = await (await fetch(`http://${ready.rest_addr}/status`)).json();
    assert.equal(status.grpc_addr, ready.grpc_addrs[0]);
    assert.equal(status.rest_addr, ready.rest_addr);
    assert.equal(status.peer_id, ready.peer_id);
  }
  assert.doesNotMatch(second.stderr, /^E /m); // no line but the log's
});

Deno.test("almenad moves both default addresses when a stranger holds the port of one", async () => {
  const stranger = createServer().listen(50_051, "127.0.0.1");
  await once(stranger, "listening");
  try {
    await using daemon = await startDaemon({ hasDefaultPorts: true });
    assert.deepEqual(daemon.ready.grpc_addrs, ["[::1]:50052", "127.0.0.1:50052"]);
  } finally {
    stranger.close();
  }
});

Deno.test("almenad ends with exit code 1 when an address it was given is taken", async () => {
  const stranger = createServer().listen(0, "127.0.0.1");
  await once(stranger, "listening");
  const { port } = stranger.address() as { port: number };
  const taken = `127.0.0.1:${port}`;
  const tries: [flags: string[], env: Record<string, string>, name: string][] = [
    [["--grpc-addr", taken, ...REST], {}, "--grpc-addr"],
    [REST, { GRPC_ADDR: taken }, "--grpc-addr"],
    [["--rest-addr", taken, ...GRPC], {}, "--rest-addr"],
    [["--p2p-listen", `/ip4/127.0.0.1/tcp/${port}`, ...GRPC, ...REST], {}, "--p2p-listen"],
  ];
  try {
    for (const [flags, env, name] of tries) {
      await using folder = await tempFolder();
      const args = ["--data-dir", folder.path, ...flags];
      const { code, stdout, stderr } = await runAlmenad(args, { env: { ...env, RUST_LOG: "off" } });
      assert.equal(code, 1, stderr);
      assert.equal(stdout, "");
      assert.match(stderr, new RegExp(`^almenad: Cannot listen on .*${port}.*${name}\n$`));
    }
  } finally {
    stranger.close();
  }
});
