/** Commands that start and stop daemons. */
import { NotRunningError, type OutputOf } from "../../client/mod.ts";
import { DaemonError, messageOf, pause } from "../../core/mod.ts";
import { type CommandContext, type KnownInstance, print } from "../command_context.ts";
import { EXIT } from "../exit_codes.ts";
import { facts, table } from "../terminal.ts";

/** Longest wait for a started daemon; a slow disk or a large library takes its time. */
const START_TIMEOUT_MS = 60_000;
/** Longest wait for a stopped one: its own limit is 6 s. */
const STOP_TIMEOUT_MS = 10_000;
const ROUND_MS = 25;

type Status = OutputOf<"query", "core.status">;

/** `almenad start`: 0 only after the daemon answered. */
export async function start(
  context: CommandContext,
  before: readonly string[] = [],
): Promise<number> {
  await refuseIfRunning(context);
  const state = await startAndWait(context, before);
  if (typeof state === "number") return state;
  print(context, state, () =>
    [
      `almenad ${state.version} is started`,
      facts([
        ["peer id", state.peer_id],
        ...(state.instance ? [["instance", state.instance] as const] : []),
        ["gRPC", state.grpc_addrs.join("  ")],
        ["REST", `http://${state.rest_addr}/status`],
        ...state.p2p_addrs.map((address, at) => [at === 0 ? "swarm" : "", address] as const),
        ["control", state.control_addr],
        ["data", state.data_dir],
        ["pid", String(state.pid)],
      ]),
    ].join("\n"));
  return EXIT.ok;
}

async function refuseIfRunning({ client, dirs }: CommandContext): Promise<void> {
  try {
    await client.ping({ timeoutMs: 5_000 });
  } catch (failure) {
    if (failure instanceof NotRunningError) return;
    throw failure;
  }
  const { pid } = await client.query("core.status");
  const stopCommand = client.daemon.startCommand.replace(/start$/, "stop");
  throw new DaemonError(
    "already_exists",
    `Cannot start in ${dirs.base}: already running as pid ${pid}; stop it with "${stopCommand}"`,
  );
}

// The state of the daemon once it answers, or the exit code it ended with before.
async function startAndWait(
  context: CommandContext,
  before: readonly string[] = [],
): Promise<Status | number> {
  const { client, dirs, flags, machine, output } = context;
  const daemon = await machine.startInBackground(flags, dirs, before);
  const timeout = new AbortController();
  const ended = daemon.ended.then((code) => ({ code }));
  try {
    const state = await Promise.race([ended, untilReady(context, timeout.signal)]);
    if (!("code" in state)) return state;
    const words = (await daemon.lastWords()).trim() ||
      `almenad: Cannot start: the daemon ended with code ${state.code}; see ${dirs.logs}`;
    output.error(words.split("\n").at(-1) ?? words);
    return state.code === 0 ? EXIT.failed : state.code;
  } finally {
    timeout.abort();
    client.close();
    await daemon.forget();
  }
}

async function untilReady({ client, dirs }: CommandContext, signal: AbortSignal): Promise<Status> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      await client.ping({ timeoutMs: 5_000 });
      return await client.query("core.status");
    } catch (failure) {
      if (signal.aborted || performance.now() > deadline) {
        const reason = messageOf(failure);
        throw new DaemonError(
          "deadline_exceeded",
          `Cannot see the daemon answer within ${START_TIMEOUT_MS / 1_000} s: ${reason}; ` +
            `see ${dirs.logs}`,
        );
      }
    }
    await pause(ROUND_MS, signal);
  }
}

/** `almenad stop`: 0 once the data folder is free. */
export async function stop(context: CommandContext): Promise<number> {
  const pid = await stopAndWait(context);
  print(context, { stopped: true, pid }, () => `almenad is stopped (pid ${pid})`);
  return EXIT.ok;
}

