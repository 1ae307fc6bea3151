/** Descriptors that a process closes though they are not open, by strace. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DaemonError } from "../../src/core/mod.ts";

/** Watches a process until {@link FailedCloses.stop}. */
export class FailedCloses {
  readonly #strace: Deno.ChildProcess;
  readonly #said: ReadableStreamDefaultReader<string>;
  readonly #folder: string;

  private constructor(
    strace: Deno.ChildProcess,
    said: ReadableStreamDefaultReader<string>,
    folder: string,
  ) {
    this.#strace = strace;
    this.#said = said;
    this.#folder = folder;
  }

  /** Attaches to a process with all its threads. */
  static async watch(pid: number): Promise<FailedCloses> {
    const folder = await mkdtemp(join(tmpdir(), "almenad-closes-"));
    const args = ["-f", "-p", String(pid), "-e", "trace=close", "-o", join(folder, "closes")];
    const strace = new Deno.Command("strace", { args, stdin: "null", stderr: "piped" }).spawn();
    const said = strace.stderr.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ""; !/attached/.test(text);) {
      const { value, done } = await said.read();
      if (done) throw new DaemonError("unavailable", `Cannot watch process ${pid}: ${text}`);
      text += value;
    }
    return new FailedCloses(strace, said, folder);
  }

  /** Lets go. @returns How many closes there were, and the lines of those that failed. */
  async stop(): Promise<{ closes: number; failed: string[] }> {
    this.#strace.kill("SIGINT");
    await this.#strace.status;
    await this.#said.cancel();
    const lines = (await readFile(join(this.#folder, "closes"), "utf8")).split("\n");
    await rm(this.#folder, { recursive: true });
    const closes = lines.filter((line) => /\bclose\(\d+\)/.test(line));
    return { closes: closes.length, failed: closes.filter((line) => line.includes("EBADF")) };
  }
}
