/** A daemon whose supervisor is gone: nobody reads its standard error any more. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { almenadCommand } from "../support/daemon.ts";
import { ask } from "../support/control_calls.ts";
import { tempFolder } from "../support/temp_folder.ts";
import { waitFor } from "../support/wait.ts";

Deno.test("almenad goes on quietly when nobody reads its log lines any more", async () => {
  await using folder = await tempFolder();
  const [program = "", ...args] = [
    ...almenadCommand(),
    ...["--data-dir", folder.path],
    ...["--grpc-addr", "127.0.0.1:0", "--rest-addr", "127.0.0.1:0"],
  ];
  const env = { RUST_LOG: "debug" };
  const child = new Deno.Command(program, { args, env, stdout: "null", stderr: "piped" }).spawn();
  await child.stderr.cancel();
  try {
    const answers = () => ask(folder.path, "core.version").then(() => true, () => false);
    await waitFor("the daemon", answers, 20_000);
    for (let n = 0; n < 5; n++) child.kill("SIGHUP"); // each of them is a line or more
    const log = () => readFile(join(folder.path, "logs", "daemon.log"), "utf8");
    await waitFor("their lines", async () => /config|reload/i.test(await log()));
    for (let n = 0; n < 10; n++) assert.equal(await answers(), true);
    assert.doesNotMatch(await log(), /EPIPE|Uncaught/);
  } finally {
    child.kill("SIGTERM");
    assert.equal((await child.status).code, 0);
  }
});
