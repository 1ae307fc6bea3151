/**
 * A systemd user manager of a test's own, in namespaces of its own: it sees the machine's files,
 * and has a home, a network, a message bus, processes and control groups that end with the test.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import type { CommandOptions } from "../../src/system/command.ts";
import { runCommand } from "../../src/system/command.ts";
import type { CommandAnswer } from "../../src/system/service_plan.ts";
import { LineProcess } from "./line_process.ts";
import { linuxRoot, type Need, program } from "./needs.ts";

/** systemd's own program, where Debian puts it. */
const MANAGER = "/usr/lib/systemd/systemd";

/** What {@link SystemdSession} needs of a machine. */
export function systemdSession(): Need[] {
  const need = (name: string, isMet: boolean): Need => ({ name, isMet });
  return [
    linuxRoot(),
    program("unshare"),
    program("nsenter"),
    program("ip"),
    program("dbus-daemon"),
    need("systemd", exists(MANAGER)),
    need("cgroup2", cgroupFolder() !== undefined),
  ];
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

function cgroupFolder(): string | undefined {
  const mount = Deno.readTextFileSync("/proc/mounts").split("\n").find((line) =>
    line.split(" ")[2] === "cgroup2"
  );
  return mount?.split(" ")[1];
}

// $1 control group, $2 home, $3 manager. The first line read is our own end of the pipe closing.
const OUTER = `
set -e
mkdir "$1"
echo $$ >"$1/cgroup.procs"
exec unshare --mount --pid --cgroup --net --fork --kill-child sh -euc "$4" sh "$@"
`;
const INNER = `
unset XDG_CONFIG_HOME XDG_DATA_HOME
read -r pid rest </proc/self/stat
ip link set lo up
mount --make-rprivate /
mount -t proc proc /proc
umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system "$XDG_RUNTIME_DIR"
chmod 700 "$XDG_RUNTIME_DIR"
dbus-daemon --session --address="$DBUS_SESSION_BUS_ADDRESS" --nofork --nopidfile &
while ! [ -S "\${DBUS_SESSION_BUS_ADDRESS#unix:path=}" ]; do sleep 0.05; done
"$3" --user --log-target=console </dev/null &
while ! systemctl --user show --property=Version >/dev/null 2>&1; do sleep 0.05; done
echo "ready $pid"
read -r line
`;

const UNSET = ["--unset=XDG_CONFIG_HOME", "--unset=XDG_DATA_HOME"];
const RUNTIME_DIR = "/run/user/0";

/** A running user manager. */
export class SystemdSession {
  /** Home folder of the session; unit files go below its `.config`. */
  readonly home: string;
  readonly #process: LineProcess;
  readonly #pid: string;
  readonly #cgroup: string;

  private constructor(home: string, process: LineProcess, pid: string, cgroup: string) {
    this.home = home;
    this.#process = process;
    this.#pid = pid;
    this.#cgroup = cgroup;
  }

  /** @throws {DaemonError} `deadline_exceeded` or `unavailable` when systemd does not come up. */
  static async start(): Promise<SystemdSession> {
    const home = await mkdtemp("/var/tmp/almenad-session-");
    const cgroup = join(cgroupFolder() ?? "", `almenad-test-${crypto.randomUUID()}`);
    const process = new LineProcess({
      command: ["sh", "-euc", OUTER, "sh", cgroup, home, MANAGER, INNER],
      env: sessionEnvironment(home),
    });
    const ready = (line: string) => /^ready (\d+)$/.exec(line)?.[1];
    try {
      const pid = await process.waitFor("ready session", ready, 20_000);
      return new SystemdSession(home, process, pid, cgroup);
    } catch (failure) {
      await process.stop("SIGKILL");
      await removeTree(cgroup);
      await rm(home, { recursive: true, force: true });
      throw failure;
    }
  }

  /** Runs a program inside the session. */
  readonly run = (
    argv: readonly string[],
    options: CommandOptions = {},
  ): Promise<CommandAnswer> => {
    const environment = Object.entries(sessionEnvironment(this.home)).map(([n, v]) => `${n}=${v}`);
    const enter = ["nsenter", "--target", this.#pid, "--mount", "--pid", "--cgroup", "--net"];
    return runCommand([...enter, "--", "env", ...UNSET, ...environment, ...argv], options);
  };

  /** One property of a unit, systemctl(1) "show". */
  async property(unit: string, name: string): Promise<string> {
    const answer = await this.run([
      "systemctl",
      "--user",
      "show",
      "--value",
      `--property=${name}`,
      unit,
    ]);
    return answer.stdout.trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.stop("SIGKILL");
    await removeTree(this.#cgroup);
    await rm(this.home, { recursive: true, force: true });
  }
}

function sessionEnvironment(home: string): Record<string, string> {
  return {
    HOME: home,
    XDG_RUNTIME_DIR: RUNTIME_DIR,
    DBUS_SESSION_BUS_ADDRESS: `unix:path=${RUNTIME_DIR}/bus`,
  };
}

// A control group can be removed once its last process is gone, which takes the kernel a moment.
async function removeTree(cgroup: string): Promise<void> {
  for (let attempt = 0; attempt < 100 && exists(cgroup); attempt += 1) {
    await runCommand(["find", cgroup, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"]);
    if (exists(cgroup)) await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
