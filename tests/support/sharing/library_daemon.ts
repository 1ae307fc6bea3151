/** Daemon processes that share a library, asked over HTTP. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type DaemonInit, type DaemonProcess, startDaemon } from "../daemon.ts";
import { waitFor } from "../wait.ts";

/** An item as `library.items` tells it. */
export interface ToldItem {
  readonly id: string;
  readonly version: string;
  readonly downloaded: boolean;
  readonly installed: boolean;
  readonly peers: number;
  readonly activity?: string;
}

/** A daemon and what can be asked of its library. */
export class LibraryDaemon implements AsyncDisposable {
  constructor(readonly daemon: DaemonProcess, readonly netns: string | undefined) {}

  /** Starts one. */
  static async start(init: DaemonInit = {}): Promise<LibraryDaemon> {
    return new LibraryDaemon(await startDaemon(init), init.netns);
  }

  /** The library's folder. */
  get dir(): string {
    return join(this.daemon.dataDir, "library");
  }

  /** Calls an operation; from inside the daemon's namespace. */
  async call(noun: string, verb: string, input?: Record<string, unknown>): Promise<unknown> {
    const token = (await readFile(join(this.daemon.dataDir, "daemon", "admin_token"), "utf8"))
      .trim();
    const url = this.daemon.url(`/api/v1/${noun}/${verb}`);
    const post = [
      "-X",
      "POST",
      "-H",
      "content-type: application/json",
      "-d",
      JSON.stringify(input),
    ];
    const words = [
      ...(this.netns ? ["ip", "netns", "exec", this.netns] : []),
      ...["curl", "-s", "--max-time", "60", "-H", `authorization: Bearer ${token}`],
      ...(input ? post : []),
      url,
    ];
    const [program = "", ...args] = words;
    const { stdout } = await new Deno.Command(program, { args, stdin: "null" }).output();
    return JSON.parse(new TextDecoder().decode(stdout));
  }

  /** What it lists. */
  async items(): Promise<ToldItem[]> {
    const { items } = await this.call("library", "items") as { items?: ToldItem[] };
    return items ?? [];
  }

  /** Waits for an item to be as wanted. */
  async item(
    id: string,
    holds: (item: ToldItem) => boolean,
    timeoutMs = 20_000,
  ): Promise<ToldItem> {
    return await waitFor(`item "${id}"`, async () => {
      const item = (await this.items()).find((one) => one.id === id);
      return item && holds(item) ? item : undefined;
    }, timeoutMs);
  }

  /** Scans and hashes. */
  async scan(): Promise<void> {
    const answer = await this.call("library", "scan", { wait: true });
    assert.equal(typeof (answer as { items?: unknown }).items, "number", JSON.stringify(answer));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.daemon[Symbol.asyncDispose]();
  }
}
