/** Starts `p2p_abuse.ts` and tells how it fared. */
import { fileURLToPath } from "node:url";
import { jsonLine, LineProcess } from "../line_process.ts";
import type { P2pd } from "../p2pd_process.ts";

const SCRIPT = fileURLToPath(new URL("p2p_abuse.ts", import.meta.url));
const CONFIG = fileURLToPath(new URL("../../../deno.json", import.meta.url));

/** What it can do. */
export type Abuse =
  | "frames"
  | "streams"
  | "pubsub"
  | "large"
  | "rpcs"
  | "deaf"
  | "dht"
  | "providers";

/** A peer that abuses a p2pd, in a process of its own; what it holds it holds until it is stopped. */
export class Abuser implements AsyncDisposable {
  readonly #child: LineProcess;

  private constructor(child: LineProcess) {
    this.#child = child;
  }

  /**
   * Starts one, and waits until it is connected.
   *
   * @param isNice Whether it leaves the processor to others, as one on another machine would.
   */
  static async start(
    p2pd: P2pd,
    abuse: Abuse,
    count: number,
    ms = 60_000,
    isNice = false,
  ): Promise<Abuser> {
    const address = `${p2pd.info.addrs[0]}/p2p/${p2pd.peerId}`;
    const flags = ["-A", "--no-check", "--node-modules-dir=manual", "--config", CONFIG];
    const child = new LineProcess({
      command: [
        ...isNice ? ["nice", "-n", "19"] : [],
        Deno.execPath(),
        "run",
        ...flags,
        SCRIPT,
        abuse,
        address,
        String(count),
        `${ms}`,
      ],
    });
    await child.waitFor(
      "connection",
      (line) => jsonLine(line)?.["event"] === "connected" || undefined,
    );
    return new Abuser(child);
  }

  /** What it got, once it has done everything. */
  async done(timeoutMs = 120_000): Promise<Record<string, number | boolean>> {
    return await this.#child.waitFor("end of the abuse", (line) => {
      const json = jsonLine(line);
      return json?.["event"] === "done" ? json as Record<string, number | boolean> : undefined;
    }, timeoutMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stop("SIGKILL");
  }
}
