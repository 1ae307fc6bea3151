/** The rules of the house, held by reading the source itself. */
import assert from "node:assert/strict";
import { filesBelow, type Import, importsFrom, layerOf, readText } from "../support/source_tree.ts";

/** Folders of `src`, lowest first; types may be imported from a lower rank only. */
const RANKS: Readonly<Record<string, number>> = {
  core: 0,
  config: 1,
  system: 1,
  network: 1,
  forward: 2,
  library: 2,
  p2pd: 2,
  plugins: 2,
  sharing: 2,
  operations: 3,
  api: 4,
  client: 4,
  cli: 5,
  page: 5,
};
/** Folders other than core whose values a folder may import: the command line is a client. */
const VALUES: Readonly<Record<string, readonly string[]>> = { cli: ["client"] };
/** Where everything is wired: these see all. */
const COMPOSITION = /^(main\.ts|src\/\w+\.ts|src\/assembly\/)/;
/** Lines of a file; past that it is split by noun. */
const MAX_LINES = 300;

/** What programs begin with: ours, those that call it, and those that hold a daemon inside. */
const ENTRIES = [
  ...["main.ts", "src/client/mod.ts", "src/assembly/default_server.ts"],
  "src/p2pd/client/mod.ts",
  "src/page/mod.ts",
];

const graphs = await Promise.all(ENTRIES.map(importsFrom));
const files = [...new Set(graphs.flatMap((graph) => graph.files))];
const imports = graphs.flatMap((graph) => graph.imports);
const sources = filesBelow("src");
const main = { path: "main.ts", text: readText("main.ts") };
const everywhere = [...sources, ...filesBelow("installers"), ...filesBelow("tests"), main];

function acrossFolders({ from, to }: Import): boolean {
  return !COMPOSITION.test(from) && layerOf(from) !== layerOf(to);
}

function shown(offences: readonly Import[]): string[] {
  return offences.map(({ from, to, isType }) => `${from} ${isType ? "type " : ""}-> ${to}`);
}

Deno.test("every folder of src has a rank, or is where everything is wired", () => {
  const folders = new Set(sources.map(({ path }) => layerOf(path)));
  for (const folder of folders) {
    if (folder === undefined || folder === "assembly") continue;
    assert.ok(folder in RANKS, `src/${folder} has no rank`);
  }
});

Deno.test("ARCHITECTURE.md tells the same ranks", () => {
  const rows = readText("ARCHITECTURE.md").matchAll(/^\| (\d) \| `(\w+)` \|/gm);
  const told = Object.fromEntries([...rows].map(([, rank, folder]) => [folder, Number(rank)]));
  assert.deepEqual(told, RANKS);
});

Deno.test("values are imported across folders from core alone", () => {
  const offences = imports.filter((one) =>
    acrossFolders(one) && !one.isType && layerOf(one.to) !== "core" &&
    !VALUES[layerOf(one.from) ?? ""]?.includes(layerOf(one.to) ?? "")
  );
  assert.deepEqual(shown(offences), []);
});

Deno.test("types are imported from a lower rank only", () => {
  const rank = (path: string) => RANKS[layerOf(path) ?? ""] ?? Infinity;
  const offences = imports.filter((one) => acrossFolders(one) && rank(one.to) >= rank(one.from));
  assert.deepEqual(shown(offences), []);
});

Deno.test("other folders are entered by their mod.ts", () => {
  const offences = imports.filter((one) =>
    acrossFolders(one) && layerOf(one.to) !== undefined && !/^src\/\w+\/mod\.ts$/.test(one.to)
  );
  assert.deepEqual(shown(offences), []);
});

Deno.test("nothing of ours is imported by core", () => {
  const offences = imports.filter(({ from, to }) =>
    layerOf(from) === "core" && layerOf(to) !== "core"
  );
  assert.deepEqual(shown(offences), []);
});

