/**
 * Measures on a network where nobody else speaks: the daemon's mDNS cannot be switched off, and neighbours on the
 * machine's own network would be dialled while we measure.
 */
import process from "node:process";
import { fileURLToPath } from "node:url";
import { Lan, requireNetns } from "../support/netns.ts";
import { print } from "./report.ts";

const PREPARED = "ALMENAD_BENCH_PREPARED";

/**
 * Runs a bench program in two steps: `prepare` where the outside world can be reached, then `measure` in the same
 * program started anew inside a namespace, so that children need no `ip netns exec` of their own. Without root both
 * run right here.
 *
 * @param url The bench's own `import.meta.url`.
 * @param prepare Gives what `measure` needs, as plain data.
 */
export async function onQuietHost<T>(
  url: string,
  prepare: () => Promise<T>,
  measure: (prepared: T) => Promise<void>,
): Promise<void> {
  const inherited = process.env[PREPARED];
  if (inherited !== undefined) {
    await measure(JSON.parse(inherited) as T);
    Deno.exit(); // a stopped libp2p node leaves a timer that would keep the process
  }
  const prepared = await prepare();
  if (!requireNetns(fileURLToPath(url))) {
    print("Measuring on the machine's own network: neighbours may disturb");
    return await measure(prepared);
  }
  await using lan = await Lan.create(["quiet"]);
  const [program = "", ...args] = lan.commandOn("quiet", [
    Deno.execPath(),
    "run",
    "-A",
    fileURLToPath(url),
  ]);
  const env = { [PREPARED]: JSON.stringify(prepared) };
  const status = await new Deno.Command(program, { args, env }).spawn().status;
  process.exitCode = status.code;
}
