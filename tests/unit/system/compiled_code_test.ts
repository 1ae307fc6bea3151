import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { watchCompiledCode } from "../../../src/system/compiled_code.ts";

/** A name that no executable has. */
function place() {
  const root = join(tmpdir(), `deno-compile-test-${crypto.randomUUID()}`);
  const path = `${root}.cache`;
  return {
    folder: join(root, "dist", "bundle"),
    path,
    write: () => writeFileSync(path, "code"),
    [Symbol.dispose]: () => void (existsSync(path) && Deno.removeSync(path)),
  };
}

Deno.test("watchCompiledCode() leaves nothing of a short first run", async () => {
  using code = place();
  const watched = watchCompiledCode(code.folder);
  code.write();
  await watched.end();
  assert.equal(existsSync(code.path), false);
  code.write(); // by a daemon that the command started
  await watched.end();
  assert.equal(existsSync(code.path), true);
});

Deno.test("watchCompiledCode() keeps what was there before, and what is worth keeping", async () => {
  using old = place();
  old.write();
  await watchCompiledCode(old.folder).end();
  assert.equal(existsSync(old.path), true);
  using daemons = place();
  const watched = watchCompiledCode(daemons.folder);
  watched.keep();
  daemons.write();
  await watched.end();
  assert.equal(existsSync(daemons.path), true);
});

Deno.test("watchCompiledCode() does nothing to a program that runs from source", async () => {
  using code = place();
  code.write();
  await watchCompiledCode(join(tmpdir(), "project", "src")).end();
  await watchCompiledCode().end();
  assert.equal(existsSync(code.path), true);
});
