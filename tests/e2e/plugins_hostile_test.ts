/** Bad plugins, bad policies and bad webhook receivers in a real daemon: nobody else notices. */
import assert from "node:assert/strict";
import { chmod, copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { act, ask } from "../support/control_calls.ts";
import { type DaemonProcess, runAlmenad, startDaemon } from "../support/daemon.ts";
import { sized } from "../support/hostile/seeded.ts";
import { linuxRoot, program, testNeeding } from "../support/needs.ts";
import { requireNetns } from "../support/netns.ts";
import { isAlone } from "../support/own_network.ts";
import { tempFolder } from "../support/temp_folder.ts";
import { waitFor } from "../support/wait.ts";

const BAD = fileURLToPath(new URL("../support/plugins/bad.js", import.meta.url));
const NO_GEOLOCATION = '[geolocation]\nurl = "http://127.0.0.1:9/"\n';
const PORTS = ["--grpc-addr", "127.0.0.1:0", "--rest-addr", "127.0.0.1:0"];
/** What anybody waits for an answer at most, whatever goes on inside; on a crowded machine. */
const PATIENCE_MS = 1_500;

interface State {
  readonly name: string;
  readonly failures: number;
  readonly is_healthy: boolean;
  readonly problem: string;
}

async function folderWith(dataDir: string, plugins: Record<string, string>): Promise<string> {
  const folder = join(dataDir, "config", "plugins");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  const config = `${NO_GEOLOCATION}[plugins]\nenabled = true\n`;
  await writeFile(join(dataDir, "config", "config.toml"), config);
  for (const [name, text] of Object.entries(plugins)) {
    await writeFile(join(folder, `${name}.js`), text, { mode: 0o600 });
  }
  return folder;
}

/** Answers come soon; the middle of ten, because neighbours of this machine may delay one. */
async function assertResponsive(dataDir: string): Promise<void> {
  const times: number[] = [];
  for (let n = 0; n < 10; n++) {
    const begun = performance.now();
    await ask(dataDir, "core.version");
    times.push(performance.now() - begun);
  }
  const [middle = Infinity] = times.sort((a, b) => a - b).slice(5);
  assert.ok(middle < PATIENCE_MS, `answers took ${times.map(Math.round)} ms`);
}

function networked(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: !requireNetns(name), fn });
}

/** A listener on loopback that says nothing by itself. */
async function listen(onSocket: (socket: Socket) => void, host = "127.0.0.1", port = 0) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined).on("close", () => sockets.delete(socket));
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Starts a daemon with a plugin whose init never ends. @returns Once it has given up. */
async function assertHangingInitFails(): Promise<void> {
  await using folder = await tempFolder();
  const plugin = '{ name: "hangs", init: () => new Promise(() => {}), shutdown() {} }';
  await folderWith(folder.path, {
    hangs: `export const register = (to) => to.registerPlugin("hangs", () => (${plugin}));`,
  });
  const { code, stderr, ms } = await runAlmenad(["--data-dir", folder.path, ...PORTS]);
  assert.equal(code, 1, stderr);
  assert.match(stderr, /Cannot load plugin "hangs": its init did not end within 10000 ms/);
  assert.ok(ms > 9_500 && ms < 20_000, `${ms} ms`);
}

