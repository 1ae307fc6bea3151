/** Commands against daemons of one data folder, which is gone with its daemons at the end. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { almenadCommand, type Ending, runAlmenad } from "./daemon.ts";
import { LineProcess } from "./line_process.ts";
import { tempFolder } from "./temp_folder.ts";
import { waitFor } from "./wait.ts";

/** No script of a test takes longer. */
const SHELL_TIMEOUT_MS = 120_000;

/** Where {@link Cli} runs its commands. */
export interface CliInit {
  netns?: string;
  /** Words before the command, such as a change of user. */
  wrapper?: readonly string[];
  env?: Record<string, string>;
}

/** The command line with `--data-dir` of its own. */
export class Cli implements AsyncDisposable {
  readonly #cleanUp: () => Promise<void>;

  private constructor(
    readonly dataDir: string,
    readonly init: CliInit,
    cleanUp: () => Promise<void>,
  ) {
    this.#cleanUp = cleanUp;
  }

  static async create(init: CliInit = {}): Promise<Cli> {
    const folder = await tempFolder();
    return new Cli(folder.path, init, async () => await folder[Symbol.asyncDispose]());
  }

  /** Runs one command to its end. */
  async run(...args: string[]): Promise<Ending> {
    return await runAlmenad(["--data-dir", this.dataDir, ...args], this.init);
  }

  /** The same with `--format json`, its one JSON value parsed. */
  async json(...args: string[]): Promise<{ code: number; value: Record<string, unknown> }> {
    const { code, stdout } = await this.run(...args, "--format", "json");
    return { code, value: stdout ? JSON.parse(stdout) : {} };
  }

  /** Starts a command that goes on. */
  follow(...args: string[]): LineProcess {
    return new LineProcess({
      command: [...almenadCommand(), "--data-dir", this.dataDir, ...args],
      netns: this.init.netns,
      ...(this.init.env ? { env: this.init.env } : {}),
    });
  }

  /** A shell's view: the words of a script, `$A` being the command with its data folder. */
  async shell(script: string, shell = "bash"): Promise<Ending> {
    const words = [...almenadCommand(), "--data-dir", this.dataDir];
    const quoted = words.map((word) => `'${word}'`).join(" ");
    const prefix = this.init.netns ? ["ip", "netns", "exec", this.init.netns] : [];
    const [program = "", ...args] = [
      ...prefix,
      shell,
      "-c",
      `almenad() { ${quoted} "$@"; }\n${script}`,
    ];
    const begun = performance.now();
    const tooLong = new AbortController();
    const timer = setTimeout(() => tooLong.abort(), SHELL_TIMEOUT_MS);
    const { signal } = tooLong;
    const output = await new Deno.Command(program, { args, stdin: "null", signal }).output();
    clearTimeout(timer);
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    const ms = performance.now() - begun;
    return { code: output.code, stdout: text(output.stdout), stderr: text(output.stderr), ms };
  }

  /** Pid of the running daemon of an instance. */
  async pid(instance?: string): Promise<number> {
    const base = instance ? join(this.dataDir, "instances", instance) : this.dataDir;
    return Number(await readFile(join(base, "daemon", "daemon.pid"), "utf8"));
  }

  /** Ends the daemon of an instance with SIGKILL and waits for its end. */
  async kill(instance?: string): Promise<void> {
    const pid = await this.pid(instance);
    Deno.kill(pid, "SIGKILL");
    await waitFor("end of the daemon", async () => !await isAlive(pid));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.run("instances", "stop");
    await this.#cleanUp();
  }
}

// Nobody may have waited for it, so it may still have an entry as a zombie.
async function isAlive(pid: number): Promise<boolean> {
  try {
    return !/^\d+ \(.*\) [ZX]/.test(await readFile(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}
