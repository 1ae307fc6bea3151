import { DaemonError, logger, messageOf, pause } from "../core/mod.ts";
import type { Daemon, Factory, Plugin, Register } from "./plugin.ts";

/** All plugins together may take so long to end, contract 4.1. */
export const SHUTDOWN_TIMEOUT_MS = 5_000;
/** Longest init of one plugin, contract 4.1. */
export const INIT_TIMEOUT_MS = 10_000;

/** Two plugins have one name. */
export class DuplicatePluginError extends DaemonError {
  override readonly name = "DuplicatePluginError";

  constructor(plugin: string) {
    super("already_exists", `Cannot register plugin "${plugin}": another one has that name`);
  }
}

/** What became of a load. */
export interface LoadResult {
  /** In the order they were loaded. */
  readonly loaded: readonly Plugin[];
  /** The first failure; it names the plugin. */
  readonly error?: DaemonError;
}

const NAME = /^[a-z][a-z0-9_-]{0,63}$/;
const log = logger("plugins");

/** Which plugins there are; they register themselves, the engine has no list of them. */
export class PluginRegistry {
  readonly #factories = new Map<string, Factory>();

  /**
   * Adds a plugin; modules get this bound, so that they can take it apart.
   *
   * @throws {DuplicatePluginError}
   * @throws {DaemonError} `invalid_argument` for a name that could not stand in a topic.
   */
  readonly registerPlugin = (name: string, factory: Factory): void => {
    if (!NAME.test(name)) {
      throw new DaemonError(
        "invalid_argument",
        `Cannot register plugin ${
          JSON.stringify(String(name).slice(0, 100))
        }: a name has 1 to 64 ` +
          "lower-case letters, digits, hyphens and underscores, and begins with a letter",
      );
    }
    if (this.#factories.has(name)) throw new DuplicatePluginError(name);
    this.#factories.set(name, factory);
  };

  /** Lets a module register what it has. */
  add(register: Register): void {
    register({ registerPlugin: this.registerPlugin });
  }

  /** Names, sorted by code units. */
  registered(): string[] {
    return [...this.#factories.keys()].sort();
  }

  /**
   * Builds and starts every plugin by name, one after another; the first failure ends the walk.
   *
   * @param daemonOf The daemon as the named plugin sees it.
   */
  async loadAll(
    daemonOf: (plugin: string) => Daemon,
    init: { timeoutMs?: number } = {},
  ): Promise<LoadResult> {
    const loaded: Plugin[] = [];
    for (const name of this.registered()) {
      try {
        const plugin = this.#build(name);
        await initWithin(plugin, daemonOf(name), init.timeoutMs ?? INIT_TIMEOUT_MS);
        loaded.push(plugin);
        log.debug("Plugin loaded", { plugin: name });
      } catch (cause) {
        const reason = `Cannot load plugin "${name}": ${messageOf(cause)}`;
        // Damaged state has an exit code of its own; everything else is a start that failed.
        const isDamage = cause instanceof DaemonError && cause.code === "data_loss";
        const code = isDamage ? "data_loss" : "failed_precondition";
        return { loaded, error: new DaemonError(code, reason, { cause }) };
      }
    }
    return { loaded };
  }

  #build(name: string): Plugin {
    const plugin: unknown = this.#factories.get(name)?.();
    if (!isPlugin(plugin)) {
      throw new DaemonError("failed_precondition", "its factory gave no plugin");
    }
    if (plugin.name !== name) {
      const other = JSON.stringify(plugin.name);
      throw new DaemonError("failed_precondition", `its factory gave one that is named ${other}`);
    }
    return plugin;
  }
}

/**
 * Ends plugins in reverse order under one deadline; all are attempted, a hung one is left behind.
 *
 * @param onError Told of each failure, with the plugin's name.
 * @throws {AggregateError} `n plugin shutdown error(s): …` if any failed.
 */
export async function shutdownAll(
  plugins: readonly Plugin[],
  signal: AbortSignal,
  onError: (plugin: string, error: unknown) => void = () => undefined,
): Promise<void> {
  const errors: DaemonError[] = [];
  for (const plugin of plugins.toReversed()) {
    try {
      await shutdownOne(plugin, signal);
    } catch (cause) {
      const reason = `plugin "${plugin.name}": ${messageOf(cause)}`;
      errors.push(new DaemonError("internal", reason, { cause }));
      onError(plugin.name, cause);
    }
  }
  if (errors.length === 0) return;
  const reasons = errors.map(({ message }) => message).join("; ");
  throw new AggregateError(errors, `${errors.length} plugin shutdown error(s): ${reasons}`);
}

async function initWithin(plugin: Plugin, daemon: Daemon, timeoutMs: number): Promise<void> {
  const ready = (async () => await plugin.init(daemon))();
  await orAfter(ready, pause, timeoutMs, `its init did not end within ${timeoutMs} ms`);
}

async function shutdownOne(plugin: Plugin, signal: AbortSignal): Promise<void> {
  const ended = (async () => await plugin.shutdown(signal))();
  // Even with the deadline behind it, a plugin gets a moment to end what needs no waiting.
  const late = async (ms: number, ownSignal: AbortSignal) => {
    await pause(ms, AbortSignal.any([signal, ownSignal]));
    await pause(SHUTDOWN_GRACE_MS, ownSignal);
  };
  await orAfter(ended, late, SHUTDOWN_TIMEOUT_MS, "it did not end in time and was left behind");
}

/** What a plugin gets at least, after others have used up the time. */
const SHUTDOWN_GRACE_MS = 50;

async function orAfter(
  work: Promise<void>,
  wait: (ms: number, signal: AbortSignal) => Promise<void>,
  ms: number,
  reason: string,
): Promise<void> {
  const abort = new AbortController();
  work.catch(() => undefined); // a late failure must not count as unhandled
  const late = wait(ms, abort.signal).then(() => {
    if (!abort.signal.aborted) throw new DaemonError("deadline_exceeded", reason);
  });
  late.catch(() => undefined);
  try {
    await Promise.race([work, late]);
  } finally {
    abort.abort();
  }
}

function isPlugin(value: unknown): value is Plugin {
  if (typeof value !== "object" || value === null) return false;
  const { name, init, shutdown } = value as Partial<Plugin>;
  return typeof name === "string" && typeof init === "function" && typeof shutdown === "function";
}
