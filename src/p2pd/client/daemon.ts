import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { pause } from "../../core/mod.ts";
import { P2PDaemonBuilder } from "./builder.ts";
import { P2PClient } from "./client.ts";
import { dialControl } from "./control.ts";
import { NotRunningError, ProcessError, TimeoutError } from "./errors.ts";

/** Longest wait for the control socket, contract 3.3. */
const READY_MS = 5_000;
/** Between two tries to reach it. */
const POLL_MS = 100;
/** Kept of what the daemon wrote on standard error. */
const STDERR_CHARS = 16_384;
/** Longest orderly stop before the daemon is killed. */
const STOP_MS = 5_000;

/** How a daemon ended. */
export interface DaemonEnding {
  readonly code: number | null;
  readonly signal: string | null;
}

/**
 * A p2pd that this program started and owns.
 *
 * ```text
 * const daemon = await P2PDaemon.builder().dht(true).relay(true).spawn();
 * const client = await daemon.client();
 * const peerId = await client.identify();
 * ```
 */
export class P2PDaemon implements AsyncDisposable {
  /** Control multiaddr. */
  readonly listen: string;
  readonly #child: ChildProcess;
  readonly #ending: Promise<DaemonEnding>;
  #stderr = "";
  #ended: DaemonEnding | undefined;

  private constructor(child: ChildProcess, listen: string) {
    this.#child = child;
    this.listen = listen;
    const { promise, resolve } = Promise.withResolvers<DaemonEnding>();
    this.#ending = promise;
    child.once("close", (code, signal) => {
      this.#ended = { code, signal };
      resolve(this.#ended);
    });
    child.stderr?.setEncoding("utf8");
    child.stderr?.on("data", (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_CHARS);
    });
    child.stdout?.resume();
  }

  /** Describes a daemon, to be started with `spawn()`. */
  static builder(): P2PDaemonBuilder<P2PDaemon> {
    return new P2PDaemonBuilder(
      (command, listen) => P2PDaemon.#start(command, listen),
      ownCommand(),
    );
  }

  /** Starts a daemon with all defaults. */
  static async spawn(): Promise<P2PDaemon> {
    return await P2PDaemon.builder().spawn();
  }

  /** Process id. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Whether the process runs. */
  get isRunning(): boolean {
    return this.#ended === undefined;
  }

  /**
   * A client, once the control socket answers.
   *
   * @throws {ProcessError} with the daemon's own words if it ended.
   * @throws {TimeoutError} if it does not answer within five seconds.
   */
  async client(): Promise<P2PClient> {
    const deadline = performance.now() + READY_MS;
    for (;;) {
      if (this.#ended) throw new ProcessError(`The p2pd ended (${this.#how()}): ${this.#words()}`);
      try {
        (await dialControl(this.listen)).destroy();
        return new P2PClient(this.listen);
      } catch (cause) {
        if (performance.now() > deadline) {
          const text = `The p2pd does not answer at ${this.listen}: ${this.#words()}`;
          throw new TimeoutError(text, { cause });
        }
      }
      const ended = new AbortController();
      await Promise.race([pause(POLL_MS, ended.signal), this.#ending]);
      ended.abort();
    }
  }

  /** Resolves when the process ends. */
  async wait(): Promise<DaemonEnding> {
    return await this.#ending;
  }

  /** Ends the process in order. @throws {NotRunningError} if it has ended already. */
  async shutdown(): Promise<DaemonEnding> {
    if (this.#ended) throw new NotRunningError(`The p2pd has ended already (${this.#how()})`);
    // Not by the child's own kill(), after which the runtime reports a signal whatever happened.
    process.kill(this.pid, "SIGTERM");
    const timer = setTimeout(() => process.kill(this.pid, "SIGKILL"), STOP_MS);
    const ending = await this.#ending;
    clearTimeout(timer);
    return ending;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isRunning) await this.shutdown();
  }

  static async #start(command: readonly string[], listen: string): Promise<P2PDaemon> {
    const [program = "", ...args] = command;
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    child.once("spawn", () => resolve());
    child.once(
      "error",
      (cause) => reject(new ProcessError(`Cannot start ${program}: ${cause.message}`, { cause })),
    );
    await promise;
    return new P2PDaemon(child, listen);
  }

  #how(): string {
    return this.#ended?.signal ?? `exit code ${this.#ended?.code}`;
  }

  #words(): string {
    return this.#stderr.trim() || "it said nothing";
  }
}

// From source the runtime is started; an executable starts itself, or the one that is named.
function ownCommand(): string[] {
  const named = process.env["ALMENAD_EXECUTABLE"];
  if (named) return [named, "p2pd"];
  if (!import.meta.url.endsWith("/src/p2pd/client/daemon.ts")) return [process.execPath, "p2pd"];
  const main = fileURLToPath(new URL("../../../main.ts", import.meta.url));
  const config = fileURLToPath(new URL("../../../deno.json", import.meta.url));
  return [process.execPath, "run", "-A", "--no-check", "--config", config, main, "p2pd"];
}