networked("Plugins that throw, hang, leak and shout harm nobody but themselves", async () => {
  await using stack = new AsyncDisposableStack();
  // Both take their time: 10 s to give up on a start here, 5 s to give up on an end below.
  const hanging = assertHangingInitFails();
  hanging.catch(() => undefined);
  stack.defer(() => hanging.catch(() => undefined));
  const folder = stack.use(await tempFolder());
  const plugins = await folderWith(folder.path, {});
  const ended = join(folder.path, "ended");
  const { port } = stack.use(await listen(() => undefined));
  for (const name of ["a-good", "bad-hanger", "bad-leaker", "bad-shouter", "bad-thrower"]) {
    await copyFile(BAD, join(plugins, `${name}.js`));
    await chmod(join(plugins, `${name}.js`), 0o600);
    await writeFile(join(plugins, `${name}.json`), JSON.stringify({ ended, port }));
  }
  const daemon = stack.use(await startDaemon({ dataDir: folder.path }));
  const states = async () => (await ask(folder.path, "plugins.list"))["plugins"] as State[];
  const named = async (name: string) => (await states()).find((state) => state.name === name)!;
  await waitFor("its failures", async () => (await named("bad-thrower")).failures >= 3);
  await act(folder.path, "network.create", { name: "n" }); // events still travel
  await assertResponsive(folder.path);
  assert.equal((await named("bad-thrower")).is_healthy, false);
  const others = (await states()).filter(({ name }) => name !== "bad-thrower");
  assert.deepEqual(others.filter(({ failures }) => failures > 0), []);
  const metrics = await (await fetch(daemon.url("/metrics"))).text();
  assert.match(metrics, /almenad_plugin_failures_total\{plugin="bad-thrower"\} [34]\n/);
  const { ms, stderr } = await daemon.stop();
  assert.ok(ms < 7_500, `the end took ${ms} ms`);
  assert.match(stderr, /2 plugin shutdown error\(s\)/);
  assert.match(stderr, /"bad-hanger": it did not end in time/);
  assert.match(stderr, /"bad-thrower": thrown at the end/);
  assert.equal(await readFile(ended, "utf8"), "ended in order");
  await hanging;
});

networked("A file that registers a taken name ends the start", async () => {
  await using folder = await tempFolder();
  await folderWith(folder.path, {
    mask: 'export const register = ({ registerPlugin }) => registerPlugin("webhook", () => null);',
  });
  const { code, stderr } = await runAlmenad(["--data-dir", folder.path, ...PORTS]);
  assert.equal(code, 1, stderr);
  assert.match(stderr, /Cannot load plugin .*mask\.js: .*"webhook": another one has that name/);
});

networked("The worst policy that fits in 256 KiB delays nobody", async () => {
  await using folder = await tempFolder();
  await using daemon = await startDaemon({ dataDir: folder.path });
  const zeros = Array(1_900).fill("0").join(",");
  const heavy = `1 in [${zeros}] or [[${zeros.slice(0, 200)}]] == [[1]]`;
  const match = heavy.slice(0, 4_096);
  const rules = Array.from({ length: 62 }, (_, n) => ({
    ...{ name: `rule ${n}`, on: "connect", match },
    actions: [{ type: "deny" }],
  }));
  await act(folder.path, "policy.start", { policy: { version: 1, rules } });
  const peer = "12D3KooWGRYZDHBembyGJQqMbYDbLAEbkSBFGkLkZpJxSfE5oyjL";
  const times: number[] = [];
  for (let n = 0; n < 5; n++) {
    const begun = performance.now();
    const { allowed, policies } = await ask(folder.path, "policy.explain", { peer, port: 80 });
    const [{ reason }] = policies as [{ reason: string }];
    assert.ok(allowed || /took over 100 ms/.test(reason), reason); // on a crowded machine
    times.push(performance.now() - begun);
  }
  assert.ok(Math.min(...times) < PATIENCE_MS, `verdicts took ${times.map(Math.round)} ms`);
  await assertResponsive(folder.path);
  const refused: [string, RegExp][] = [
    ["(".repeat(4_000), /Cannot use expression/],
    [`${"not ".repeat(500)}true`, /nested over 64/],
    ["x".repeat(5_000), /over 4096 characters/],
    ["constructor.constructor('return process')()", /no function|no part/],
  ];
  for (const [text, reason] of refused) {
    const policy = { version: 1, rules: [{ ...rules[0], match: text }] };
    await assert.rejects(act(folder.path, "policy.start", { policy }), reason);
  }
  const { policies } = await ask(folder.path, "policy.list");
  assert.equal((policies as { rules: number }[])[0]!.rules, 62); // the one from before
  assert.equal((await daemon.stop()).code, 0);
  await using again = await startDaemon({ dataDir: folder.path });
  const { policies: kept } = await ask(folder.path, "policy.list");
  assert.equal((kept as { rules: number }[])[0]!.rules, 62);
  assert.equal((await again.stop()).code, 0);
});

