import process from "node:process";
import { pathToFileURL } from "node:url";

/**
 * Finds the plugin behind what nobody caught: a throw in a timer or a socket's callback, a rejection
 * without a handler. The process survives these; here they are counted as the plugin's own.
 */
export class UncaughtWatch {
  readonly #onFailure: (plugin: string, error: unknown) => void;
  #files: readonly (readonly [plugin: string, url: string])[] = [];

  /** @param onFailure Told of the plugin and what it threw. */
  constructor(onFailure: (plugin: string, error: unknown) => void) {
    this.#onFailure = onFailure;
  }

  /** Begins; built-in plugins are guarded where they are written. */
  start(fileOf: ReadonlyMap<string, { readonly path: string }>): void {
    this.stop();
    this.#files = [...fileOf].map(([plugin, { path }]) => [plugin, pathToFileURL(path).href]);
    if (this.#files.length === 0) return;
    process.on("uncaughtException", this.#onError);
    process.on("unhandledRejection", this.#onError);
  }

  /** Ends. */
  stop(): void {
    process.off("uncaughtException", this.#onError);
    process.off("unhandledRejection", this.#onError);
    this.#files = [];
  }

  readonly #onError = (error: unknown): void => {
    const stack = error instanceof Error ? error.stack ?? "" : "";
    const [plugin] = this.#files.find(([, url]) => stack.includes(`${url}:`)) ?? [];
    if (plugin !== undefined) this.#onFailure(plugin, error);
  };
}
