/** Whether the ports that the daemon wants are its own. */
import { execFile } from "node:child_process";
import { connect, createServer } from "node:net";
import process from "node:process";
import { messageOf, systemCode } from "../../core/mod.ts";
import { error, type Finding, ok, warning } from "./finding.ts";

/** Longest wait for a program that looks into /proc. */
const ASK_TIMEOUT_MS = 3_000;

/** One address the daemon listens on, or would. */
export interface WantedAddress {
  readonly door: "gRPC" | "REST";
  readonly host: string;
  readonly port: number;
  /** Whether somebody asked for it; then the daemon takes no other. */
  readonly isExplicit: boolean;
  /** The flag that sets it. */
  readonly flag: string;
}

/**
 * Looks at every wanted port.
 *
 * @param pid The running daemon, whose own listeners are as they should be.
 * @param actual What each of its doors listens on, `host:port`.
 */
export async function checkPorts(
  wanted: readonly WantedAddress[],
  pid: number | undefined,
  actual: Readonly<Record<WantedAddress["door"], readonly string[]>>,
): Promise<Finding[]> {
  return await Promise.all(
    wanted.filter(({ port }) => port !== 0).map((one) => checkPort(one, pid, actual[one.door])),
  );
}

async function checkPort(
  one: WantedAddress,
  pid: number | undefined,
  actual: readonly string[],
): Promise<Finding> {
  const { door, host, port, flag, isExplicit } = one;
  const text = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  if (pid !== undefined && actual.includes(text)) return ok("port", `${door} listens on ${text}`);
  const problem = await whyUnusable(host, port);
  if (!problem) return ok("port", `${door}: ${text} is free`);
  if (problem !== "taken") {
    return error("port", `${door}: ${text} cannot be used: ${problem}`, `another ${flag}`);
  }
  const owner = await ownerOf(port);
  const by = owner ? ` by ${owner.name} (pid ${owner.pid})` : " by another program";
  const stop = owner ? `stop it (kill ${owner.pid})` : "stop it";
  const message = `${door}: ${text} is taken${by}`;
  if (isExplicit) return error("port", message, `${stop}, or give another ${flag}`);
  const where = pid === undefined ? "" : `: ${actual.join(", ")}`;
  return warning(
    "port",
    `${message}; the daemon takes the next free one${where}`,
    `${stop}, or name a port with ${flag}`,
  );
}

async function whyUnusable(host: string, port: number): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const server = createServer();
  server.once("error", (failure) => {
    const code = systemCode(failure);
    // Without IPv6 the daemon serves IPv4 alone, which is no problem of the port.
    if (code === "EADDRNOTAVAIL" || code === "EAFNOSUPPORT") resolve(undefined);
    else resolve(code === "EADDRINUSE" ? "taken" : messageOf(failure));
  });
  server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  const problem = await promise;
  return problem ??
    (process.platform === "win32" && await answers(host, port) ? "taken" : undefined);
}

// Windows lets two programs listen on one port.
async function answers(host: string, port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ host, port, timeout: 300 });
  for (
    const [event, answer] of [["connect", true], ["error", false], ["timeout", false]] as const
  ) {
    socket.once(event, () => resolve(answer));
  }
  const answer = await promise;
  socket.destroy();
  return answer;
}

/** Who listens on a TCP port, where /proc tells. */
export async function ownerOf(
  port: number,
): Promise<{ readonly pid: number; readonly name: string } | undefined> {
  const table = await ask("cat", ["/proc/net/tcp", "/proc/net/tcp6"]);
  const [inode] = listenersOn(port, table);
  if (inode === undefined) return undefined;
  const places = ["/proc", "-maxdepth", "3", "-path", "/proc/[0-9]*/fd/*"];
  const found = await ask("find", [...places, "-lname", `socket:\\[${inode}\\]`]);
  const pid = /^\/proc\/(\d+)\//.exec(found)?.[1];
  if (pid === undefined) return undefined;
  return { pid: Number(pid), name: (await ask("cat", [`/proc/${pid}/comm`])).trim() };
}

/** Inodes of the listening sockets in tables of proc(5), `/proc/net/tcp`. */
export function listenersOn(port: number, procTable: string): string[] {
  return procTable.split("\n").map((line) => line.trim().split(/\s+/))
    .filter(([, local = "", , state]) =>
      state === "0A" && parseInt(local.split(":")[1] ?? "", 16) === port
    )
    .flatMap(([, , , , , , , , , inode]) => inode ?? []);
}

// By a program of the system: the runtime keeps these files from programs with rights of their own.
async function ask(program: string, args: readonly string[]): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const options = { timeout: ASK_TIMEOUT_MS, maxBuffer: 16 * 1_024 * 1_024 };
  // Files of other users make them fail, and what they found all the same counts.
  execFile(program, args, options, (_failure, stdout) => resolve(String(stdout)));
  return await promise;
}
