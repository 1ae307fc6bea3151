import assert from "node:assert/strict";
import { configText } from "../../../src/cli/mod.ts";
import { readyText } from "../../../src/cli/foreground.ts";
import { resolveConfig } from "../../../src/config/mod.ts";

const STATE = {
  version: { version: "1.2.3" },
  peerId: "12D3KooWself",
  instance: "",
  pid: 42,
  dataDir: "/data",
  grpcAddresses: () => ["[::1]:50051", "127.0.0.1:50051"],
  restAddress: () => "127.0.0.1:8080",
  p2pAddresses: () => ["/ip4/192.168.1.5/tcp/4001", "/ip6/fd00::1/tcp/4001"],
};

Deno.test("readyText() is one line of JSON for programs", () => {
  const text = readyText(STATE, "json");
  assert.ok(!text.includes("\n"));
  assert.deepEqual(JSON.parse(text), {
    event: "ready",
    version: "1.2.3",
    peer_id: "12D3KooWself",
    instance: "",
    pid: 42,
    grpc_addrs: ["[::1]:50051", "127.0.0.1:50051"],
    rest_addr: "127.0.0.1:8080",
    p2p_addrs: ["/ip4/192.168.1.5/tcp/4001", "/ip6/fd00::1/tcp/4001"],
    data_dir: "/data",
  });
});

Deno.test("readyText() tells people where every door is", () => {
  const text = readyText(STATE, "human");
  assert.match(text, /^almenad 1\.2\.3 is ready\n/);
  const facts = ["12D3KooWself", "[::1]:50051", "http://127.0.0.1:8080/status", "/swagger-ui/"];
  for (const fact of [...facts, "/ip6/fd00::1/tcp/4001", "/data", "42"]) {
    assert.ok(text.includes(fact), fact);
  }
  assert.ok(text.split("\n").every((line) => line.length < 100));
});

const RESOLVED = resolveConfig({
  flags: {},
  env: { RUST_LOG: "warn" },
  file: "[geolocation]\nshare = false\n",
  filePath: "config.toml",
  isDev: false,
});

Deno.test("configText() lists every setting, with its origin if wanted", () => {
  const plain = configText(RESOLVED, { origin: false, format: "human" });
  assert.ok(plain.split("\n").includes('log = "warn"'));
  assert.ok(plain.split("\n").includes("geolocation.share = false"));
  const origin = configText(RESOLVED, { origin: true, format: "human" });
  assert.ok(origin.split("\n").includes('log = "warn"  # environment'));
  assert.ok(origin.split("\n").includes("geolocation.share = false  # file"));
  assert.ok(origin.split("\n").includes('rest_addr = "127.0.0.1:8080"  # default'));
});

Deno.test("configText() is one line of JSON for programs", () => {
  assert.deepEqual(
    JSON.parse(configText(RESOLVED, { origin: false, format: "json" })),
    RESOLVED.config,
  );
  const { config, origins } = JSON.parse(configText(RESOLVED, { origin: true, format: "json" }));
  assert.deepEqual(config, RESOLVED.config);
  assert.equal(origins.log, "environment");
});
