/**
 * Makes `src/api/grpc/descriptor_set.json` from the .proto files, for reflection and for the
 * executable, where packages cannot read files of their own. Run `deno task proto` after a change.
 */
import { Buffer } from "node:buffer";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";

const root = new URL("..", import.meta.url);
const buf = ["-y", "@bufbuild/buf@1.73.0"];
const build = [...buf, "build", "proto", "-o", "-#format=binpb", "--exclude-source-info"];
const { status, stdout, stderr, error } = spawnSync("npx", build, { cwd: root });
if (status !== 0) throw error ?? new Error(`buf failed: ${stderr}`);
const json = { fileDescriptorSet: Buffer.from(stdout).toString("base64") };
writeFileSync(new URL("src/api/grpc/descriptor_set.json", root), `${JSON.stringify(json)}\n`);
