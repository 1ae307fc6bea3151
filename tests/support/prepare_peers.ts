/**
 * Fetches and builds the foreign programs that interop tests and benchmarks speak with, into the cache folder:
 *
 *     deno run -A tests/support/prepare_peers.ts [go] [grpc] [rust] [p2pd] [nat] [bench]
 *
 * `go` is the Go p2pd (Python's pip, seconds), `grpc` the gRPC clients of others (npm, Go, pip; a minute), `rust` the Rust peer (cargo, minutes from nothing), `p2pd` the Python clients of p2pd (pip, seconds), `nat` the gateway of home routers (apt, seconds), `bench` what only
 * benchmarks need (cargo and Go); without a word everything. What cannot be had is named, and the exit code is 1.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { GHZ } from "../bench/ghz.ts";
import type { ForeignProgram } from "./foreign_peers.ts";
import { GO_P2PD } from "./go_p2pd.ts";
import { BUF, GRPCURL, PYTHON_GRPC } from "./grpc_tools.ts";
import { HIVEMIND, PYTHON_P2PCLIENT } from "./interop/clients.ts";
import { MINIUPNPD } from "./miniupnpd.ts";
import { RUST_DAEMON, RUST_PEER } from "./rust_peers.ts";

const GROUPS: Readonly<Record<string, readonly ForeignProgram[]>> = {
  go: [GO_P2PD],
  grpc: [BUF, GRPCURL, PYTHON_GRPC],
  rust: [RUST_PEER],
  p2pd: [PYTHON_P2PCLIENT, HIVEMIND],
  nat: [MINIUPNPD],
  bench: [RUST_DAEMON, GHZ],
};

const { positionals } = parseArgs({ allowPositionals: true });
for (const word of positionals.length > 0 ? positionals : Object.keys(GROUPS)) {
  const programs = GROUPS[word];
  if (!programs) {
    process.stderr.write(`Cannot prepare "${word}": it is not one of ${Object.keys(GROUPS)}\n`);
    process.exit(2);
  }
  for (const program of programs) {
    const started = performance.now();
    const problem = await program.prepare();
    const seconds = ((performance.now() - started) / 1_000).toFixed(1);
    process.stdout.write(`${program.name}: ${problem ?? program.path} (${seconds} s)\n`);
    if (problem !== undefined) process.exitCode = 1;
  }
}
