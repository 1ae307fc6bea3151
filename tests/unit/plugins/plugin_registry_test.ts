import assert from "node:assert/strict";
import type { Daemon, Plugin } from "../../../src/plugins/plugin.ts";
import { PluginHealth } from "../../../src/plugins/plugin_health.ts";
import {
  DuplicatePluginError,
  PluginRegistry,
  shutdownAll,
} from "../../../src/plugins/plugin_registry.ts";

const daemon = {} as Daemon;

function plugin(name: string, told: string[] = [], parts: Partial<Plugin> = {}): Plugin {
  return {
    name,
    init: () => void told.push(`init ${name}`),
    shutdown: () => void told.push(`shutdown ${name}`),
    ...parts,
  };
}

function registryOf(plugins: readonly Plugin[]): PluginRegistry {
  const registry = new PluginRegistry();
  for (const one of plugins) registry.registerPlugin(one.name, () => one);
  return registry;
}

Deno.test("plugin.ts and what it leads to are types alone, so that plugins need nothing", async () => {
  const base = new URL("../../../src/plugins/", import.meta.url);
  const folder = await Array.fromAsync(Deno.readDir(new URL("contract/", base)));
  const contract = folder.map(({ name }) => name);
  assert.ok(contract.length > 0);
  for (const path of ["plugin.ts", ...contract.map((name) => `contract/${name}`)]) {
    const code = (await Deno.readTextFile(new URL(path, base))).replace(/\/\*[\s\S]*?\*\//g, "");
    // A type is gone before anything runs; whatever else there were would be left.
    assert.doesNotMatch(code, /\bimport\b(?! type \{)|^export (?!type\b|interface\b)/m, path);
    for (const [, from = ""] of code.matchAll(/\bfrom "([^"]*)"/g)) {
      const isContract = contract.includes(from.replace(/^\.\/(contract\/)?/, ""));
      assert.ok(isContract, `${path} leads to ${from}`);
    }
  }
});

Deno.test("PluginRegistry.registered() is sorted, whatever the order", () => {
  const registry = registryOf([plugin("c"), plugin("a"), plugin("b")]);
  assert.deepEqual(registry.registered(), ["a", "b", "c"]);
});

Deno.test("PluginRegistry.registerPlugin() refuses a name twice, and one that is none", () => {
  const registry = registryOf([plugin("a")]);
  assert.throws(() => registry.registerPlugin("a", () => plugin("a")), DuplicatePluginError);
  for (const name of ["", "A", "a b", "a.b", "x".repeat(65), "__proto__"]) {
    assert.throws(() => registry.registerPlugin(name, () => plugin(name)), {
      code: "invalid_argument",
    });
  }
});

Deno.test("PluginRegistry.loadAll() starts by name and stops at the first failure", async () => {
  const told: string[] = [];
  let built = 0;
  const registry = registryOf([
    plugin("b", told, {
      init: () => {
        throw new TypeError("no luck");
      },
    }),
    plugin("a", told),
  ]);
  registry.registerPlugin("c", () => (built++, plugin("c")));
  const { loaded, error } = await registry.loadAll(() => daemon);
  assert.deepEqual(loaded.map(({ name }) => name), ["a"]);
  assert.equal(error?.message, 'Cannot load plugin "b": no luck');
  assert.equal(built, 0);
  assert.deepEqual(told, ["init a"]);
});

Deno.test("PluginRegistry.loadAll() counts a hung init, no plugin and a wrong name as failures", async () => {
  const table: [name: string, factory: () => unknown, message: RegExp][] = [
    ["hangs", () => plugin("hangs", [], { init: () => new Promise(() => {}) }), /init did not end/],
    ["none", () => null, /"none": its factory gave no plugin/],
    ["empty", () => ({}), /gave no plugin/],
    ["mask", () => plugin("other"), /is named "other"/],
  ];
  for (const [name, factory, message] of table) {
    const registry = new PluginRegistry();
    registry.registerPlugin(name, factory as () => Plugin);
    const { error, loaded } = await registry.loadAll(() => daemon, { timeoutMs: 50 });
    assert.match(error?.message ?? "", message);
    assert.match(error?.message ?? "", new RegExp(`"${name}"`));
    assert.deepEqual(loaded, []);
  }
});

Deno.test("PluginRegistry.loadAll() builds fresh instances each time", async () => {
  const registry = new PluginRegistry();
  registry.registerPlugin("a", () => plugin("a"));
  const [first, second] = [
    await registry.loadAll(() => daemon),
    await registry.loadAll(() => daemon),
  ];
  assert.notEqual(first.loaded[0], second.loaded[0]);
});

Deno.test("shutdownAll() goes in reverse, attempts all, and reports every failure", async () => {
  const told: string[] = [];
  const plugins = [
    plugin("first", told),
    plugin("second", told, {
      shutdown: () => {
        throw new TypeError("broken");
      },
    }),
    plugin("third", told, { shutdown: () => new Promise(() => {}) }),
    plugin("zzz", told),
  ];
  const begun = performance.now();
  await assert.rejects(shutdownAll(plugins, AbortSignal.timeout(300)), (error: Error) => {
    assert.ok(error instanceof AggregateError);
    assert.match(error.message, /^2 plugin shutdown error\(s\): .*"third".*"second": broken/);
    return true;
  });
  assert.deepEqual(told, ["shutdown zzz", "shutdown first"]);
  assert.ok(performance.now() - begun < 1_000);
});

Deno.test("PluginHealth counts throws and rejections; the third makes unhealthy, once", async () => {
  const topics: string[] = [];
  const health = new PluginHealth((topic) => void topics.push(topic));
  const fail = () => {
    throw new TypeError("slip");
  };
  assert.equal(health.run("x", "handle", fail, "otherwise"), "otherwise");
  await health.run("x", "handle", () => Promise.reject(new TypeError("slip")), undefined);
  assert.equal(health.of("x").isHealthy, true);
  health.run("x", "handle", fail, undefined);
  health.run("x", "handle", fail, undefined);
  assert.deepEqual(topics, [
    "plugin.x.panic",
    "plugin.x.panic",
    "plugin.x.panic",
    "plugin.x.unhealthy",
    "plugin.x.panic",
  ]);
  assert.deepEqual(health.of("x"), { failures: 4, isHealthy: false, lastError: "handle: slip" });
  assert.equal(health.of("y").isHealthy, true);
});

Deno.test("docs/plugins.md adds a plugin by one line, which fits builtin.ts as it is", async () => {
  const root = new URL("../../../", import.meta.url);
  const docs = await Deno.readTextFile(new URL("docs/plugins.md", root));
  const [, diff = ""] = /```diff\n([\s\S]*?)```/.exec(docs) ?? [];
  const lines = diff.split("\n").filter((line) => /^[-+ ]export /.test(line));
  const builtin = (await Deno.readTextFile(new URL("src/plugins/builtin.ts", root))).split("\n");
  const [before, added, after, ...more] = lines;
  assert.deepEqual([before![0], added![0], after![0], more], [" ", "+", " ", []]);
  const place = builtin.indexOf(before!.slice(1));
  assert.ok(place > 0 && builtin[place + 1] === after!.slice(1), "the docs show another file");
  const form = /^export \{ register as \w+ \} from "\.\/[\w/]+\.ts";$/;
  assert.match(added!.slice(1), form);
  const exported = builtin.filter((line) => line.startsWith("export"));
  assert.deepEqual(exported.filter((line) => !form.test(line)), []);
});