// Gives the pid it had. @throws {NotRunningError} if there is none.
async function stopAndWait(context: CommandContext): Promise<number | undefined> {
  const { client, dirs, machine } = context;
  const pid = await machine.readPid(dirs);
  try {
    await client.shutDown();
  } catch (failure) {
    // A daemon that begins or ends has no socket, but owns its folder: a signal reaches it.
    const isAlive = failure instanceof NotRunningError && await machine.isLocked(dirs);
    if (!isAlive || pid === undefined || Deno.build.os === "windows") throw failure;
    Deno.kill(pid, "SIGTERM");
  } finally {
    client.close();
  }
  const deadline = performance.now() + STOP_TIMEOUT_MS;
  while (await machine.isLocked(dirs)) {
    if (performance.now() > deadline) {
      throw new DaemonError(
        "deadline_exceeded",
        `Cannot see the daemon end within ${STOP_TIMEOUT_MS / 1_000} s; end it with "kill ${pid}"`,
      );
    }
    await pause(ROUND_MS);
  }
  return pid;
}

/** `almenad restart`: with the flags it was started with, and those of this call before them. */
export async function restart(context: CommandContext): Promise<number> {
  let before: readonly string[] = [];
  try {
    const flags = await context.machine.flagsOf(context.dirs);
    await stopAndWait(context.forInstance(context.dirs.instance));
    before = flags;
  } catch (failure) {
    if (!(failure instanceof NotRunningError)) throw failure;
  }
  return await start(context, before);
}

/** `almenad instances`: what is there, whether it runs or not. */
export async function instances(context: CommandContext): Promise<number> {
  const all = await context.machine.listInstances(context.dirs.root);
  const json = all.map(({ name, state, pid, dataDir }) => ({
    name,
    state,
    ...(pid === undefined ? {} : { pid }),
    data_dir: dataDir,
  }));
  print(context, { instances: json }, () => {
    const rows = all.map((one) => [
      one.name || "(default)",
      one.state,
      String(one.pid ?? ""),
      one.dataDir,
    ]);
    return table(["NAME", "STATE", "PID", "DATA"], rows, context.paint);
  });
  return EXIT.ok;
}

interface Outcome {
  readonly name: string;
  readonly done: string;
  readonly error?: string;
}

/** `almenad instances start|stop [names…]`: all of them if none is named. */
export async function changeInstances(
  verb: "start" | "stop",
  context: CommandContext,
  names: readonly string[],
): Promise<number> {
  const wanted = verb === "start" ? "stopped" : "running";
  const all = await context.machine.listInstances(context.dirs.root);
  const chosen = all.filter(({ name }) => names.length === 0 || names.includes(name));
  const unknown = names.find((name) => !all.some((one) => one.name === name));
  if (unknown !== undefined) {
    throw new DaemonError(
      "not_found",
      `Cannot ${verb} "${unknown}": there is no such instance; "almenad instances" lists them`,
    );
  }
  const outcomes: Outcome[] = [];
  for (const one of chosen.filter(({ state }) => state === wanted)) {
    outcomes.push(await changeOne(verb, context, one));
  }
  print(context, { instances: outcomes }, () => {
    const rows = outcomes.map(({ name, done, error }) => [name || "(default)", error ?? done]);
    return rows.length === 0 ? `Nothing to ${verb}` : table(["NAME", "DONE"], rows, context.paint);
  });
  return outcomes.some(({ error }) => error !== undefined) ? EXIT.failed : EXIT.ok;
}

async function changeOne(
  verb: "start" | "stop",
  context: CommandContext,
  { name }: KnownInstance,
): Promise<Outcome> {
  const one = context.forInstance(name);
  try {
    if (verb === "stop") await stopAndWait(one);
    else {
      const state = await startAndWait(one);
      if (typeof state === "number") return { name, done: "", error: `exit code ${state}` };
    }
    return { name, done: verb === "stop" ? "stopped" : "started" };
  } catch (failure) {
    return { name, done: "", error: messageOf(failure) };
  }
}