/** Something happens that a webhook is told of. */
async function happen(dataDir: string): Promise<void> {
  const { id } = await act(dataDir, "network.create", { name: "event" });
  await act(dataDir, "network.leave", { id });
}

/** Sends a daemon's events to a receiver. */
async function hook(daemon: DaemonProcess, port: number): Promise<void> {
  await act(daemon.dataDir, "webhook.set", { url: `http://127.0.0.1:${port}/secret-path` });
  await happen(daemon.dataDir);
}

networked("A receiver that never answers, or byte by byte, is left after 5 s", async () => {
  const never = () => undefined;
  const slow = (socket: Socket) => {
    const head = `HTTP/1.1 200 OK\r\nX-Slow: ${"a".repeat(1_000)}`;
    let sent = 0;
    const timer = setInterval(() => socket.write(head[sent++] ?? ""), 100);
    socket.on("close", () => clearInterval(timer));
  };
  const results = await Promise.allSettled([never, slow].map(async (answer) => {
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(await tempFolder());
    const tries: number[] = [];
    const { port } = stack.use(
      await listen((socket) => {
        const begun = performance.now();
        socket.resume().on("close", () => tries.push(performance.now() - begun));
        answer(socket);
      }),
    );
    const daemon = stack.use(await startDaemon({ dataDir: folder.path }));
    await hook(daemon, port);
    await assertResponsive(folder.path);
    await waitFor("the end of a try", () => tries.length >= sized(1, 3), 40_000);
    assert.ok(tries[0]! > 4_000 && tries[0]! < 8_000, `it was left after ${tries[0]} ms`);
    // Turning it off under way does not wait for the receiver either, beyond the 5 s of the drain.
    await act(folder.path, "webhook.set", { url: "" });
    assert.doesNotMatch(daemon.stderr, /secret-path/);
    assert.equal((await daemon.stop()).code, 0);
  }));
  for (const result of results) if (result.status === "rejected") throw result.reason;
});

const alone = { name: "a network of its own", isMet: isAlone() };

testNeeding(
  [linuxRoot(), alone, program("unshare"), program("mount")],
  "No delivery reaches 169.254.169.254: not by redirect, by name, nor by another spelling",
  async () => {
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(await tempFolder());
    await new Deno.Command("ip", { args: ["addr", "add", "169.254.169.254/32", "dev", "lo"] })
      .output();
    let visits = 0;
    stack.use(await listen(() => visits++, "169.254.169.254", 80));
    let asked = 0;
    const answer = (socket: Socket) => {
      asked++;
      socket.resume();
      const to = "http://169.254.169.254/";
      socket.end(`HTTP/1.1 307 X\r\nlocation: ${to}\r\ncontent-length: 0\r\n\r\n`);
    };
    const { port } = stack.use(await listen(answer));
    const hosts = join(folder.path, "hosts");
    const mapped = "169.254.169.254 innocent.example\n::ffff:169.254.169.254 six.example\n";
    await writeFile(hosts, `127.0.0.1 localhost fine.example\n${mapped}`);
    const script = 'mount --bind "$1" /etc/hosts && shift && exec "$@"';
    const wrapper = ["unshare", "--mount", "sh", "-c", script, "sh", hosts];
    const env = { RUST_LOG: "debug" };
    const daemon = stack.use(await startDaemon({ dataDir: folder.path, wrapper, env }));
    for (const host of ["169.254.169.254", "0xa9fea9fe", "[::ffff:a9fe:a9fe]", "0", "[::]"]) {
      const url = `http://${host}/latest`;
      await assert.rejects(act(folder.path, "webhook.set", { url }), /link-local or metadata/, url);
    }
    await act(folder.path, "webhook.set", { url: `http://fine.example:${port}/` });
    await happen(folder.path);
    await waitFor("the redirect", () => asked > 0); // and the name was found in our own file
    for (const host of ["innocent.example", "six.example"]) {
      await act(folder.path, "webhook.set", { url: `http://${host}/` });
      await happen(folder.path);
      const escaped = host.replace(".", "\\.");
      await daemon.logged(new RegExp(`Cannot send to "${escaped}": .*link-local or metadata`));
    }
    assert.equal(visits, 0);
    assert.equal((await daemon.stop()).code, 0);
  },
);
