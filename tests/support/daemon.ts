/**
 * Real daemon processes for tests, from source or, with `ALMENAD_EXECUTABLE`, from the executable.
 *
 * ```ts
 * await using daemon = await startDaemon({ args: ["--dev"] });
 * const { code } = await daemon.stop();
 * ```
 *
 * A daemon speaks mDNS on every interface it finds, so these tests belong into a network of their
 * own: `deno task test:e2e` sees to it, and {@link startDaemon} says when nobody did.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { jsonLine, LineProcess } from "./line_process.ts";
import { isAlone } from "./own_network.ts";
import { tempFolder } from "./temp_folder.ts";
import { waitFor } from "./wait.ts";

/** The line a daemon prints once every door is open. */
export interface ReadyLine {
  readonly event: "ready";
  readonly version: string;
  readonly peer_id: string;
  readonly instance: string;
  readonly pid: number;
  readonly grpc_addrs: readonly string[];
  readonly rest_addr: string;
  readonly p2p_addrs: readonly string[];
  readonly data_dir: string;
}

/** How a daemon is run. */
export interface DaemonInit {
  /** Flags; ports of the system's choice are added where no listener is named. */
  args?: readonly string[];
  env?: Record<string, string>;
  /** Run inside this network namespace. */
  netns?: string | undefined;
  /** Path of an executable; `ALMENAD_EXECUTABLE`, else the source, when absent. */
  executable?: string | undefined;
  /** Left behind at the end; without it a temporary one is made and removed. */
  dataDir?: string;
  /** Text of config.toml in the temporary data folder. */
  config?: string;
  /** Leaves `--grpc-addr` and `--rest-addr` away, so that the default ports are tried. */
  hasDefaultPorts?: boolean;
  /** Words before the command, such as a shell that lowers a limit. */
  wrapper?: readonly string[];
  cwd?: string;
  /** @default {20_000} */
  readyTimeoutMs?: number;
}

/** How a process ended. */
export interface Ending {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** From the start, or from the signal that ended it. */
  readonly ms: number;
}

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));
const CONFIG = fileURLToPath(new URL("../../deno.json", import.meta.url));
/** Nothing listens there: a test that asks for a location must not reach the real service. */
const NO_GEOLOCATION = '[geolocation]\nurl = "http://127.0.0.1:9/"\n';
/** What the environment of whoever runs the tests must not decide. */
const SILENT_ENV = Object.fromEntries(
  [
    "ALMENAD_DATA_DIR",
    "BOOTSTRAP_PEERS",
    "GRPC_ADDR",
    "NOTIFY_SOCKET",
    "P2P_LISTEN",
    "REST_ADDR",
    "RUST_LOG",
    "http_proxy",
    "HTTP_PROXY",
  ].map((name) => [name, ""]),
);

/** The command line of almenad, without arguments. */
export function almenadCommand(executable = process.env["ALMENAD_EXECUTABLE"]): string[] {
  if (executable) return [executable];
  // "manual" takes no lock on node_modules, which the tests' own process has filled.
  const flags = ["-A", "--unstable-net", "--no-check", "--node-modules-dir=manual"];
  return [Deno.execPath(), "run", ...flags, "--config", CONFIG, MAIN];
}

/** A running daemon. */
export class DaemonProcess implements AsyncDisposable {
  readonly ready: ReadyLine;
  readonly dataDir: string;
  readonly #child: LineProcess;
  readonly #cleanUp: () => Promise<void>;

  constructor(child: LineProcess, ready: ReadyLine, dataDir: string, cleanUp: () => Promise<void>) {
    this.#child = child;
    this.#cleanUp = cleanUp;
    this.ready = ready;
    this.dataDir = dataDir;
  }

  get pid(): number {
    return this.ready.pid;
  }

  /** `host:port` of the first gRPC listener. */
  get grpcAddress(): string {
    return this.ready.grpc_addrs[0] ?? "";
  }

  /** A URL of the HTTP door. */
  url(path: string): string {
    return `http://${this.ready.rest_addr}${path}`;
  }

  /** The last lines of standard error. */
  get stderr(): string {
    return this.#child.stderr.join("\n");
  }

  /** Everything on standard output. */
  get stdout(): readonly string[] {
    return this.#child.lines;
  }

  /** Waits for a line on standard error. @throws {DaemonError} `deadline_exceeded`. */
  async logged(pattern: RegExp, timeoutMs = 10_000): Promise<string> {
    return await waitFor(
      `log line ${pattern}`,
      () => this.#child.stderr.find((line) => pattern.test(line)),
      timeoutMs,
    );
  }

