/** Debian's miniupnpd: the UPnP Internet Gateway that many home routers run, on a router of {@link Internet}. */
import { join } from "node:path";
import { cacheFolder, type ForeignProgram, isPrepared, runCommand } from "./foreign_peers.ts";
import { LineProcess } from "./line_process.ts";
import type { Internet } from "./nat.ts";
import { execute } from "./netns.ts";

const PACKAGE = "miniupnpd-nftables";

/** The program, out of its package; nothing is installed. */
export const MINIUPNPD: ForeignProgram = {
  name: "miniupnpd",
  path: join(cacheFolder(), "miniupnpd"),
  prepare: fetchBinary,
};

async function fetchBinary(): Promise<string | undefined> {
  if (Deno.build.os !== "linux") return `there is none for ${Deno.build.os}`;
  if (isPrepared(MINIUPNPD)) return undefined;
  await Deno.mkdir(cacheFolder(), { recursive: true });
  const folder = await Deno.makeTempDir({ dir: cacheFolder(), prefix: "miniupnpd-" });
  try {
    const download = await runCommand("apt-get", ["download", PACKAGE], { cwd: folder });
    if (!download.ok) return `apt-get download ${PACKAGE} failed: ${download.reason}`;
    for await (const { name } of Deno.readDir(folder)) {
      if (!name.endsWith(".deb")) continue;
      const unpacked = await runCommand("dpkg", ["-x", join(folder, name), folder]);
      if (!unpacked.ok) return `dpkg -x ${name} failed: ${unpacked.reason}`;
      break;
    }
    await Deno.copyFile(join(folder, "usr/sbin/miniupnpd"), MINIUPNPD.path);
    await Deno.chmod(MINIUPNPD.path, 0o755);
    return undefined;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Runs it on a home's router. */
export class Miniupnpd implements AsyncDisposable {
  readonly #child: LineProcess;
  readonly #folder: string;
  readonly #router: string;

  private constructor(child: LineProcess, folder: string, router: string) {
    this.#child = child;
    this.#folder = folder;
    this.#router = router;
  }

  /** Starts it and waits until it answers searches. */
  static async start(internet: Internet, home: string): Promise<Miniupnpd> {
    const router = internet.router(home);
    await execute("ip", ["netns", "exec", router, "nft", TABLES]);
    const folder = await Deno.makeTempDir({ prefix: "igd-" });
    const config = join(folder, "miniupnpd.conf");
    await Deno.writeTextFile(config, CONFIG);
    const child = new LineProcess({
      command: [MINIUPNPD.path, "-d", "-f", config, "-P", join(folder, "pid")],
      netns: router,
    });
    return new Miniupnpd(child, folder, router);
  }

  /** The rules that lead from outside to a home's host. */
  async mappings(): Promise<string[]> {
    const list = ["list", "chain", "inet", "nat", "prerouting_miniupnpd"];
    const { stdout } = await execute("ip", ["netns", "exec", this.#router, "nft", ...list]);
    return stdout.split("\n").filter((line) => line.includes("dnat"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stop();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

const CONFIG = `
ext_ifname=wan
listening_ip=lan
http_port=0
enable_upnp=yes
enable_natpmp=no
secure_mode=yes
upnp_table_name=filter
upnp_nat_table_name=nat
upnp_forward_chain=miniupnpd
upnp_nat_chain=prerouting_miniupnpd
upnp_nat_postrouting_chain=postrouting_miniupnpd
uuid=6f0c0c3e-7d5c-4d2f-9f0a-1f1f1f1f1f1f
allow 1024-65535 192.168.7.0/24 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
`;

// The chains that the program fills.
const TABLES = `
  add table inet filter
  add chain inet filter miniupnpd
  add table inet nat
  add chain inet nat prerouting_miniupnpd
  add chain inet nat postrouting_miniupnpd
  add chain inet nat prerouting { type nat hook prerouting priority -100; }
  add rule inet nat prerouting jump prerouting_miniupnpd
  add rule ip home forward ct status dnat accept
`;
