/** This machine's own file system, of which everything may be changed: a layer over it that ends with the test. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCommand } from "../../src/system/command.ts";
import type { CommandAnswer } from "../../src/system/service_plan.ts";
import { LineProcess } from "./line_process.ts";
import { linuxRoot, type Need, program } from "./needs.ts";

/** What {@link ThrowawayRoot} needs of a machine. */
export function throwawayRoot(): Need[] {
  const filesystems = Deno.build.os === "linux" ? Deno.readTextFileSync("/proc/filesystems") : "";
  const overlay: Need = { name: "overlayfs", isMet: /\boverlay\b/.test(filesystems) };
  return [linuxRoot(), program("unshare"), program("nsenter"), overlay];
}

/** Where {@link ThrowawayRoot.start}'s folder is seen inside. */
export const SHARED = "/mnt";

// $1 a folder of our own, $2 the shared one. The layer lies in memory, so that nothing is left behind.
const PREPARE = `
read -r pid rest </proc/self/stat
mount --make-rprivate /
mount -t tmpfs tmpfs "$1"
mkdir "$1/written" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=/,upperdir=$1/written,workdir=$1/work" overlay "$1/root"
mount -t proc proc "$1/root/proc"
mount -t tmpfs tmpfs "$1/root/run"
mount -t tmpfs tmpfs "$1/root/tmp"
mount --rbind /dev "$1/root/dev"
mount --bind "$2" "$1/root${SHARED}"
exec chroot "$1/root" sh -euc 'echo "ready $1"; read -r line' sh "$pid"
`;

/** A root of its own, as an overlay in a mount namespace. */
export class ThrowawayRoot {
  readonly #process: LineProcess;
  readonly #pid: string;
  readonly #folder: string;

  private constructor(process: LineProcess, pid: string, folder: string) {
    this.#process = process;
    this.#pid = pid;
    this.#folder = folder;
  }

  /** @param shared A folder that is seen inside as {@link SHARED}. */
  static async start(shared: string): Promise<ThrowawayRoot> {
    const folder = await mkdtemp(join(tmpdir(), "almenad-root-"));
    const unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child"];
    const process = new LineProcess({
      command: [...unshare, "sh", "-euc", PREPARE, "sh", folder, shared],
    });
    try {
      const ready = (line: string) => /^ready (\d+)$/.exec(line)?.[1];
      return new ThrowawayRoot(process, await process.waitFor("ready root", ready), folder);
    } catch (failure) {
      await process.stop("SIGKILL");
      await rm(folder, { recursive: true });
      throw failure;
    }
  }

  /** Runs a shell script inside, with arguments. */
  run(script: string, ...args: string[]): Promise<CommandAnswer> {
    const enter = ["nsenter", "--target", this.#pid, "--mount", "--pid", "--root", "--wd"];
    return runCommand([...enter, "sh", "-euc", script, "sh", ...args]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.stop("SIGKILL");
    await rm(this.#folder, { recursive: true });
  }
}
