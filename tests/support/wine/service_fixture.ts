/**
 * A small program with the Windows service of the daemon and nothing else, so that the Service
 * Control Manager's protocol is tested before and apart from the daemon.
 *
 * Use: service_fixture.exe service-run [notes=FILE] [exit=CODE] [start_ms=MS] [stop_ms=MS] [linger_ms=MS]
 */
import { appendFileSync } from "node:fs";
import { createServer } from "node:net";
import process from "node:process";
import { messageOf, pause } from "../../../src/core/mod.ts";
import { runWindowsService } from "../../../src/system/windows_service.ts";

const [command, ...options] = process.argv.slice(2);

function option(name: string): string | undefined {
  return options.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1);
}

function note(line: string): void {
  const file = option("notes");
  if (file !== undefined) appendFileSync(file, `${line}\n`);
}

async function serve(signal: AbortSignal, ready: () => void): Promise<number> {
  note("begun");
  await pause(Number(option("start_ms") ?? 0), signal);
  const code = option("exit");
  if (code !== undefined) return Number(code);
  const server = createServer((socket) => socket.end("served\n"));
  const listening = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", () => listening.resolve());
  await listening.promise;
  note("listening");
  // The daemon gives this right away once it is up, so the service must do without it.
  Deno.permissions.revokeSync({ name: "ffi" });
  note(`native code ${Deno.permissions.querySync({ name: "ffi" }).state}`);
  ready();
  const stopped = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => stopped.resolve());
  await stopped.promise;
  note("stopping");
  await pause(Number(option("stop_ms") ?? 0));
  server.close();
  note("ended");
  return 0;
}

async function main(): Promise<number> {
  if (command !== "service-run") return 0;
  try {
    const code = await runWindowsService({ run: serve });
    await pause(Number(option("linger_ms") ?? 0));
    return code;
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`);
    return 1;
  }
}

process.exit(await main());
