/**
 * The shared library without a screen, contract 5.6: `almenad library-cli --name n --dir d --state s`.
 * Commands come as JSON lines on standard input, events and answers go as JSON lines to standard output.
 */
import { join, resolve } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import type { LibraryCliFlags } from "./cli/mod.ts";
import { resolveConfig } from "./config/mod.ts";
import { DaemonError, dataDirs, toDaemonError } from "./core/mod.ts";
import { assembleDaemon, type LibraryParts } from "./daemon.ts";

type Fields = Readonly<Record<string, unknown>>;

/**
 * Runs until standard input ends or `{"cmd":"quit"}`.
 *
 * @returns The exit code.
 */
export async function runLibraryCli(flags: LibraryCliFlags): Promise<number> {
  const { name } = flags;
  const [dir, state] = [resolve(flags.dir), resolve(flags.state)];
  const env = {};
  const dirs = dataDirs({
    ...{ platform: process.platform, isDev: false, dataDir: state, env, cwd: process.cwd() },
  });
  const filePath = join(dirs.config, "config.toml");
  const doors = { grpc_addr: "127.0.0.1:0", rest_addr: "127.0.0.1:0", log: "warn" };
  const resolved = resolveConfig({ flags: doors, env, filePath, isDev: false });
  const config = { ...resolved.config, library: { ...resolved.config.library, dir } };
  let stop: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => stop = resolve);
  const daemon = await assembleDaemon({
    ...{ dirs, config: { ...resolved, config }, instance: "" },
    giveUp: () => stop(),
    shutDown: () => stop(),
  });
  const { events } = daemon.library;
  const early: Fields[] = [];
  let tell: (event: Fields) => void = (event) => early.push(event); // the first line is the harness's own
  const stopEvents = events.listen(({ topic, payload }) => {
    if (topic.startsWith("library.")) tell({ ...payload, event: topic.slice("library.".length) });
  });
  await daemon.service.start();
  const { peerId } = daemon.state;
  say({ event: "cli-started", name, peer_id: peerId, addrs: daemon.state.p2pAddresses(), dir });
  tell = say;
  for (const event of early) say(event);
  const lines = createInterface({ input: process.stdin });
  lines.on("line", (line) => void answer(line, daemon.library, stop));
  lines.on("close", () => stop());
  await ended;
  lines.close();
  await daemon.service.stop();
  stopEvents();
  return 0;
}

function say(fields: Fields): void {
  process.stdout.write(`${JSON.stringify(fields)}\n`);
}

async function answer(line: string, library: LibraryParts, stop: () => void): Promise<void> {
  let request: Fields = {};
  try {
    request = JSON.parse(line) as Fields;
    const result = await obey(request, library, stop);
    say({ event: "result", cmd: request["cmd"], request_id: request["request_id"], ...result });
  } catch (failure) {
    const { code, message } = toDaemonError(failure);
    say({ event: "error", cmd: request["cmd"], request_id: request["request_id"], code, message });
  }
}

// The commands of contract 5.6 in the harness's spelling.
async function obey(
  request: Fields,
  { sharing, links }: LibraryParts,
  stop: () => void,
): Promise<Fields> {
  const id = String(request["id"] ?? "");
  const signal = AbortSignal.timeout(120_000);
  const { actions } = sharing;
  switch (request["cmd"]) {
    case "list-games":
      return { games: await sharing.items() };
    case "get-game":
      return { ...await actions.get(id, signal) };
    case "fetch-latest-from-peers":
      return { ...await actions.fetchLatest(id, signal) };
    case "download-game-files":
      return { id: (await actions.download(id, { files: textList(request["files"]), signal })).id };
    case "install-game":
      return { id: (await actions.install(id)).id };
    case "uninstall-game":
      return { id: (await actions.uninstall(id)).id };
    case "set-game-dir":
      await sharing.setDir(String(request["path"] ?? ""));
      return { dir: sharing.dir };
    case "get-peer-count":
      return { count: sharing.peers.count };
    case "connect":
      return { peer_id: await links.connect(String(request["addr"] ?? ""), signal) };
    case "cancel-download":
      return { id, was_busy: await actions.cancel(id) };
    case "quit":
      stop();
      return {};
  }
  throw new DaemonError(
    "unimplemented",
    `Cannot obey ${JSON.stringify(request["cmd"])}: no such command`,
  );
}

function textList(value: unknown): string[] | undefined {
  return Array.isArray(value) ? value.map(String) : undefined;
}
