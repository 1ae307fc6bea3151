/** gRPC load from a client in another language, so that only the server's own work is on its event loop. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DaemonError } from "../../src/core/mod.ts";
import { cacheFolder, type ForeignProgram, runCommand } from "../support/foreign_peers.ts";

const MODULE = "github.com/bojand/ghz/cmd/ghz@v0.93.0";
const PROTO_FOLDER = fileURLToPath(new URL("../../proto/", import.meta.url));

const BIN = join(cacheFolder(), "go-bin");

/** The load generator. */
export const GHZ: ForeignProgram = {
  name: "ghz",
  path: join(BIN, Deno.build.os === "windows" ? "ghz.exe" : "ghz"),
  prepare: async () => {
    const { ok, reason } = await runCommand("go", ["install", MODULE], { env: { "GOBIN": BIN } });
    return ok ? undefined : `go install failed: ${reason}`;
  },
};

/** What a run of calls showed. */
export interface Load {
  readonly calls: number;
  readonly callsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Calls a method of the daemon's service for a while, `inFlight` at a time, on one connection. */
export async function load(
  target: { address: string; method: "Ping" | "ListPeers"; inFlight: number; seconds: number },
): Promise<Load> {
  const { address, method, inFlight, seconds } = target;
  const outcome = await runCommand(GHZ.path, [
    "--insecure",
    "--import-paths",
    PROTO_FOLDER,
    "--proto",
    join(PROTO_FOLDER, "almena/daemon/v1/service.proto"),
    "--call",
    `almena.daemon.v1.DaemonService.${method}`,
    ...["--concurrency", String(inFlight), "--connections", "1"],
    ...["--duration", `${seconds}s`, "--duration-stop", "wait"],
    ...["--format", "json", address],
  ]);
  if (!outcome.ok) {
    throw new DaemonError("unavailable", `Cannot load ${address}: ${outcome.reason}`);
  }
  return read(outcome.stdout);
}

interface GhzReport {
  readonly count: number;
  readonly rps: number;
  readonly latencyDistribution: readonly { percentage: number; latency: number }[] | null;
  readonly errorDistribution: Record<string, number>;
}

function read(text: string): Load {
  const { count, rps, latencyDistribution, errorDistribution } = JSON.parse(text) as GhzReport;
  const failed = Object.keys(errorDistribution)[0];
  if (failed !== undefined || !latencyDistribution) {
    throw new DaemonError("unavailable", `Calls failed under load: ${failed ?? "none was made"}`);
  }
  const latencyMs = (percentage: number) =>
    (latencyDistribution.find((entry) => entry.percentage === percentage)?.latency ?? NaN) / 1e6;
  return { calls: count, callsPerSecond: rps, p50Ms: latencyMs(50), p99Ms: latencyMs(99) };
}
