/** docs/dependencies.md says what deno.json pins, all of it. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";

const ROOT = new URL("../../", import.meta.url);

Deno.test("docs/dependencies.md lists every dependency with its version, and no other", async () => {
  const { imports } = JSON.parse(await readFile(new URL("deno.json", ROOT), "utf8"));
  const pinned = Object.entries<string>(imports).map(([name, at]) => {
    return `${name} ${at.slice(at.lastIndexOf("@") + 1)}`;
  });
  const text = await readFile(new URL("docs/dependencies.md", ROOT), "utf8");
  const [, inDaemon = "", toBuild = ""] = text.split(/^(?:In the daemon:|Only to build and .*)$/m);
  const rows = [...`${inDaemon}${toBuild}`.matchAll(/^\| `(\S+)` \| (\d[\d.]*) \|/gm)];
  assert.deepEqual(rows.map(([, name, version]) => `${name} ${version}`).sort(), pinned.sort());
});
