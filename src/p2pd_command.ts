/** `almenad p2pd`: flags in, a running p2pd out, contract 3.3. */
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import process from "node:process";
import { assembleP2pd, notesOn, type P2pdNode } from "./assembly/p2pd_node.ts";
import { EXIT, type Output } from "./cli/mod.ts";
import { parseLogFilter } from "./config/log_filter.ts";
import { guard, logger, messageOf, systemClock, type Timer, withDeadline } from "./core/mod.ts";
import {
  type Flags,
  freshKey,
  loadKeyFile,
  parseFlags,
  resolveOptions,
  usage,
  UsageError,
} from "./p2pd/mod.ts";
import { configureLogging, terminal } from "./system/mod.ts";

/** Longest orderly stop. */
const STOP_TIMEOUT_MS = 5_000;

const log = logger("p2pd");

/**
 * Runs a p2pd until a signal, or its last client, ends it.
 *
 * @returns The exit code: 0, 1 for what cannot be done, 2 for wrong flags.
 */
export async function runP2pd(args: readonly string[], output: Output): Promise<number> {
  let given: Partial<Flags>;
  try {
    const line = parseFlags(args);
    if (line.isHelp) {
      output.error(usage("p2pd"));
      return EXIT.ok;
    }
    given = line.given;
  } catch (failure) {
    if (!(failure instanceof UsageError)) throw failure;
    output.error(`${failure.message}\n${usage("p2pd")}`);
    return EXIT.usage;
  }
  try {
    return await runUntilEnd(given, output);
  } catch (failure) {
    output.error(`p2pd: ${messageOf(failure).split("\n")[0]}`);
    return EXIT.failed;
  }
}

async function runUntilEnd(given: Partial<Flags>, output: Output): Promise<number> {
  process.on("uncaughtException", (error) => log.error("Uncaught exception", { error }));
  process.on("unhandledRejection", (error) => log.error("Unhandled rejection", { error }));
  configureLogging(parseLogFilter(process.env["RUST_LOG"] || "error"), { terminal });
  const flags = resolveOptions(given, await jsonOf(given));
  for (const note of notesOn(flags, given)) output.error(`p2pd: ${note}`);
  const ending = Promise.withResolvers<void>();
  const clients = new ClientWatch(flags.idleTimeout, () => ending.resolve());
  const node = assembleP2pd({
    flags,
    privateKey: flags.id ? await loadKeyFile(flags.id) : await freshKey(),
    note: (text) => output.error(`p2pd: ${text}`),
    onPersistent: (change) => clients.changed(change),
  });
  const release = onSignals(flags, node, output, () => ending.resolve());
  try {
    await node.service.start();
    if (!flags.q) output.out(startUpText(node));
    clients.begin();
    await ending.promise;
    await withDeadline(node.service.stop(), STOP_TIMEOUT_MS, "stop in order").catch((error) =>
      log.warn("Stopping failed", { error })
    );
    return EXIT.ok;
  } finally {
    clients.end();
    release();
  }
}

async function jsonOf({ f, i }: Partial<Flags>): Promise<string | undefined> {
  if (i) return readFileSync(0, "utf8");
  return f ? await readFile(f, "utf8") : undefined;
}

function startUpText(node: P2pdNode): string {
  return [
    `Control socket: ${node.controlAddress()}`,
    `Peer ID: ${node.peerId}`,
    "Peer Addrs:",
    ...node.addresses(),
  ].join("\n");
}

/** Ends the process when nobody holds a persistent connection, `-idleTimeout`. */
class ClientWatch {
  readonly #idleMs: number;
  readonly #onIdle: () => void;
  #timer: Timer | undefined;
  #open = 0;

  constructor(idleMs: number, onIdle: () => void) {
    this.#idleMs = idleMs;
    this.#onIdle = onIdle;
  }

  begin(): void {
    if (this.#idleMs <= 0 || this.#open > 0) return;
    this.#timer = systemClock.after(this.#idleMs, this.#onIdle);
  }

  end(): void {
    this.#timer?.cancel();
  }

  changed(change: 1 | -1): void {
    this.#open += change;
    this.#timer?.cancel();
    if (this.#idleMs > 0 && this.#open === 0) this.#onIdle();
  }
}

function onSignals(flags: Flags, node: P2pdNode, output: Output, stop: () => void): () => void {
  let isStopping = false;
  const end = () => {
    if (isStopping) process.exit(EXIT.failed);
    isStopping = true;
    stop();
  };
  // A parent that watches us with -idleTimeout owns the terminal's Ctrl-C.
  const interrupt = flags.idleTimeout > 0 ? () => undefined : end;
  const report = () => guard("report", () => output.error(node.report().join("\n")));
  const handlers: [NodeJS.Signals, () => void][] = process.platform === "win32"
    ? [["SIGINT", interrupt], ["SIGBREAK", end]]
    : [["SIGINT", interrupt], ["SIGTERM", end], ["SIGUSR2", report]];
  for (const [name, handler] of handlers) process.on(name, handler);
  return () => {
    for (const [name, handler] of handlers) process.removeListener(name, handler);
  };
}
