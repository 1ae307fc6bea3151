/** The contestants: the daemon, the plain program and the Rust one, from source or as executables. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compile } from "../../installers/compile.ts";
import { DaemonError } from "../../src/core/mod.ts";
import { compileFor, denort } from "../support/compiler.ts";
import { cacheFolder, isPrepared } from "../support/foreign_peers.ts";
import { jsonLine, LineProcess } from "../support/line_process.ts";
import { RUST_DAEMON } from "../support/rust_peers.ts";

/** How each contestant appears in the tables. */
export const ALMENAD = "almenad";
export const PLAIN = "plain grpc-js + libp2p";
export const RUST = "tonic + rust-libp2p";

/** A program that serves the gRPC contract on a live swarm. */
export interface Program {
  readonly name: string;
  readonly command: readonly string[];
  readonly env?: Record<string, string>;
}

/** A started program. */
export interface Running extends AsyncDisposable {
  readonly process: LineProcess;
  /** `host:port` of its gRPC server. */
  readonly grpc: string;
  readonly peerId: string;
  /** Swarm addresses, without `/p2p`. */
  readonly addrs: readonly string[];
  /** From just before the process was made to its ready line, in milliseconds. */
  readonly readyMs: number;
}

/** The three from source; the Rust one only where it is built. */
export function sourcePrograms(dataDir: string): Program[] {
  const run = [Deno.execPath(), "run", "-A", "--unstable-net"];
  return [
    almenad([...run, fileURLToPath(import.meta.resolve("../../main.ts"))], dataDir),
    { name: PLAIN, command: [...run, fileURLToPath(import.meta.resolve("./bare_node.ts"))] },
    ...rustPrograms(),
  ];
}

/**
 * The three as executables, compiled now in the same way.
 *
 * @throws {DaemonError} `failed_precondition` when this machine can make none.
 */
export async function executablePrograms(dataDir: string): Promise<Program[]> {
  const folder = join(cacheFolder(), "bench");
  await Deno.mkdir(folder, { recursive: true });
  const make = (entry: string, name: string) => makeExecutable(entry, join(folder, name));
  const daemon = await make("main.ts", "almenad");
  const plain = await make("tests/bench/bare_node.ts", "bare_node");
  return [almenad([daemon], dataDir), { name: PLAIN, command: [plain] }, ...rustPrograms()];
}

async function makeExecutable(entry: string, output: string): Promise<string> {
  const { target } = Deno.build;
  return denort(target).isMet
    ? compileFor(target, entry, output)
    : await compile({ entry, output });
}

function almenad(command: readonly string[], dataDir: string): Program {
  const flags = ["--format", "json", "--data-dir", dataDir, "--rest-addr", "127.0.0.1:0"];
  return { name: ALMENAD, command: [...command, ...flags] };
}

function rustPrograms(): Program[] {
  if (!isPrepared(RUST_DAEMON)) return [];
  return [{ name: RUST, command: [RUST_DAEMON.path, "--p2p-listen", "/ip4/0.0.0.0/tcp/0"] }];
}

/**
 * Starts a program and waits for its ready line.
 *
 * @param options.args Where gRPC listens, and more. @default {["--grpc-addr", "127.0.0.1:0"]}
 */
export async function start(
  program: Program,
  options: { netns?: string; args?: readonly string[] } = {},
): Promise<Running> {
  const { args = ["--grpc-addr", "127.0.0.1:0"], netns } = options;
  const command = [...program.command, ...args];
  const started = performance.now();
  const child = new LineProcess({ command, netns, ...(program.env && { env: program.env }) });
  try {
    const ready = await child.waitFor("ready line", readyLine, 20_000);
    const readyMs = performance.now() - started;
    return {
      ...ready,
      process: child,
      readyMs,
      [Symbol.asyncDispose]: () => child.stop().then(() => undefined),
    };
  } catch (failure) {
    await child.stop();
    throw failure;
  }
}

function readyLine(line: string): Pick<Running, "grpc" | "peerId" | "addrs"> | undefined {
  const ready = jsonLine(line);
  if (!ready || !("peer_id" in ready)) return undefined;
  const [first] = (ready["grpc_addrs"] ?? [ready["grpc"]]) as string[];
  if (!first) throw new DaemonError("data_loss", `The ready line names no gRPC address: ${line}`);
  const addrs = (ready["p2p_addrs"] ?? ready["addrs"]) as string[];
  return {
    grpc: first,
    peerId: String(ready["peer_id"]),
    addrs: addrs.map((address) => address.replace(/\/p2p\/.*$/, "")),
  };
}
