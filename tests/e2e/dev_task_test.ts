/** `deno task dev`: restarts when a source changes. */
import assert from "node:assert/strict";
import { utimes } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { jsonLine, LineProcess } from "../support/line_process.ts";
import { ROOT } from "../support/source_tree.ts";
import { tempFolder } from "../support/temp_folder.ts";
import { waitFor } from "../support/wait.ts";

/** Promised: ready again so long after a source was touched. */
const RESTARTED_WITHIN_MS = 3_000;

Deno.test({
  name: "deno task dev starts the daemon anew within 3 s of a touched source",
  ignore: Boolean(process.env["ALMENAD_EXECUTABLE"]), // it is about the source
  fn: async () => {
    await using folder = await tempFolder();
    const flags = ["--grpc-addr", "127.0.0.1:0", "--rest-addr", "127.0.0.1:0", "--format", "json"];
    const task = new LineProcess({
      command: [Deno.execPath(), "task", "dev", ...flags],
      cwd: ROOT,
      env: { ALMENAD_DATA_DIR: folder.path, RUST_LOG: "info" },
    });
    const readyLines = () => task.lines.map(jsonLine).filter((line) => line?.["event"] === "ready");
    const first = await task.waitFor("ready line", jsonLine, 30_000);
    try {
      assert.equal(first["data_dir"], folder.path);
      const now = new Date();
      await utimes(join(ROOT, "src", "daemon.ts"), now, now);
      await waitFor("second ready line", () => readyLines().length >= 2, RESTARTED_WITHIN_MS);
      const second = readyLines()[1] ?? {};
      assert.equal(second["peer_id"], first["peer_id"]);
      const address = String(second["rest_addr"]);
      assert.equal(await (await fetch(`http://${address}/healthz`)).text(), "ok\n");
    } finally {
      // Daemon and watcher are one process, and the watcher outlives what it watches.
      Deno.kill(Number(first["pid"]), "SIGKILL");
      await task.stop();
    }
  },
});
