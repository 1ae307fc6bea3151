/** Trust and policies between two machines by the command line, typed as the README has it. */
import assert from "node:assert/strict";
import { chmod, copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { almenadCommand, runAlmenad, startDaemon } from "../support/daemon.ts";
import { LineProcess } from "../support/line_process.ts";
import { Lan, testInNetns } from "../support/netns.ts";
import { tempFolder } from "../support/temp_folder.ts";

const README = fileURLToPath(new URL("../../README.md", import.meta.url));
const EXAMPLE = fileURLToPath(new URL("../../examples/plugins/expose_http.js", import.meta.url));
/** A port of the daemon; the README's. */
const PORT = 2_080;

const HTTP_SERVICE = `
import http.server as h
class H(h.BaseHTTPRequestHandler):
    def do_GET(s):
        s.send_response(200)
        s.end_headers()
        s.wfile.write(b"hello from ada")
server = h.ThreadingHTTPServer(("127.0.0.1", 8123), H)
print("up", flush=True)
server.serve_forever()
`;

// Held from the time the policy has gone until somebody cuts it.
const TUNNEL = `
import socket, sys
s = socket.create_connection(("127.0.0.1", 8124))
s.sendall(b"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
s.recv(4096)
s2 = socket.create_connection(("127.0.0.1", 8124))
s2.sendall(b"GET / HTTP/1.1\\r\\nHost: a\\r\\nX-Slow: ")
print("open", flush=True)
try:
    while s2.recv(4096): pass
except OSError: pass
print("cut", flush=True)
`;

/** A data folder with the plugin that brings a service to peers. */
async function folderWith(dataDir: string, settings: unknown): Promise<void> {
  const folder = join(dataDir, "config", "plugins");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  const config = '[geolocation]\nurl = "http://127.0.0.1:9/"\n[plugins]\nenabled = true\n';
  await writeFile(join(dataDir, "config", "config.toml"), config);
  await copyFile(EXAMPLE, join(folder, "expose_http.js"));
  await chmod(join(folder, "expose_http.js"), 0o600);
  await writeFile(join(folder, "expose_http.json"), JSON.stringify(settings));
}

/** The README's lines, but for the one that says how to reach the machines. */
async function script(): Promise<string[]> {
  const text = await readFile(README, "utf8");
  const section = text.split(/^## /m).find((one) => one.startsWith("Trust and policies\n")) ?? "";
  const [, block = ""] = /```sh\n([\s\S]*?)```/.exec(section) ?? [];
  const [first, ...lines] = block.trim().split("\n");
  assert.match(first ?? "", /^ada\(\) \{ ssh /);
  return lines;
}

/** One machine: `almenad` on it, as a shell function. */
function machine(name: string, netns: string, dataDir: string): string {
  const words = [...almenadCommand(), "--data-dir", dataDir].map((word) => `'${word}'`);
  return `${name}() { ip netns exec ${netns} ${words.join(" ")} "$@"; }`;
}

/** A bash that is typed into line by line. */
class Shell implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reader: ReadableStreamDefaultReader<string>;
  #text = "";

  constructor(prelude: readonly string[]) {
    this.#child = new Deno.Command("bash", {
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#reader = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    this.#write(prelude.join("\n"));
  }

  /** What a line prints. @throws if it fails. */
  async type(line: string): Promise<string> {
    this.#write(`${line}\necho "<<end $?>>"`);
    for (;;) {
      const [all, said = "", code] = /^([\s\S]*?)<<end (\d+)>>\n/.exec(this.#text) ?? [];
      if (all !== undefined) {
        this.#text = this.#text.slice(all.length);
        assert.equal(code, "0", `${line}\n${said}`);
        return said.trim();
      }
      const { value, done } = await this.#reader.read();
      assert.ok(!done, `the shell ended at: ${line}`);
      this.#text += value;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close();
    await this.#child.status;
    await this.#reader.cancel();
  }

  #write(text: string): void {
    void this.#writer.write(new TextEncoder().encode(`${text}\n`));
  }
}

/** What lines of the script print, found by what they begin with. */
type Checks = readonly (readonly [start: string, check: (said: string) => unknown])[];

/** Two machines with a daemon each, and a service of ada's that bob's plugin leads to. */
interface Machines {
  readonly ids: readonly [ada: string, bob: string];
  readonly dirs: readonly [ada: string, bob: string];
  readonly namespaces: readonly [ada: string, bob: string];
  /** What bob gets from ada's service; empty when it is out of reach. */
  get(): Promise<string>;
  /** Opens a connection through the tunnel, which says when it is cut. */
  hold(): Promise<LineProcess>;
}

async function twoMachines(stack: AsyncDisposableStack): Promise<Machines> {
  const lan = stack.use(await Lan.create(["ada", "bob"]));
  const [inAda, inBob] = [lan.host("ada").namespace, lan.host("bob").namespace];
  const [adaDir, bobDir] = [stack.use(await tempFolder()).path, stack.use(await tempFolder()).path];
  const python = async (netns: string, code: string, line: string) => {
    const child = stack.use(new LineProcess({ command: ["python3", "-u", "-c", code], netns }));
    await child.waitFor(line, (said) => said === line || undefined);
    return child;
  };
  await python(inAda, HTTP_SERVICE, "up");
  await folderWith(adaDir, { expose: { port: PORT, to: "127.0.0.1:8123" } });
  const ada = stack.use(await startDaemon({ dataDir: adaDir, netns: inAda }));
  const reach = { peer: ada.ready.peer_id, port: PORT, listen: "127.0.0.1:8124" };
  await folderWith(bobDir, { reach });
  const bob = stack.use(await startDaemon({ dataDir: bobDir, netns: inBob }));
  return {
    ids: [ada.ready.peer_id, bob.ready.peer_id],
    dirs: [adaDir, bobDir],
    namespaces: [inAda, inBob],
    get: async () => {
      const curl = ["curl", "-s", "-m", "5", "http://127.0.0.1:8124/"];
      return (await lan.run("bob", curl).catch(() => ({ stdout: "" }))).stdout;
    },
    hold: () => python(inBob, TUNNEL, "open"),
  };
}

function checksOf({ ids: [ada, bob], get, hold }: Machines): Checks {
  let tunnel: LineProcess | undefined;
  return [
    ["bob trust accept", (said) => assert.match(said, new RegExp(`^${ada}: asked; waiting`))],
    ["ada trust pending", async (said) => {
      assert.match(said, /^PEER +WORDS +STATE +RECEIVED +JUSTIFICATION\n/);
      assert.match(said, new RegExp(`^${bob} .* it is me, Bob$`, "m"));
      assert.equal(await get(), "");
    }],
    ["ada trust approve", (said) => assert.equal(said, `${bob}: trusted`)],
    ["bob trust wait", async (said) => {
      assert.equal(said, `${ada} is trusted`);
      assert.equal(await get(), "hello from ada");
    }],
    ["ada trust wait", (said) => assert.match(said, new RegExp(`^${bob}  mutual `, "m"))],
    ["echo ", async (said) => {
      assert.equal(said, "The policy rules network 0: 1 rule");
      assert.equal(await get(), "");
    }],
    ["ada policy explain", (said) => {
      assert.match(said, /^connect of \S+ to port 2080 is denied\n/);
      assert.match(said, /network 0 denies by rule "no web": port == 2080\n/);
      assert.match(said, /^ {4}port = 2080$/m);
    }],
    ["ada policy list", (said) => assert.match(said, /^0 +active +1 /m)],
    ["ada policy stop", async () => {
      assert.equal(await get(), "hello from ada");
      tunnel = await hold();
    }],
    ["ada trust revoke", async (said) => {
      assert.equal(said, `${bob}: neither trusted nor asked`);
      await tunnel!.waitFor("the cut", (line) => line === "cut" || undefined, 3_000);
      assert.equal(await get(), "");
    }],
    ["bob trust list", (said) => assert.doesNotMatch(said, new RegExp(ada))],
  ];
}

testInNetns(
  "README: ticket, accept, approve, mutual trust, policy denies port, revoke cuts the tunnel",
  async () => {
    await using stack = new AsyncDisposableStack();
    const machines = await twoMachines(stack);
    const { namespaces, dirs } = machines;
    const checks = checksOf(machines);
    await using shell = new Shell(
      [machine("ada", namespaces[0], dirs[0]), machine("bob", namespaces[1], dirs[1])],
    );
    const done = new Set<string>();
    for (const line of await script()) {
      const said = await shell.type(line);
      const [start, check] = checks.find(([start]) => line.startsWith(start)) ?? [];
      if (start === undefined) continue;
      await check?.(said);
      done.add(start);
    }
    assert.deepEqual(checks.map(([start]) => start).filter((start) => !done.has(start)), []);
    await checkOtherCommands(namespaces[0], dirs[0]);
  },
);

/** What the README's script does not type: JSON, exit codes, the other commands. */
async function checkOtherCommands(netns: string, dataDir: string): Promise<void> {
  const run = async (...words: string[]) => {
    const { code, stdout, stderr } = await runAlmenad(["--data-dir", dataDir, ...words], { netns });
    return { code, stdout, stderr };
  };
  const invitation = await run("trust", "invite");
  assert.match(invitation.stdout, /[▀▄█]{3}/);
  const json = JSON.parse((await run("trust", "invite", "--format", "json")).stdout);
  assert.ok(invitation.stdout.includes(json.ticket));
  const nobody = "12D3KooWGRYZDHBembyGJQqMbYDbLAEbkSBFGkLkZpJxSfE5oyjL";
  assert.equal((await run("trust", "wait", nobody, "--timeout", "0")).code, 1);
  assert.equal((await run("trust", "approve", nobody)).code, 1); // it never asked
  for (const verb of ["later", "ignore"]) {
    const { code, stderr } = await run("trust", verb, nobody);
    assert.equal(code, 1, stderr);
    assert.match(stderr, /does not ask for trust/);
  }
  assert.equal((await run("policy", "explain", "--peer", nobody)).code, 2); // no port
  const bad = await run("policy", "start", "/dev/null");
  assert.equal(bad.code, 2, bad.stderr);
  assert.equal((await run("webhook", "set", "http://169.254.169.254/")).code, 2);
  assert.equal((await run("webhook", "set", "http://127.0.0.1:9/hook")).code, 0);
  assert.match((await run("webhook", "show")).stdout, /events go to +http:\/\/127\.0\.0\.1:9$/m);
  assert.equal((await run("webhook", "set", "--off")).code, 0);
  const { plugins } = JSON.parse((await run("plugins", "list", "--format", "json")).stdout);
  assert.ok(plugins.some(({ name }: { name: string }) => name === "expose-http"));
  assert.match((await run("plugins", "list")).stdout, /^expose-http +file +loaded/m);
}
