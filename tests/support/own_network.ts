/**
 * A network that nobody else is on: daemons multicast over every interface they find, and what a
 * test sends must not reach the network of the machine it runs on.
 */
import { spawnSync } from "node:child_process";
import { networkInterfaces } from "node:os";
import process from "node:process";

/** Set for processes that were started by {@link inOwnNetwork}. */
export const IN_OWN_NETWORK = "ALMENAD_TEST_IN_OWN_NETWORK";

let canUnshare: boolean | undefined;

/** Whether this machine can give a process a network of its own: Linux, root, util-linux. */
export function canUnshareNetwork(): boolean {
  canUnshare ??= process.platform === "linux" &&
    spawnSync("unshare", ["--net", "ip", "link", "set", "lo", "up"]).status === 0;
  return canUnshare;
}

/** The command line that runs another one with loopback alone; it ends with its last process. */
export function inOwnNetwork(command: readonly string[]): string[] {
  return ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", ...command];
}

/** Whether this process has no interface but loopback, so that nothing it sends goes anywhere. */
export function isAlone(): boolean {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return process.env[IN_OWN_NETWORK] === "1" || all.every(({ internal }) => internal);
}
