/** The Go p2pd as a foreign peer: out of its Python package, started and stopped by tests. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { cacheFolder, type ForeignProgram, isPrepared, runCommand } from "./foreign_peers.ts";
import { LineProcess } from "./line_process.ts";
import { P2pdClient } from "./p2pd_client.ts";

/** The package that carries the binary; no other version is tested. */
const PACKAGE = "hivemind==1.1.12";
const MEMBER = "hivemind/hivemind_cli/p2pd";
/** SHA-256 of the binary in the Linux x86-64 wheel, so that nothing else is ever run. */
const BINARY_SHA256 = "42f8f48e62583b97cdba3c31439c08029fb2b9fc506b5bdd82c46b7cc1d279d8";

/** The Go p2pd, out of its Python package. */
export const GO_P2PD: ForeignProgram = {
  name: "Go p2pd",
  path: join(cacheFolder(), "p2pd-1.1.12"),
  prepare: fetchBinary,
};

async function fetchBinary(): Promise<string | undefined> {
  if (Deno.build.os !== "linux" || Deno.build.arch !== "x86_64") {
    return `there is no binary for ${Deno.build.os} on ${Deno.build.arch}`;
  }
  if (isPrepared(GO_P2PD)) return undefined;
  await Deno.mkdir(cacheFolder(), { recursive: true });
  const folder = await Deno.makeTempDir({ dir: cacheFolder(), prefix: "p2pd-" });
  try {
    return await unpack(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function unpack(folder: string): Promise<string | undefined> {
  const pip = ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"];
  const download = await runCommand("python3", [...pip, "--dest", folder, PACKAGE]);
  if (!download.ok) return `pip download ${PACKAGE} failed: ${download.reason}`;
  for await (const { name } of Deno.readDir(folder)) {
    if (!name.endsWith(".whl")) continue;
    const zip = await runCommand("python3", ["-m", "zipfile", "-e", join(folder, name), folder]);
    if (!zip.ok) return `unpacking ${name} failed: ${zip.reason}`;
    break;
  }
  const binary = join(folder, MEMBER);
  const digest = createHash("sha256").update(await Deno.readFile(binary)).digest("hex");
  if (digest !== BINARY_SHA256) return `the binary's SHA-256 is ${digest}`;
  await Deno.chmod(binary, 0o755);
  await Deno.rename(binary, GO_P2PD.path);
  return undefined;
}

/** How a Go p2pd is started. */
export interface GoP2pdInit {
  /** Flags besides `-listen` and `-hostAddrs`, such as `-muxer=yamux`. */
  flags?: readonly string[];
  /** Where the host listens. @default {["/ip4/127.0.0.1/tcp/0"]} */
  hostAddrs?: readonly string[];
  netns?: string;
}

/** A running Go p2pd with a control socket of its own. */
export class GoP2pd {
  readonly client: P2pdClient;
  readonly process: LineProcess;
  /** Peer id in text form. */
  readonly peerId: string;
  /** A folder for this daemon's sockets; removed by stop(). */
  readonly folder: string;

  private constructor(child: LineProcess, folder: string, peerId: string) {
    this.process = child;
    this.folder = folder;
    this.peerId = peerId;
    this.client = new P2pdClient(join(folder, "p2pd.sock"));
  }

  /** Starts the program and waits for the lines it prints when its control socket is open. */
  static async start(init: GoP2pdInit = {}): Promise<GoP2pd> {
    // Not the test's own temp folder: a socket path may have at most 107 bytes.
    const folder = await Deno.makeTempDir({ prefix: "p2pd-" });
    const hostAddrs = (init.hostAddrs ?? ["/ip4/127.0.0.1/tcp/0"]).join(",");
    const child = new LineProcess({
      command: [
        GO_P2PD.path,
        `-listen=/unix${join(folder, "p2pd.sock")}`,
        `-hostAddrs=${hostAddrs}`,
        ...(init.flags ?? []),
      ],
      netns: init.netns,
    });
    try {
      const peerId = await child.waitFor(
        "peer id",
        (line) => /^Peer ID: (\S+)$/.exec(line)?.[1],
      );
      await child.waitFor("addresses", (line) => line.startsWith("Peer Addrs:") || undefined);
      return new GoP2pd(child, folder, peerId);
    } catch (failure) {
      await child.stop();
      await Deno.remove(folder, { recursive: true });
      throw failure;
    }
  }

  /** Its first listen address with the peer id behind it. */
  async dialAddress(): Promise<string> {
    const { addrs } = await this.client.identify();
    return `${addrs[0]}/p2p/${this.peerId}`;
  }

  /** Ends the daemon and removes its folder. */
  async stop(): Promise<void> {
    await this.process.stop();
    await Deno.remove(this.folder, { recursive: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}
