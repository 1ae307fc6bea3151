import { lstat, readdir } from "node:fs/promises";
import { arch, cpus, freemem, homedir, hostname, release, totalmem, type, uptime } from "node:os";
import { join, relative } from "node:path";
import process from "node:process";
import { lastLogLines } from "../../client/mod.ts";
import { type DataDirs, messageOf } from "../../core/mod.ts";
import type { CommandContext } from "../command_context.ts";
import { examine } from "../doctor/mod.ts";
import type { ArchiveFile } from "./archive.ts";
import { Redactor } from "./redactor.ts";
import { knownSecrets } from "./secrets.ts";

/** Files of the data folder that are listed. */
const MAX_FILES = 500;
/** Variables that change what almenad does; their names are told, and the values of these. */
const VARIABLES = ["GRPC_ADDR", "REST_ADDR", "P2P_LISTEN", "RUST_LOG", "ALMENAD_DATA_DIR"];
/** What a running daemon is asked. */
const QUERIES = [
  ...["core.status", "core.health", "network.status", "network.links", "plugins.list"],
  ...["policy.list", "webhook.stats", "jobs.list", "events.subscriptions", "instances.list"],
] as const;

/** Everything a report holds, cleaned of secrets and of who is who. */
export async function collect(
  context: CommandContext,
  { lines }: { lines: number },
): Promise<ArchiveFile[]> {
  const { dirs, flags, machine } = context;
  const settings = await quietly(() => machine.settings(flags));
  const { config, origins } = settings as { config?: unknown; origins?: unknown };
  const answers = await ask(context);
  const { peer_id: selfId = "" } = (answers["core.status"] ?? {}) as { peer_id?: string };
  const redactor = new Redactor({
    secrets: await knownSecrets(dirs, config),
    home: homedir(),
    host: hostname(),
    selfId,
  });
  // Words of our own need no cleaning.
  const json = (name: string, value: unknown, own?: object): ArchiveFile => {
    const clean = redactor.json(value);
    return {
      name,
      text: `${JSON.stringify(own ? { ...clean as object, ...own } : clean, null, 2)}\n`,
    };
  };
  const log = await quietly(() => lastLogLines(dirs, lines));
  return [
    { name: "README.txt", text: README },
    json("versions.json", { ...await versions(context), ...machineFacts() }),
    json("config.json", settings, { origins }),
    json("daemon.json", answers),
    json("doctor.json", await quietly(() => examine(context))),
    json("files.json", await quietly(() => listFiles(dirs))),
    {
      name: "daemon.log",
      text: Array.isArray(log)
        ? log.map((line) => `${JSON.stringify(redactor.json(line))}\n`).join("")
        : `${JSON.stringify(redactor.json(log))}\n`,
    },
  ];
}

const README = `A bug report of almenad.

versions.json  almenad, its runtime, the system, memory and processors
config.json    the configuration in force, and where each value comes from
daemon.json    what the running daemon says of itself; why not, if it does not run
doctor.json    what almenad doctor finds
files.json     names, sizes and rights of the files in the data folder; nothing of their content
daemon.log     the last lines of the log

Taken out, and why you can still read it:
  [secret]            tokens, passwords, the webhook's secret and the path of its URL, keys, codes
  [ticket]            invitations
  [this peer]         the id of this daemon; [peer 1], [peer 2] … those of others
  [public address 1]  addresses on the internet; [local address 2] those on local networks
  [mac] [host] ~      hardware addresses, the name of this machine, the user's folder and name
The same thing has the same number everywhere in this report. Names of shared items, of files
and of networks are as they are: look through the report before you give it to anybody.
`;

async function versions({ client }: CommandContext): Promise<Record<string, unknown>> {
  return { almenad: await quietly(() => client.query("core.version")) };
}

function machineFacts(): Record<string, unknown> {
  const { env } = process;
  const set = Object.keys(env).filter((name) =>
    /^(ALMENAD|DENO|GRPC|REST|P2P|RUST|BOOT)/.test(name)
  );
  return {
    system: { type: type(), release: release(), arch: arch(), uptime_s: Math.round(uptime()) },
    memory: { total: totalmem(), free: freemem() },
    processors: { count: cpus().length, model: cpus()[0]?.model },
    variables_set: set,
    variables: Object.fromEntries(
      VARIABLES.flatMap((name) => env[name] ? [[name, env[name]]] : []),
    ),
    time: new Date().toISOString(),
  };
}

async function ask({ client }: CommandContext): Promise<Record<string, unknown>> {
  const answers: Record<string, unknown> = {};
  for (const name of QUERIES) answers[name] = await quietly(() => client.query(name));
  return answers;
}

// Without the library: that may hold more files than anybody wants to read of.
async function listFiles({ base, data, config, logs, daemon }: DataDirs): Promise<unknown[]> {
  const paths = [base, ...await readdir(base).then((names) => names.map((one) => join(base, one)))];
  for (const folder of [data, config, logs, daemon]) {
    const names = await readdir(folder, { recursive: true }).catch(() => []);
    paths.push(...names.map((name) => join(folder, name)));
  }
  return await Promise.all(
    paths.slice(0, MAX_FILES).map(async (path) => {
      const stats = await lstat(path).catch(() => undefined);
      return {
        name: relative(base, path) || ".",
        ...(stats?.isFile() ? { size: stats.size } : {}),
        mode: ((stats?.mode ?? 0) & 0o7777).toString(8),
        modified: stats?.mtime.toISOString(),
      };
    }),
  );
}

// What cannot be had is news as well.
async function quietly<T>(look: () => Promise<T>): Promise<T | { error: string }> {
  try {
    return await look();
  } catch (failure) {
    return { error: messageOf(failure) };
  }
}
