/** The command line that runs this very program again. */
import { resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { GlobalFlags } from "./cli/mod.ts";
import { versionInfo } from "./system/version.ts";

/** Program and arguments before any flag: the executable, or from source the runtime. */
export function ownProgram(): string[] {
  const isCompiled = versionInfo().commit !== "";
  if (isCompiled) return [process.execPath];
  return [process.execPath, "run", "-A", fileURLToPath(import.meta.resolve("../main.ts"))];
}

/** The same flags for another process, which may have another working folder. */
export function flagWords(flags: GlobalFlags): string[] {
  const pairs = [
    ["--data-dir", flags.dataDir && resolve(flags.dataDir)],
    ["--instance", flags.instance],
    ["--grpc-addr", flags.grpcAddr],
    ["--rest-addr", flags.restAddr],
    ["--p2p-listen", flags.p2pListen],
    ["--p2pd-listen", flags.p2pdListen],
    ["--admin-token-file", flags.adminTokenFile && resolve(flags.adminTokenFile)],
  ] as const;
  const words = pairs.flatMap(([name, value]) => value ? [name, value] : []);
  const switches = [
    ["--allow-remote", flags.allowRemote],
    ["--private", flags.private],
    ["--trust-auto-approve", flags.trustAutoApprove],
  ] as const;
  return [...words, ...switches.flatMap(([name, isOn]) => isOn ? [name] : [])];
}
