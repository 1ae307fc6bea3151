import assert from "node:assert/strict";
import fc from "fast-check";
import {
  DEFAULT_CAPS,
  fitCaps,
  openFileLimit,
  RESERVED_DESCRIPTORS,
} from "../../../src/system/fd_budget.ts";

Deno.test("fitCaps() leaves the caps alone where there is room, or no known limit", () => {
  assert.equal(fitCaps(DEFAULT_CAPS, undefined), DEFAULT_CAPS);
  assert.equal(fitCaps(DEFAULT_CAPS, 1_048_576), DEFAULT_CAPS);
  assert.equal(fitCaps(DEFAULT_CAPS, 512 + 128 + 128 + 100 + 128), DEFAULT_CAPS);
});

Deno.test("fitCaps() lowers all in proportion on a small limit", () => {
  const half = { swarm: 256, grpc: 64, rest: 64, control: 50 };
  assert.deepEqual(fitCaps(DEFAULT_CAPS, 128 + 434), half);
  assert.deepEqual(fitCaps(DEFAULT_CAPS, 256), { swarm: 75, grpc: 18, rest: 18, control: 14 });
});

Deno.test("fitCaps() keeps the sum within the limit less the reserve, and four each at least", () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 2_000 }), (limit) => {
    const { swarm, grpc, rest, control } = fitCaps(DEFAULT_CAPS, limit);
    assert.ok(Math.min(swarm, grpc, rest, control) >= 4);
    const isTight = limit < RESERVED_DESCRIPTORS + 36;
    assert.ok(isTight || swarm + grpc + rest + control <= limit - RESERVED_DESCRIPTORS);
  }));
});

Deno.test("openFileLimit() is the soft limit of this process", async () => {
  const limit = openFileLimit();
  if (Deno.build.os === "windows") return assert.equal(limit, undefined);
  const shell = new Deno.Command("sh", { args: ["-c", "ulimit -n"] });
  const text = new TextDecoder().decode((await shell.output()).stdout).trim();
  assert.equal(limit, text === "unlimited" ? undefined : Number(text));
});

Deno.test({
  name: "openFileLimit() is told to a process that may not read all of /proc, as an executable",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    const url = import.meta.resolve("../../../src/system/fd_budget.ts");
    const script = `import { openFileLimit } from "${url}"; console.log(openFileLimit());`;
    const flags = "--no-prompt --no-check --quiet --allow-read --allow-ffi --allow-env";
    const command = `ulimit -n 200; echo '${script}' | "$0" run ${flags} -`;
    const { stdout } = await new Deno.Command("sh", {
      args: ["-c", command, Deno.execPath()],
    }).output();
    assert.equal(new TextDecoder().decode(stdout).trim(), "200");
  },
});
