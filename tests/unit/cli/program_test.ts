import assert from "node:assert/strict";
import { type CliActions, EXIT, runCli } from "../../../src/cli/mod.ts";
import { DaemonError, type ErrorCode } from "../../../src/core/mod.ts";

/** What a command line does, with actions that only write down that they were called. */
async function run(args: string[], outcome: () => number = () => EXIT.ok) {
  const calls: [action: string, ...details: unknown[]][] = [];
  const out: string[] = [];
  const errors: string[] = [];
  const act = (action: string, ...details: unknown[]): Promise<number> => {
    calls.push([action, ...details]);
    return Promise.resolve().then(outcome);
  };
  const actions: CliActions = {
    version: (format) => act("version", format),
    run: (flags) => act("run", flags),
    runAsService: (flags) => act("service-run", flags),
    p2pd: () => Promise.resolve(0),
    showConfig: (flags, options) => act("config show", flags, options),
    validateConfig: (flags, path) => act("config validate", flags, path),
    service: (verb, flags, options) => act(`daemon ${verb}`, flags, options),
    libraryCli: (options) => act("library-cli", options),
    client: ({ name, args, options }, flags) => act(name, args, options, flags),
    operation: (words) =>
      words[0] === "network" ? act("operation", words) : Promise.resolve(undefined),
    complete: (words) => act("complete", words),
  };
  const output = {
    out: (text: string) => void out.push(text),
    error: (text: string) => void errors.push(text),
  };
  const code = await runCli(args, actions, output);
  return { code, calls, out: out.join("\n"), errors: errors.join("\n") };
}

const DEFAULTS = { format: "human", dev: false };

Deno.test("runCli() without a command runs the daemon, and so does run", async () => {
  for (const args of [[], ["run"]]) {
    const { code, calls } = await run(args);
    assert.equal(code, 0);
    assert.deepEqual(calls, [["run", DEFAULTS]]);
  }
});

Deno.test("runCli() passes every flag on, before and after the command", async () => {
  const flags = [
    "--dev",
    ...["--data-dir", "/tmp/a b"],
    ...["--grpc-addr", "127.0.0.1:1"],
    "--rest-addr=127.0.0.1:2",
    ...["--p2p-listen", "/ip4/0.0.0.0/tcp/3"],
    "--allow-remote",
    ...["--format", "json"],
  ];
  const expected = {
    format: "json",
    dev: true,
    dataDir: "/tmp/a b",
    grpcAddr: "127.0.0.1:1",
    restAddr: "127.0.0.1:2",
    p2pListen: "/ip4/0.0.0.0/tcp/3",
    allowRemote: true,
  };
  for (const args of [flags, ["run", ...flags], [...flags, "run"]]) {
    assert.deepEqual((await run(args)).calls, [["run", expected]]);
  }
});

Deno.test("runCli() takes flags that run the daemon as the parser of commands does", async () => {
  const lines: [args: string[], ...call: unknown[]][] = [
    [["--private", "--private"], "run", { ...DEFAULTS, private: true }],
    [["--instance", "a", "--instance=b"], "run", { ...DEFAULTS, instance: "b" }],
    [["--instance", "-a"], "run", { ...DEFAULTS, instance: "-a" }],
    [["--instance="], "run", { ...DEFAULTS, instance: "" }],
    [["--dev", "service-run"], "service-run", { ...DEFAULTS, dev: true }],
    [["start", "--foreground", "--dev"], "run", { ...DEFAULTS, dev: true }],
  ];
  for (const [args, ...call] of lines) {
    assert.deepEqual((await run(args)).calls, [call], args.join(" "));
  }
  const refused = [["--foreground"], ["--format", "xml"], ["--dev=yes"], ["--instance"], [""]];
  for (const args of refused) {
    const { code, calls, errors } = await run(args);
    assert.deepEqual([code, calls], [EXIT.usage, []], args.join(" "));
    assert.notEqual(errors, "");
  }
});

Deno.test("runCli() knows the version wherever it is asked for, and starts nothing", async () => {
  const lines = [["--version"], ["-V"], ["--dev", "--version"], ["--data-dir", "/a", "-V"], [
    "run",
    "--version",
  ], ["config", "show", "-V"]];
  for (const args of lines) {
    const { code, calls } = await run(args);
    assert.deepEqual([code, calls], [0, [["version", "human"]]], args.join(" "));
  }
  for (const format of [["--format", "json"], ["--format=json"]]) {
    assert.deepEqual((await run(["--version", ...format])).calls, [["version", "json"]]);
    assert.deepEqual((await run([...format, "--version"])).calls, [["version", "json"]]);
  }
});

