/**
 * Makes the descriptors that the daemon embeds, since the executable can read no .proto files:
 * `src/api/grpc/descriptor_set.json` for gRPC and its reflection, `src/p2pd/wire/descriptor.json`
 * for the p2pd control protocol. Run `deno task proto` after a change.
 */
import { Buffer } from "node:buffer";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import protobuf from "protobufjs";

const root = new URL("..", import.meta.url);
const buf = ["-y", "@bufbuild/buf@1.73.0"];
const options = ["-o", "-#format=binpb", "--exclude-source-info", "--exclude-path", "proto/p2pd"];
const { status, stdout, stderr, error } = spawnSync("npx", [...buf, "build", "proto", ...options], {
  cwd: root,
});
if (status !== 0) throw error ?? new Error(`buf failed: ${stderr}`);
const json = { fileDescriptorSet: Buffer.from(stdout).toString("base64") };
writeFileSync(new URL("src/api/grpc/descriptor_set.json", root), `${JSON.stringify(json)}\n`);

const p2pd = readFileSync(new URL("proto/p2pd/p2pd.proto", root), "utf8");
const parsed = protobuf.parse(p2pd, { keepCase: true }).root.toJSON();
writeFileSync(new URL("src/p2pd/wire/descriptor.json", root), `${JSON.stringify(parsed)}\n`);
