/** The test's end of an attacker (attacker.ts). */
import { DaemonError } from "../../../src/core/mod.ts";
import { fileURLToPath } from "node:url";
import { jsonLine, LineProcess } from "../line_process.ts";
import type { AttackArguments } from "./attacker.ts";

/** A running attacker, on this machine or on a host of a test network. */
export class Attacker implements AsyncDisposable {
  readonly process: LineProcess;
  #nextId = 1;

  private constructor(child: LineProcess) {
    this.process = child;
  }

  /** Starts one. */
  static async start(netns?: string): Promise<Attacker> {
    const program = fileURLToPath(new URL("./attacker.ts", import.meta.url));
    const child = new LineProcess({ command: [Deno.execPath(), "run", "-A", program], netns });
    try {
      await child.waitFor(
        "ready line",
        (line) => jsonLine(line)?.["event"] === "ready" || undefined,
      );
      return new Attacker(child);
    } catch (failure) {
      await child.stop();
      throw failure;
    }
  }

  /** Runs one command. @throws {DaemonError} `aborted` with what the attacker says went wrong. */
  async ask<T = Record<string, unknown>>(
    cmd: string,
    input: Partial<AttackArguments>,
    timeoutMs = 60_000,
  ): Promise<T> {
    const id = this.#nextId++;
    await this.process.write(JSON.stringify({ id, cmd, ...input }));
    const answer = await this.process.waitFor(
      `answer to "${cmd}"`,
      (text) => {
        const event = jsonLine(text);
        return event?.["event"] === "answer" && event["id"] === id ? event : undefined;
      },
      timeoutMs,
    );
    if (answer["failure"] === undefined) return answer["result"] as T;
    throw new DaemonError("aborted", `Command "${cmd}" failed: ${answer["failure"]}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process.stop();
  }
}
