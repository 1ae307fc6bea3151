/** Starts bench_peer.ts processes and asks them. */
import { mkdir, open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DaemonError } from "../../../src/core/mod.ts";
import { jsonLine, LineProcess } from "../line_process.ts";

const PROGRAM = fileURLToPath(import.meta.resolve("./bench_peer.ts"));

/** One library process. */
export class BenchPeer implements AsyncDisposable {
  #next = 1;

  private constructor(
    readonly process: LineProcess,
    readonly peerId: string,
    readonly address: string,
    readonly dir: string,
  ) {}

  /** @param init.dir Its folder; the library is `library` in it. */
  static async start(
    init: { dir: string; netns?: string; listen?: string; args?: readonly string[] },
  ): Promise<BenchPeer> {
    const process = new LineProcess({
      command: [
        ...[Deno.execPath(), "run", "-A", "--no-check", "--unstable-net", PROGRAM],
        ...["--dir", init.dir, ...init.listen ? ["--listen", init.listen] : [], ...init.args ?? []],
      ],
      netns: init.netns,
    });
    const ready = await process.waitFor("ready line", (line) => {
      const json = jsonLine(line);
      return json?.["event"] === "ready" ? json : undefined;
    }, 30_000);
    const peerId = String(ready["peer_id"]);
    const [address = ""] = ready["addrs"] as string[];
    return new BenchPeer(process, peerId, `${address}/p2p/${peerId}`, init.dir);
  }

  /** Runs a command; `item` is the item it is about. */
  async ask<T>(cmd: string, fields: Record<string, unknown> = {}, timeoutMs = 600_000): Promise<T> {
    const id = this.#next++;
    await this.process.write(JSON.stringify({ id, cmd, ...fields }));
    const answer = await this.process.waitFor(`answer to ${cmd}`, (line) => {
      const json = jsonLine(line);
      return json?.["id"] === id ? json : undefined;
    }, timeoutMs);
    if (answer["event"] === "done") return answer["result"] as T;
    throw new DaemonError("internal", `The peer says: ${answer["message"]}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process.stop();
  }
}

/** Writes an item of one file that no compression makes smaller. */
export async function writeItem(library: string, id: string, mib: number): Promise<void> {
  await mkdir(join(library, id), { recursive: true });
  const file = await open(join(library, id, "data.bin"), "w");
  const piece = new Uint8Array(1_048_576);
  for (let written = 0; written < mib; written++) {
    for (let at = 0; at < piece.byteLength; at += 65_536) {
      crypto.getRandomValues(piece.subarray(at, at + 65_536));
    }
    await file.write(piece);
  }
  await file.close();
  await writeFile(join(library, id, "version.ini"), "version=1\n");
}
