/** What an executable leaves in the temporary folder for its later starts. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { Cli } from "../support/cli.ts";
import { tempFolder } from "../support/temp_folder.ts";

/** The compiled code that lies there now, empty if there is none. */
function compiledCode(folder: string): string {
  const file = readdirSync(folder).find((name) => /^deno-compile-.*\.cache$/.test(name));
  return file ? readFileSync(join(folder, file), "latin1") : "";
}

Deno.test({
  name: "the code of the daemon is compiled once, whatever command came first",
  ignore: !process.env["ALMENAD_EXECUTABLE"], // from source the runtime keeps code of its own accord
  fn: async () => {
    await using temp = await tempFolder();
    await using cli = await Cli.create({ env: { TMPDIR: temp.path } });
    assert.equal((await cli.run("--version")).code, 0);
    assert.equal((await cli.run("status")).code, 4);
    assert.equal(compiledCode(temp.path), "", "left by a short command");
    assert.equal((await cli.run("start")).code, 0);
    const first = compiledCode(temp.path);
    // A name of libp2p's and one of ours: both are among what a start needs.
    for (const word of ["libp2p", "listener-watchdog"]) {
      assert.ok(first.includes(word), `${word} is not in ${first.length} bytes`);
    }
    assert.equal((await cli.run("stop")).code, 0);
    assert.equal(compiledCode(temp.path).length, first.length);
  },
});