  /** Sends a signal and does not wait. */
  signal(name: Deno.Signal): void {
    Deno.kill(this.pid, name);
  }

  /** Ends it in order; an ending that takes over 10 s is a kill. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<Ending> {
    const begun = performance.now();
    const { code } = await this.#child.stop(signal, 10_000);
    const ms = performance.now() - begun;
    return { code, ms, stdout: this.#child.lines.join("\n"), stderr: this.stderr };
  }

  /** Ends it with SIGKILL: no last words, nothing cleaned up. */
  async kill(): Promise<void> {
    await this.#child.stop("SIGKILL");
  }

  /** How it ended by itself. */
  async ended(): Promise<number> {
    return (await this.#child.ended()).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.#cleanUp();
  }
}

/**
 * Starts a daemon and waits until it is ready.
 *
 * @throws {DaemonError} with its last words when it ends before, or takes too long.
 */
export async function startDaemon(init: DaemonInit = {}): Promise<DaemonProcess> {
  if (!init.netns) warnUnlessAlone();
  const { dataDir, cleanUp } = await dataFolder(init);
  const command = [...init.wrapper ?? [], ...almenadCommand(init.executable)];
  const child = new LineProcess({
    command: [...command, "--format", "json", "--data-dir", dataDir, ...flagsOf(init)],
    env: { ...SILENT_ENV, ...init.env },
    netns: init.netns,
    ...(init.cwd ? { cwd: init.cwd } : {}),
  });
  try {
    const ready = await child.waitFor("ready line", readyLine, init.readyTimeoutMs ?? 20_000);
    return new DaemonProcess(child, ready, dataDir, cleanUp);
  } catch (failure) {
    await child.stop("SIGKILL");
    await cleanUp();
    throw failure;
  }
}

/** Runs almenad to its end. The data folder is what the arguments say. */
export async function runAlmenad(
  args: readonly string[],
  init: Pick<DaemonInit, "env" | "executable" | "cwd" | "wrapper" | "netns"> = {},
): Promise<Ending> {
  const prefix = init.netns ? ["ip", "netns", "exec", init.netns] : [];
  const words = [...prefix, ...init.wrapper ?? [], ...almenadCommand(init.executable), ...args];
  const [program = "", ...rest] = words;
  const begun = performance.now();
  const output = await new Deno.Command(program, {
    args: rest,
    stdin: "null",
    env: { ...SILENT_ENV, ...init.env },
    signal: AbortSignal.timeout(30_000),
    ...(init.cwd ? { cwd: init.cwd } : {}),
  }).output();
  const [stdout, stderr] = [output.stdout, output.stderr].map((b) => new TextDecoder().decode(b));
  const ms = performance.now() - begun;
  return { code: output.code, stdout: stdout ?? "", stderr: stderr ?? "", ms };
}

function readyLine(line: string): ReadyLine | undefined {
  const json = jsonLine(line);
  return json?.["event"] === "ready" ? json as unknown as ReadyLine : undefined;
}

function flagsOf({ args = [], env = {}, hasDefaultPorts = false }: DaemonInit): string[] {
  if (hasDefaultPorts) return [...args];
  const isNamed = (flag: string, variable: string) => args.includes(flag) || variable in env;
  return [
    ...args,
    ...(isNamed("--grpc-addr", "GRPC_ADDR") ? [] : ["--grpc-addr", "127.0.0.1:0"]),
    ...(isNamed("--rest-addr", "REST_ADDR") ? [] : ["--rest-addr", "127.0.0.1:0"]),
  ];
}

async function dataFolder(init: DaemonInit) {
  if (init.dataDir) return { dataDir: init.dataDir, cleanUp: () => Promise.resolve() };
  const folder = await tempFolder();
  await mkdir(join(folder.path, "config"));
  await writeFile(join(folder.path, "config", "config.toml"), init.config ?? NO_GEOLOCATION);
  return { dataDir: folder.path, cleanUp: async () => await folder[Symbol.asyncDispose]() };
}

let hasWarned = false;

function warnUnlessAlone(): void {
  if (hasWarned || isAlone()) return;
  hasWarned = true;
  const line = "NOTE: daemons of these tests speak mDNS on this machine's network; as root on " +
    "Linux, deno task test:e2e gives them one of their own\n";
  process.stderr.write(line);
}
