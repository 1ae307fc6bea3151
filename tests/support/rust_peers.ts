/** The Rust counterparts of tests/bench/rust: a foreign peer for interop tests, a reference for benchmarks. */
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { cacheFolder, type ForeignProgram, runCommand } from "./foreign_peers.ts";

const WORKSPACE = fileURLToPath(new URL("../bench/rust/", import.meta.url));
const TARGET = process.env["CARGO_TARGET_DIR"] || join(cacheFolder(), "rust-target");

/** The libp2p node that test_peer.ts steers. */
export const RUST_PEER: ForeignProgram = rustProgram("peer");

/** The daemon's gRPC contract on tonic, with a rust-libp2p swarm beside it. */
export const RUST_DAEMON: ForeignProgram = rustProgram("bare_grpc");

function rustProgram(name: string): ForeignProgram {
  const path = join(TARGET, "release", Deno.build.os === "windows" ? `${name}.exe` : name);
  return { name: `Rust ${name}`, path, prepare: () => build(name) };
}

// From nothing this takes minutes, most of them for libp2p; afterwards it is a second.
async function build(name: string): Promise<string | undefined> {
  const { ok, reason } = await runCommand(
    "cargo",
    ["build", "--release", "--package", name],
    { cwd: WORKSPACE, env: { "CARGO_TARGET_DIR": TARGET } },
  );
  return ok ? undefined : `cargo build failed: ${reason}`;
}