Deno.test("runCli() prints help on standard output with exit code 0", async () => {
  for (
    const args of [["--help"], ["-h"], ["config", "--help"], ["help"], ["daemon", "install", "-h"]]
  ) {
    const { code, out, errors, calls } = await run(args);
    assert.deepEqual([code, errors, calls], [0, "", []], args.join(" "));
    assert.match(out, /^Usage: almenad/);
  }
  const { out } = await run(["--help"]);
  for (
    const word of ["--grpc-addr", "--rest-addr", "--p2p-listen", "--allow-remote", "--data-dir"]
  ) {
    assert.ok(out.includes(word), word);
  }
  for (const word of ["GRPC_ADDR", "BOOTSTRAP_PEERS", "RUST_LOG", "Exit codes:", "Examples:"]) {
    assert.ok(out.includes(word), word);
  }
  assert.ok(!out.includes("service-run"));
});

Deno.test("runCli() refuses what it does not know with exit code 2 and one line", async () => {
  const lines = [
    ["--bogus"],
    ["--no-mdns"],
    ["bogus"],
    ["run", "extra"],
    ["config"],
    ["config", "bogus"],
    ["daemon"],
    ["--format", "xml"],
    ["--data-dir"],
    ["--grpc-addr"],
    ["daemon", "install", "--platform", "amiga", "--dry-run"],
    ["config", "validate", "a", "b"],
  ];
  for (const args of lines) {
    const { code, calls, out, errors } = await run(args);
    assert.deepEqual([code, calls, out], [EXIT.usage, [], ""], args.join(" "));
    assert.notEqual(errors, "");
  }
});

Deno.test("runCli() guesses what was meant", async () => {
  const table: [args: string[], guess: string][] = [
    [["--grpc-adr", "a:1"], "--grpc-addr"],
    [["confg"], "config"],
    [["config", "shw"], "show"],
    [["daemon", "instal"], "install"],
  ];
  for (const [args, guess] of table) {
    const { code, errors } = await run(args);
    assert.equal(code, EXIT.usage);
    assert.match(errors, new RegExp(`^almenad: unknown .*\\(Did you mean ${guess}\\?\\)$`, "s"));
  }
});

Deno.test("runCli() parses the config commands", async () => {
  const show = await run(["config", "show"]);
  assert.deepEqual(show.calls, [["config show", DEFAULTS, { origin: false }]]);
  const origin = await run(["config", "show", "--origin", "--format", "json"]);
  const json = { ...DEFAULTS, format: "json" };
  assert.deepEqual(origin.calls, [["config show", json, { origin: true }]]);
  const validate = await run(["config", "validate"]);
  assert.deepEqual(validate.calls, [["config validate", DEFAULTS, undefined]]);
  const file = await run(["config", "validate", "/a.toml"]);
  assert.deepEqual(file.calls, [["config validate", DEFAULTS, "/a.toml"]]);
});

Deno.test("runCli() parses the service commands", async () => {
  for (const verb of ["install", "uninstall", "status", "logs"]) {
    const options = { dryRun: false, follow: false };
    assert.deepEqual((await run(["daemon", verb])).calls, [[`daemon ${verb}`, DEFAULTS, options]]);
  }
  const dry = await run(["daemon", "install", "--dry-run", "--platform", "darwin"]);
  const options = { dryRun: true, follow: false, platform: "darwin" };
  assert.deepEqual(dry.calls, [["daemon install", DEFAULTS, options]]);
  const logs = await run(["daemon", "logs", "-f"]);
  assert.deepEqual(logs.calls[0]![2], { dryRun: false, follow: true });
  const real = await run(["daemon", "install", "--platform", "darwin"]);
  assert.deepEqual([real.code, real.calls], [EXIT.usage, []]);
  assert.match(real.errors, /--platform without --dry-run/);
});

// Contract 2.7.
const CODES: Partial<Record<ErrorCode, number>> = {
  invalid_argument: 2,
  already_exists: 3,
  permission_denied: 5,
  data_loss: 6,
  internal: 70,
  unavailable: 1,
  not_found: 1,
  resource_exhausted: 1,
  deadline_exceeded: 1,
  failed_precondition: 1,
  cancelled: 1,
};

Deno.test("runCli() ends with the exit code of the failure, told in one line", async () => {
  for (const [code, exit] of Object.entries(CODES)) {
    const { code: ended, errors } = await run([], () => {
      throw new DaemonError(code as ErrorCode, "Cannot do it: no\nsecond line");
    });
    assert.deepEqual([ended, errors], [exit, "almenad: Cannot do it: no"], code);
  }
  const slip = await run([], () => {
    throw new RangeError("a slip");
  });
  assert.deepEqual([slip.code, slip.errors], [70, "almenad: a slip"]);
  const json = await run(["--format", "json"], () => {
    throw new DaemonError("unavailable", "no");
  });
  assert.deepEqual(JSON.parse(json.errors), { error: "no" });
});

