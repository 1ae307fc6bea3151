/** A child process that talks in lines. */
import { DaemonError } from "../../src/core/mod.ts";
import { TextLineStream } from "./text_lines.ts";

/** How a child is started. */
export interface LineProcessInit {
  /** Program and arguments. */
  command: readonly string[];
  /** Run inside this network namespace (`ip netns exec`). */
  netns?: string | undefined;
  env?: Record<string, string>;
  cwd?: string;
  /** Passed on to this process's stderr as well as kept. @default {false} */
  showStderr?: boolean;
}

interface Waiter {
  take(line: string): boolean;
  fail(failure: DaemonError): void;
}

const KEPT_LINES = 200;

/** A running child; its stdout is kept line by line, so that nothing is missed before it is asked for. */
export class LineProcess {
  readonly lines: string[] = [];
  readonly stderr: string[] = [];
  readonly #child: Deno.ChildProcess;
  readonly #name: string;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #waiters = new Set<Waiter>();
  readonly #readers: Promise<void>;
  #ended = false;

  constructor(init: LineProcessInit) {
    const words = init.netns ? ["ip", "netns", "exec", init.netns, ...init.command] : init.command;
    const [program = "", ...args] = words;
    this.#name = init.command[0] ?? "";
    this.#child = new Deno.Command(program, {
      args,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      ...(init.env && { env: init.env }),
      ...(init.cwd && { cwd: init.cwd }),
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#readers = Promise.all([
      this.#read(this.#child.stdout, (line) => this.#arrived(line)),
      this.#read(this.#child.stderr, (line) => {
        this.stderr.push(line);
        if (this.stderr.length > KEPT_LINES) this.stderr.shift();
        if (init.showStderr) Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`));
      }),
    ]).then(() => this.#end());
  }

  /** Process id; `ip netns exec` replaces itself, so it is the program's own. */
  get pid(): number {
    return this.#child.pid;
  }

  /**
   * The first line, past or to come, that `match` turns into a value.
   *
   * @param what Names the awaited thing in the failure.
   * @throws {DaemonError} `deadline_exceeded` when no such line came in time; `unavailable` when the child ended.
   */
  waitFor<T>(
    what: string,
    match: (line: string) => T | undefined,
    timeoutMs = 10_000,
  ): Promise<T> {
    for (const line of this.lines) {
      const found = match(line);
      if (found !== undefined) return Promise.resolve(found);
    }
    if (this.#ended) return Promise.reject(this.#failure("unavailable", what, "it ended"));
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const waiter: Waiter = {
      take: (line) => {
        const found = match(line);
        if (found !== undefined) resolve(found);
        return found !== undefined;
      },
      fail: reject,
    };
    this.#waiters.add(waiter);
    const timer = setTimeout(
      () => reject(this.#failure("deadline_exceeded", what, `nothing within ${timeoutMs} ms`)),
      timeoutMs,
    );
    return promise.finally(() => {
      clearTimeout(timer);
      this.#waiters.delete(waiter);
    });
  }

  /** Writes one line to the child's stdin. */
  async write(line: string): Promise<void> {
    await this.#input.write(new TextEncoder().encode(`${line}\n`));
  }

  /** Signals the child, waits for its end, kills it when it does not come; safe to call twice. */
  async stop(signal: Deno.Signal = "SIGTERM", timeoutMs = 5_000): Promise<Deno.CommandStatus> {
    await this.#input.close().catch(() => undefined);
    const signalled = this.#signal(signal);
    const timer = setTimeout(() => this.#signal("SIGKILL"), signalled ? timeoutMs : 0);
    const status = await this.#child.status;
    clearTimeout(timer);
    await this.#readers;
    return status;
  }

  /** Waits for the child to end by itself. */
  async ended(): Promise<Deno.CommandStatus> {
    const status = await this.#child.status;
    await this.#input.close().catch(() => undefined);
    await this.#readers;
    return status;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop().then(() => undefined);
  }

  #signal(signal: Deno.Signal): boolean {
    try {
      this.#child.kill(signal);
      return true;
    } catch {
      return false; // it has already ended
    }
  }

  async #read(from: ReadableStream<Uint8Array>, take: (line: string) => void): Promise<void> {
    for await (const line of from.pipeThrough(new TextLineStream())) take(line);
  }

  #arrived(line: string): void {
    this.lines.push(line);
    for (const waiter of this.#waiters) waiter.take(line);
  }

  #end(): void {
    this.#ended = true;
    for (const waiter of this.#waiters) {
      waiter.fail(this.#failure("unavailable", "a line", "it ended"));
    }
  }

  #failure(code: "deadline_exceeded" | "unavailable", what: string, why: string): DaemonError {
    const tail = this.stderr.slice(-5).join("\n");
    return new DaemonError(code, `No ${what} from ${this.#name}: ${why}\n${tail}`);
  }
}

/** The line as JSON object, or undefined when it is none. */
export function jsonLine(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
