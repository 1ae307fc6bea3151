/** What the project stands on: pinned, used, licensed, explained. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { filesBelow, readText, ROOT } from "../support/source_tree.ts";

/** Licences that may be joined with Apache-2.0 OR MIT. */
const ALLOWED =
  /^(MIT|MIT-0|Apache-2\.0|ISC|0BSD|BSD-[23]-Clause|CC0-1\.0|Unlicense|BlueOak-1\.0\.0|Python-2\.0)$/;
/** Tools of the tests alone, never shipped and never changed, whose licence asks no more of us. */
const TEST_TOOLS: Readonly<Record<string, string>> = { "axe-core": "MPL-2.0" };
/** The original's key dependencies. */
const ORIGINALS = ["tonic", "prost", "libp2p", "tokio", "clap", "reqwest", "sysinfo", "tracing"];

const { imports } = JSON.parse(readText("deno.json")) as { imports: Record<string, string> };
const lock = JSON.parse(readText("deno.lock")) as { specifiers: Record<string, string> };
const table = readText("docs/dependencies.md");

Deno.test("every dependency is pinned to one version, in deno.json and deno.lock", () => {
  for (const [name, specifier] of Object.entries(imports)) {
    const [, version = ""] = /^npm:(?:@[\w.-]+\/)?[\w.-]+@(\d+\.\d+\.\d+)$/.exec(specifier) ?? [];
    assert.ok(version, `${name}: ${specifier}`);
    assert.ok(specifier.startsWith(`npm:${name}@`), `${name} stands for ${specifier}`);
    assert.equal(lock.specifiers[specifier]?.split("_")[0], version, `${name} in deno.lock`);
  }
});

Deno.test("every dependency is imported by something", () => {
  const text = ["src", "installers", "proto", "tests"].flatMap((folder) => filesBelow(folder))
    .map((file) => file.text).join("\n");
  const unused = Object.keys(imports).filter((name) =>
    !new RegExp(`["'\`/](npm:)?${name.replaceAll("/", "\\/")}[@/"'\`]`).test(text)
  );
  assert.deepEqual(unused, []);
});

Deno.test("every installed package has a licence that may be joined with ours", () => {
  const offences: string[] = [];
  for (const [name, licence] of installed()) {
    const [, tool = ""] = /^(.+)@/.exec(name) ?? [];
    const isTool = Object.hasOwn(TEST_TOOLS, tool) && TEST_TOOLS[tool] === licence;
    const isAllowed = isTool || licence.replaceAll(/[()]/g, "").split(/ OR /i)
      .some((choice) => choice.split(/ AND /i).every((part) => ALLOWED.test(part.trim())));
    if (!isAllowed) offences.push(`${name}: ${licence}`);
  }
  assert.deepEqual(offences, []);
});

Deno.test("tools of the tests alone are imported by tests alone", () => {
  const shipped = ["src", "installers", "proto"].flatMap((folder) => filesBelow(folder));
  for (const { path, text } of shipped) {
    for (const tool of Object.keys(TEST_TOOLS)) {
      assert.ok(!text.includes(`"${tool}`), `${path} imports ${tool}`);
    }
  }
});

Deno.test("docs/dependencies.md says what stands in for each of the original's", () => {
  for (const name of ORIGINALS) {
    const row = new RegExp(`^\\| ${name} \\| [\\d.]+ \\| [^|]+ \\| ([^|]+) \\|$`, "m").exec(table);
    assert.ok(row, name);
    for (const [, named = ""] of (row[1] ?? "").matchAll(/`(@?[\w-]+(?:\/[\w-]+)?)`/g)) {
      assert.ok(named in imports || named === "fetch", `${name}: ${named}`);
    }
  }
});

/** Packages of node_modules with what they say of their licence. */
function installed(): Map<string, string> {
  const found = new Map<string, string>();
  const store = join(ROOT, "node_modules", ".deno");
  for (const entry of readdirSync(store)) {
    const match = /^((?:@[^+]+\+)?[^@]+)@/.exec(entry);
    if (!match) continue;
    const name = (match[1] ?? "").replace("+", "/");
    try {
      const path = join(store, entry, "node_modules", name, "package.json");
      const { license, licenses } = JSON.parse(readFileSync(path, "utf8"));
      found.set(entry, license?.type ?? license ?? licenses?.[0]?.type ?? "none");
    } catch (failure) {
      if ((failure as { code?: string }).code !== "ENOENT") throw failure;
      // a package for another system, which was not fetched
    }
  }
  assert.ok(found.size > 100);
  return found;
}
