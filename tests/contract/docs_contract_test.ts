/** What the documents say, held against what is there. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type CliActions, EXIT, runCli } from "../../src/cli/mod.ts";
import { operations } from "../../src/operations/mod.ts";
import { GrpcClient } from "../support/grpc_client.ts";
import { OpenDoors } from "../support/open_doors.ts";
import { filesBelow, linkedFiles, readText, ROOT } from "../support/source_tree.ts";

const readme = readText("README.md");
const settings = JSON.parse(readText("deno.json")) as {
  version: string;
  license: string;
  tasks: Record<string, { command: string }>;
};
/** Tasks of the original, and ours. */
const TASKS = [
  ...["install", "dev", "test", "clippy", "fmt", "lint", "check", "ok", "start", "bench"],
  ...["test:unit", "test:e2e", "test:full", "compile", "proto"],
  ...["package", "package:linux", "package:darwin", "package:windows"],
];

/** Sections that tests/e2e types into a real shell. */
const TYPED = /^#{2,3} (REST|GraphQL|The socket by hand|Trust and policies)\n[\s\S]*?(?=^#)/gm;

/** Command lines of the README's other shell blocks, comments and continuations resolved. */
function shellLines(): string[] {
  return [...readme.replaceAll(TYPED, "").matchAll(/```sh\n([\s\S]*?)```/g)]
    .flatMap(([, block = ""]) => block.replaceAll(/\\\n\s*/g, " ").split("\n"))
    .map((line) => line.replace(/\s+# .*$/, "").trim())
    .map((line) => line.replace(/^source <\((.*)\)$/, "$1").replace(/ \| source$/, ""))
    .filter(Boolean);
}

/** Actions that do nothing, so that a command line can be tried. */
const IDLE: CliActions = {
  version: () => Promise.resolve(EXIT.ok),
  run: () => Promise.resolve(EXIT.ok),
  runAsService: () => Promise.resolve(EXIT.ok),
  p2pd: () => Promise.resolve(EXIT.ok),
  showConfig: () => Promise.resolve(EXIT.ok),
  validateConfig: () => Promise.resolve(EXIT.ok),
  service: () => Promise.resolve(EXIT.ok),
  libraryCli: () => Promise.resolve(EXIT.ok),
  client: () => Promise.resolve(EXIT.ok),
  operation: () => Promise.resolve(EXIT.ok),
  complete: () => Promise.resolve(EXIT.ok),
};

async function almenad(words: readonly string[]): Promise<{ code: number; said: string }> {
  let said = "";
  const keep = (text: string) => void (said += text);
  return { code: await runCli(words, IDLE, { out: keep, error: keep }), said };
}

/** Checks of a README line, by its first word. */
const LINES: readonly (readonly [first: RegExp, check: (line: string) => Promise<void>])[] = [
  [/^npx -y deno@\S+ run -A peers\.ts$/, () => {
    assert.match(readme, /```ts\n[\s\S]*src\/client\/mod\.ts/);
    return Promise.resolve();
  }],
  [/^npx -y deno@/, (line) => {
    const [, version, task = ""] = /^npx -y deno@(\S+) task (\S+)$/.exec(line) ?? [];
    assert.equal(version, "2.9.3", line);
    assert.ok(task in settings.tasks, line);
    return Promise.resolve();
  }],
  [/^(\.\/dist\/)?almenad /, async (line) => {
    const { code, said } = await almenad(line.split(" ").slice(1));
    assert.equal(code, EXIT.ok, `${line}: ${said}`);
  }],
  [/^sudo bash examples\//, (line) => {
    const [, , path = ""] = line.split(" ");
    assert.ok(existsSync(join(ROOT, path)), line); // tests/e2e/library_command_test.ts runs it
    return Promise.resolve();
  }],
  [/^curl /, async (line) => {
    const path = /127\.0\.0\.1:8080(\/[^\s']*)'?$/.exec(line)?.[1] ?? assert.fail(line);
    await using doors = await OpenDoors.open();
    assert.equal((await doors.get(path)).status, 200, line);
  }],
  [/^(grpcurl|npx -y @bufbuild\/buf@)/, async (line) => {
    if (/ list$/.test(line)) return;
    const [, service = "", method = ""] = /(\w[\w.]+)\/(\w+)$/.exec(line) ?? assert.fail(line);
    await using doors = await OpenDoors.open();
    using client = new GrpcClient(doors.grpcAddress);
    assert.ok(await client.call(method, {}, service), line);
  }],
];

Deno.test("README's shell blocks name commands, flags, tasks, paths and calls that exist", async () => {
  const lines = shellLines();
  assert.ok(lines.length >= 10);
  for (const line of lines) {
    const check = LINES.find(([first]) => first.test(line))?.[1];
    assert.ok(check, `nothing checks "${line}"`);
    await check(line);
  }
});

Deno.test("README and --help name the same flags and variables", async () => {
  const { said: help } = await almenad(["--help"]);
  const table = readme.slice(readme.indexOf("| flag |"), readme.indexOf("`RUST_LOG` is a level"));
  const flags = [...table.matchAll(/`(--[a-z0-9-]+)/g)].map(([, flag = ""]) => flag);
  const known = [...help.matchAll(/^\s+(?:-\w, )?(--[a-z0-9-]+)/gm)].map(([, flag = ""]) => flag);
  const elsewhere = ["--format", "--version", "--help"];
  assert.deepEqual([...new Set(flags)].sort(), known.filter((f) => !elsewhere.includes(f)).sort());
  const variables = [...table.matchAll(/`([A-Z][A-Z0-9_]+)`/g)].map(([, name = ""]) => name);
  assert.equal(new Set(variables).size, 6);
  for (const name of variables) assert.match(help, new RegExp(`\\b${name}\\b`), name);
});

Deno.test("README tells every exit code, and no other", () => {
  const table = readme.slice(readme.indexOf("| exit code |"), readme.indexOf("## Watch it"));
  const codes = [...table.matchAll(/^\| (\d+) \|/gm)].map(([, code]) => Number(code));
  assert.deepEqual(codes, Object.values(EXIT));
});

Deno.test("every task and every almenad command that the documents name exists", async () => {
  for (const path of ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "ARCHITECTURE.md"]) {
    const text = readText(path);
    for (const [, task = ""] of text.matchAll(/deno(?:@[\d.]+)? task ([a-z]+(?::[a-z]+)?)/g)) {
      assert.ok(task in settings.tasks, `${path}: deno task ${task}`);
    }
    for (const [, words = ""] of text.matchAll(/`almenad ((?:config|daemon) [a-z -]+)`/g)) {
      assert.equal((await almenad(words.split(" "))).code, EXIT.ok, `${path}: almenad ${words}`);
    }
  }
});

Deno.test("README names every gRPC call", () => {
  const calls = operations.flatMap(({ rpc }) => rpc ?? []);
  assert.equal(calls.length, 5);
  for (const call of calls) assert.match(readme, new RegExp(`^\\| \`${call}\` \\|`, "m"));
});

Deno.test("every promised task exists, and runs files that exist", () => {
  for (const name of TASKS) assert.ok(name in settings.tasks, `no task ${name}`);
  for (const [name, { command }] of Object.entries(settings.tasks)) {
    for (const [, inner = ""] of command.matchAll(/deno task (\S+)/g)) {
      assert.ok(inner in settings.tasks, `${name}: ${inner}`);
    }
    for (const [path] of command.matchAll(/\b[\w/]+\.ts\b/g)) {
      assert.ok(existsSync(join(ROOT, path)), `${name}: ${path}`);
    }
  }
});

Deno.test("the project says its version and licence once, and the same everywhere", async () => {
  const { versionInfo } = await import("../../src/system/mod.ts");
  assert.equal(settings.version, "2026.1.1-develop");
  assert.equal(versionInfo().version, settings.version);
  assert.equal(settings.license, "Apache-2.0 OR MIT");
  assert.match(readText("LICENSE-APACHE"), /Apache License\s+Version 2\.0/);
  assert.match(readText("LICENSE-MIT"), /Permission is hereby granted, free of charge/);
});

Deno.test("NOTICE says what was taken of other p2pds: facts, no code", () => {
  assert.match(readText("NOTICE"), /p2pd[\s\S]*Only facts[\s\S]*no code of go-libp2p-daemon/);
  const known = /github\.com\/(libp2p|learning-at-home)\/(go|js)-libp2p-daemon/;
  for (const { path, text } of filesBelow("src")) assert.doesNotMatch(text, known, path);
});

Deno.test("the tree has what it was given", () => {
  const paths = ["main.ts", "src", "proto/almena/daemon/v1/service.proto", "installers", "tests"];
  const platforms = ["macos", "debian", "windows"].map((name) => `installers/${name}`);
  for (const path of [...paths, ...platforms, "deno.lock", "README.md", ".ci/run"]) {
    assert.ok(existsSync(join(ROOT, path)), path);
  }
});

Deno.test("links between the documents lead to files", () => {
  const lost = [
    ...filesBelow("docs", ".md"),
    ...["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]
      .map((path) => ({ path, text: readText(path) })),
  ]
    .flatMap((file) =>
      linkedFiles(file).filter((path) => !existsSync(join(ROOT, path)))
        .map((path) => `${file.path}: ${path}`)
    );
  assert.deepEqual(lost, []);
});