Deno.test("no file imports itself by a detour", () => {
  const atOnce = imports.filter(({ isType, isDynamic }) => !isType && !isDynamic);
  const next = Map.groupBy(atOnce, ({ from }) => from);
  const done = new Set<string>();
  const visit = (file: string, trail: readonly string[]): void => {
    assert.ok(!trail.includes(file), `a circle: ${[...trail, file].join(" -> ")}`);
    if (done.has(file)) return;
    for (const { to } of next.get(file) ?? []) visit(to, [...trail, file]);
    done.add(file);
  };
  for (const entry of ENTRIES) visit(entry, []);
});

Deno.test("every file of src is reached by a program", () => {
  const lost = sources.map(({ path }) => path).filter((path) => !files.includes(path));
  assert.deepEqual(lost, []);
});

Deno.test("every folder of src says in mod.ts what it is for, and exports by name", () => {
  for (const folder of new Set(sources.map(({ path }) => layerOf(path)))) {
    if (folder === undefined) continue;
    const mod = sources.find(({ path }) => path === `src/${folder}/mod.ts`);
    assert.match(mod?.text ?? "", /^\/\*\*/, `src/${folder}/mod.ts`);
  }
  for (const { path, text } of sources) {
    assert.doesNotMatch(text, /^export default/m, path);
    assert.doesNotMatch(text, /^export \*/m, path);
  }
});

Deno.test("every exported name of src has a doc comment", () => {
  const missing = sources.flatMap(({ path, text }) => {
    const lines = text.split("\n");
    return lines.flatMap((line, index) => {
      const name = declared(line);
      const isSaid = /\*\/$/.test(lines[index - 1] ?? "");
      return name && !isSaid ? [`${path}: ${name}`] : [];
    });
  });
  assert.deepEqual(missing, []);
});

Deno.test("every exported name of src is used", () => {
  const unused = sources.filter(({ path }) => !path.endsWith("/mod.ts")).flatMap(
    ({ path, text }) => {
      const others = everywhere.filter((one) => one.path !== path)
        .map((one) => ({ ...one, text: withoutExports(one) }));
      return text.split("\n").map(declared).filter((name) => name !== undefined)
        .filter((name) => {
          const word = new RegExp(`\\b${name}\\b`);
          // In its own file counts too: a type of an exported function's parameter is used there.
          return text.split(word).length < 3 && !others.some((one) => word.test(one.text));
        })
        .map((name) => `${path}: ${name}`);
    },
  );
  assert.deepEqual(unused, []);
});

Deno.test(`no file is longer than ${MAX_LINES} lines`, () => {
  const long = [...sources, ...filesBelow("installers")]
    .map(({ path, text }) => [path, text.split("\n").length - 1] as const)
    .filter(([, lines]) => lines > MAX_LINES);
  assert.deepEqual(long, []);
});

Deno.test("file names are snake case, imports neither URLs nor jsr:", () => {
  for (const { path, text } of everywhere) {
    assert.match(path, /^([\w.-]+\/)*[a-z][a-z0-9_]*\.ts$/);
    assert.doesNotMatch(text, /^(import|export) .* from "(https?|jsr|npm):/m, path);
  }
});

Deno.test("every ignored rule is named and has a reason", () => {
  for (const { path, text } of everywhere) {
    for (const [line] of text.matchAll(/^.*\/\/ deno-(lint|fmt)-ignore.*$/gm)) {
      assert.match(line, /deno-lint-ignore(-file)? [\w/-]+( [\w/-]+)* -- \w+/, `${path}: ${line}`);
    }
    assert.doesNotMatch(text, /^\s*\/\/ @ts-(ignore|nocheck|expect-error(?!: \w))/m, path);
  }
});

/** The name a line exports by declaring it. */
function declared(line: string): string | undefined {
  const keyword = "(?:async )?(?:abstract )?(?:function|class|interface|type|const|let|enum)";
  return new RegExp(`^export ${keyword}\\*? ([A-Za-z_$][\\w$]*)`).exec(line)?.[1];
}

// Passing a name on is no use of it.
function withoutExports({ path, text }: { path: string; text: string }): string {
  return path.endsWith("/mod.ts") ? text.replaceAll(/^export \{[^}]*\} from .*$/gm, "") : text;
}
