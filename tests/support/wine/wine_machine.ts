/**
 * A Windows of Wine's with nothing but itself: own processes, own network, own files.
 *
 * It lives in the root that tests/support/wine/setup.sh makes, and ends with this process, because
 * its first process reads our end of a pipe.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { LineProcess } from "../line_process.ts";
import type { Need } from "../needs.ts";

/** What a Windows program printed, and how it ended. */
export interface WineResult {
  /** The lowest eight bits of its exit code. */
  code: number;
  /** Standard output, with Windows' line ends made ours. */
  stdout: string;
  stderr: string;
  tookMs: number;
}

/** Longest run of one Windows program, in milliseconds. */
const RUN_TIMEOUT_MS = 60_000;
const START_TIMEOUT_MS = 30_000;
/** Set by setup.sh once everything is in. */
const STAMP = ".ready-1";

/**
 * Runs as the machine's first process: lays a writable layer over the fresh Windows, prints its
 * process id as we see it, and waits for us to end. The persistent server keeps Windows up between
 * programs; without it every program would boot it again. What boots with the first program would
 * hold that program's output open for ever, hence /dev/null.
 */
const FIRST_PROCESS = `
set -e
root=$1 folder=$2
read -r pid rest </proc/self/stat
mount --make-rprivate /
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/tmp"
mount -t overlay overlay "$folder/windows" \\
  -o "lowerdir=$root/opt/prefix,upperdir=$folder/written,workdir=$folder/work"
ip link set lo up
inside() {
  chroot "$root" /usr/bin/env -i PATH=/usr/bin:/bin HOME=/root LANG=C.UTF-8 WINEDEBUG=-all \\
    WINEPREFIX="\${folder#"$root"}/windows" "$@" </dev/null >/dev/null 2>&1
}
inside wineserver --persistent
inside wine cmd /c exit
echo "$pid"
cat >/dev/null
`;

/** Where setup.sh makes the root. */
const ROOT = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "almenad", "wine");

/** The root of setup.sh, and root's rights to enter it. */
export const wine: Need = {
  name: "wine",
  isMet: process.getuid?.() === 0 && existsSync(join(ROOT, STAMP)),
};

/** One Windows; dispose of it to end all its processes and remove its files. */
export class WineMachine implements AsyncDisposable {
  /** Drive C:, as a path of ours into the machine's own mounts. */
  readonly driveC: string;
  readonly #folder: string;
  readonly #first: LineProcess;
  readonly #pid: number;

  private constructor(folder: string, first: LineProcess, pid: number) {
    this.#folder = folder;
    this.#first = first;
    this.#pid = pid;
    this.driveC = `/proc/${pid}/root${folder}/windows/drive_c`;
  }

  /**
   * Starts a fresh Windows.
   *
   * @param namespace Network namespace it lives in; without one it has a loopback of its own only.
   */
  static async start(namespace?: string): Promise<WineMachine> {
    removeLeftovers();
    const folder = mkdtempSync(join(ROOT, "srv", `windows-${process.pid}-`));
    for (const name of ["written", "work", "windows"]) mkdirSync(join(folder, name));
    const first = new LineProcess({
      command: [
        ...["unshare", "--mount", "--pid", "--ipc", ...(namespace ? [] : ["--net"])],
        ...["--fork", "--kill-child", "bash", "-c", FIRST_PROCESS, "bash", ROOT, folder],
      ],
      netns: namespace,
    });
    try {
      const pid = await first.waitFor("process id", (line) => Number(line), START_TIMEOUT_MS);
      return new WineMachine(folder, first, pid);
    } catch (failure) {
      await first.stop();
      rmSync(folder, { recursive: true, force: true });
      throw failure;
    }
  }

  /** Runs a Windows program to its end. */
  async run(program: string, ...args: string[]): Promise<WineResult> {
    const begun = performance.now();
    const [entered = "", ...words] = this.command(program, ...args);
    const { code, stdout, stderr } = await new Deno.Command(entered, {
      args: words,
      stdin: "null",
      signal: AbortSignal.timeout(RUN_TIMEOUT_MS),
    }).output();
    const [out = "", err = ""] = [stdout, stderr].map((bytes) =>
      new TextDecoder().decode(bytes).replaceAll("\r\n", "\n")
    );
    return { code, stdout: out, stderr: err, tookMs: Math.round(performance.now() - begun) };
  }

  /** The command line of ours that runs a Windows program. */
  command(program: string, ...args: string[]): string[] {
    return [
      ...this.#enter(),
      ...["chroot", ROOT, "/usr/bin/env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
      ...["HOME=/root", "LANG=C.UTF-8", "WINEDEBUG=-all", "XDG_RUNTIME_DIR=/tmp"],
      `WINEPREFIX=${this.#folder.slice(ROOT.length)}/windows`,
      ...["wine", program, ...args],
    ];
  }

  /** Fetches a page from a server on Windows' own loopback. */
  async fetch(url: string): Promise<string> {
    const [entered = "", ...words] = [...this.#enter(), "curl", "-sS", "--max-time", "10", url];
    const { stdout } = await new Deno.Command(entered, { args: words, stdin: "null" }).output();
    return new TextDecoder().decode(stdout);
  }

  #enter(): string[] {
    return ["nsenter", "--target", `${this.#pid}`, "--mount", "--net", "--pid", "--ipc", "--"];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#first.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Folders of test processes that were killed. */
function removeLeftovers(): void {
  for (const name of readdirSync(join(ROOT, "srv"))) {
    const [, pid] = /^windows-(\d+)-/.exec(name) ?? [];
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    rmSync(join(ROOT, "srv", name), { recursive: true, force: true });
  }
}