Deno.test("runCli() ends with the exit code of the command", async () => {
  for (const code of [EXIT.ok, EXIT.failed, EXIT.notRunning, EXIT.internal]) {
    assert.equal((await run([], () => code)).code, code);
  }
});

Deno.test("runCli() knows every command that talks to a daemon", async () => {
  const lines: [line: string, name: string, args: string[], options: Record<string, unknown>][] = [
    ["start", "start", [], {}],
    ["stop", "stop", [], {}],
    ["restart", "restart", [], {}],
    ["status", "status", [], {}],
    ["peers --connected", "peers", [], { connected: true }],
    ["ping", "ping", [], {}],
    ["ping 12D3 -c 2", "ping", ["12D3"], { count: "2" }],
    ["connect /ip4/1.2.3.4/tcp/5", "connect", ["/ip4/1.2.3.4/tcp/5"], {}],
    ["disconnect 12D3", "disconnect", ["12D3"], {}],
    ["call", "call", [], {}],
    ["call a.b {} --library x", "call", ["a.b", "{}"], { library: "x" }],
    ["jobs", "jobs", [], {}],
    ["events -t A --type B --job j", "events", [], { type: ["A", "B"], job: "j" }],
    ["logs -f -n 3", "logs", [], { follow: true, lines: "3" }],
    ["instances", "instances", [], {}],
    ["instances stop dev", "instances stop", ["dev"], {}],
    ["library list", "library list", [], {}],
    ["library ls", "library ls", [], {}],
    ["library search film", "library search", ["film"], {}],
    ["library get a --no-install", "library get", ["a"], { install: false, wait: true }],
    ["library install a --no-wait", "library install", ["a"], { wait: false }],
    ["library update", "library update", [], {}],
    ["library update a b", "library update", ["a", "b"], {}],
    ["library uninstall a", "library uninstall", ["a"], { wait: true }],
    ["library cancel a", "library cancel", ["a"], {}],
    ["library scan", "library scan", [], { wait: true }],
    ["library add /a --version 2", "library add", ["/a"], { itemVersion: "2" }],
    ["library add --version=2 --id b /a --move", "library add", ["/a"], {
      id: "b",
      itemVersion: "2",
      move: true,
    }],
    ["library set-dir /a", "library set-dir", ["/a"], {}],
    ["library repair a", "library repair", ["a"], {}],
    ["library verify a", "library verify", ["a"], { wait: true }],
    ["files copy a b --move", "files copy", ["a", "b"], {
      method: "auto",
      move: true,
      wait: true,
    }],
    ["doctor", "doctor", [], {}],
    ["completions zsh", "completions", ["zsh"], {}],
  ];
  for (const [line, name, args, options] of lines) {
    const { code, calls, errors } = await run(["--instance", "dev", ...line.split(" ")]);
    assert.equal(code, 0, `${line}: ${errors}`);
    assert.deepEqual(calls, [[name, args, options, { ...DEFAULTS, instance: "dev" }]], line);
  }
});

Deno.test("runCli() takes words that name an operation for a command", async () => {
  assert.deepEqual((await run(["network", "peers"])).calls, [["operation", ["network", "peers"]]]);
  assert.equal((await run(["nonsense", "peers"])).code, 2);
});

Deno.test("runCli() runs start --foreground as run does", async () => {
  assert.deepEqual((await run(["start", "--foreground"])).calls, [["run", DEFAULTS]]);
});

Deno.test("runCli() hands words to be completed on as they are", async () => {
  const { calls } = await run(["complete", "--", "logs", "--le"]);
  assert.deepEqual(calls, [["complete", ["logs", "--le"]]]);
});

Deno.test("runCli() starts the library's harness, which needs two folders and has no mDNS switch", async () => {
  const { code, calls } = await run(["library-cli", "--name", "n", "--dir", "d", "--state", "s"]);
  assert.deepEqual([code, calls], [0, [["library-cli", { name: "n", dir: "d", state: "s" }]]]);
  for (
    const words of [["--dir", "d"], ["--state", "s"], ["--dir", "d", "--state", "s", "--no-mdns"]]
  ) {
    const refused = await run(["library-cli", ...words]);
    assert.deepEqual([refused.code, refused.calls], [EXIT.usage, []], words.join(" "));
  }
});
