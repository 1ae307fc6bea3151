/**
 * The smallest daemon that systemd can look after: SdNotifier and nothing else.
 *
 * `EXIT_WITH=<code>` in the file `orders` beside it ends it at start, `HANG` makes it mute.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { systemClock } from "../../src/core/mod.ts";
import { runCommand } from "../../src/system/command.ts";
import { SdNotifier } from "../../src/system/sd_notify.ts";

const folder = process.argv[2] ?? ".";
const orders = await readFile(join(folder, "orders"), "utf8").catch(() => "");
const exit = /EXIT_WITH=(\d+)/.exec(orders)?.[1];
if (exit !== undefined) process.exit(Number(exit));

const init = {
  env: process.env,
  pid: process.pid,
  folder,
  isAlive: () => !orders.includes("HANG"),
};
const notifier = new SdNotifier({ clock: systemClock, run: runCommand }, init);
await notifier.start();
const server = Deno.listen({ hostname: "127.0.0.1", port: 0 });
await notifier.ready(`port ${server.addr.port}, data in ${process.env["XDG_DATA_HOME"] ?? "home"}`);
let reloads = 0;
process.on("SIGHUP", async () => {
  reloads += 1;
  await notifier.reloading();
  await notifier.ready(`reloads ${reloads}`);
});
process.on("SIGTERM", async () => {
  server.close();
  await notifier.stop();
  process.exit(0);
});
