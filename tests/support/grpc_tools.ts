/** gRPC clients that people use: buf and grpcurl, and Python's grpcio with its health and reflection packages. */
import { join } from "node:path";
import { cacheFolder, type ForeignProgram, runCommand } from "./foreign_peers.ts";

const BUF_VERSION = "1.73.0";
const GRPCURL_VERSION = "v1.9.4";
const PYTHON_PACKAGES = [
  "grpcio==1.85.1",
  "grpcio-health-checking==1.85.1",
  "grpcio-reflection==1.85.1",
];

const tools = join(cacheFolder(), "grpc-tools");

/** `buf curl`, from npm. */
export const BUF: ForeignProgram = {
  name: "buf",
  path: join(tools, "buf", "node_modules", ".bin", "buf"),
  async prepare() {
    const folder = join(tools, "buf");
    await Deno.mkdir(folder, { recursive: true });
    const args = [
      "install",
      "--silent",
      "--no-save",
      "--prefix",
      folder,
      `@bufbuild/buf@${BUF_VERSION}`,
    ];
    const { ok, reason } = await runCommand("npm", args);
    return ok ? undefined : `npm install failed: ${reason}`;
  },
};

/** grpcurl, built by Go. */
export const GRPCURL: ForeignProgram = {
  name: "grpcurl",
  path: join(tools, "grpcurl"),
  async prepare() {
    const module = `github.com/fullstorydev/grpcurl/cmd/grpcurl@${GRPCURL_VERSION}`;
    const { ok, reason } = await runCommand("go", ["install", module], { env: { GOBIN: tools } });
    return ok ? undefined : `go install failed: ${reason}`;
  },
};

/** A Python with grpcio, its health client and its reflection client. */
export const PYTHON_GRPC: ForeignProgram = {
  name: "Python grpcio",
  path: join(tools, "python", "bin", "python"),
  async prepare() {
    const folder = join(tools, "python");
    const made = await runCommand("python3", ["-m", "venv", folder]);
    if (!made.ok) return `python3 -m venv failed: ${made.reason}`;
    const pip = join(folder, "bin", "pip");
    const { ok, reason } = await runCommand(pip, ["install", "--quiet", ...PYTHON_PACKAGES]);
    if (ok) return undefined;
    await Deno.remove(folder, { recursive: true }); // a Python without the packages is not it
    return `pip install failed: ${reason}`;
  },
};
