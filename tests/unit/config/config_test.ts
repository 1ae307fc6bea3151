import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type Config,
  type ConfigSources,
  parseHostPort,
  resolveConfig,
} from "../../../src/config/mod.ts";
import { DaemonError } from "../../../src/core/mod.ts";

function resolve(sources: Partial<ConfigSources>) {
  return resolveConfig({
    flags: {},
    env: {},
    filePath: "/data/config/config.toml",
    isDev: false,
    ...sources,
  });
}

function failureOf(sources: Partial<ConfigSources>): DaemonError {
  try {
    resolve(sources);
  } catch (failure) {
    if (failure instanceof DaemonError) return failure;
    throw failure;
  }
  assert.fail("the configuration was taken");
}

Deno.test("resolveConfig() without any source gives the documented defaults", () => {
  const { config, origins } = resolve({});
  assert.deepEqual(config, {
    admin_token_file: "",
    grpc_addr: "[::1]:50051",
    rest_addr: "127.0.0.1:8080",
    p2p_listen: "/ip4/0.0.0.0/tcp/0,/ip6/::/tcp/0",
    bootstrap_peers: "",
    p2pd_listen: "",
    dht: "off",
    pubsub: false,
    relay: false,
    relays: "",
    log: "info",
    allow_remote: false,
    private: false,
    trust: { auto_approve: false, allow: [] },
    webhook: { url: "", secret: "" },
    plugins: { enabled: false, list: [] },
    geolocation: { url: "https://ipapi.co/json/", share: true },
    library: {
      dir: "",
      private: false,
      upload_limit: 0,
      upload_limit_per_peer: 0,
      download_limit: 0,
      download_limit_per_peer: 0,
      unpackers: [],
    },
  });
  assert.deepEqual(new Set(Object.values(origins)), new Set(["default"]));
});

// Each setting with its variable, and a value that only one source could have given.
const PAIRS: readonly (readonly [
  field: keyof Config,
  variable: string,
  flag: string,
  env: string,
  file: string,
])[] = [
  ["grpc_addr", "GRPC_ADDR", "127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"],
  ["rest_addr", "REST_ADDR", "127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"],
  [
    "p2p_listen",
    "P2P_LISTEN",
    "/ip4/127.0.0.1/tcp/1",
    "/ip4/127.0.0.1/tcp/2",
    "/ip4/0.0.0.0/tcp/3",
  ],
  ["bootstrap_peers", "BOOTSTRAP_PEERS", "/a", "/b", "/c"],
  ["log", "RUST_LOG", "error", "warn", "debug"],
];

for (const [field, variable, flag, env, file] of PAIRS) {
  Deno.test(`resolveConfig() takes ${field} from flag, then ${variable}, then the file`, () => {
    const flags = { [field]: flag };
    const variables = { [variable]: env };
    const text = `${field} = "${file}"\n`;
    const outcomes = [
      resolve({ flags, env: variables, file: text }),
      resolve({ flags: { [field]: undefined }, env: variables, file: text }),
      resolve({ flags: {}, env: { [variable]: "" }, file: text }),
    ];
    assert.deepEqual(outcomes.map(({ config }) => config[field]), [flag, env, file]);
    assert.deepEqual(outcomes.map(({ origins }) => origins[field]), [
      "flag",
      "environment",
      "file",
    ]);
  });
}

Deno.test("resolveConfig() logs at debug with --dev, unless somebody says otherwise", () => {
  assert.equal(resolve({ isDev: true }).config.log, "debug");
  assert.equal(resolve({ isDev: true, env: { RUST_LOG: "error" } }).config.log, "error");
  assert.equal(resolve({ isDev: true, file: 'log = "warn"' }).config.log, "warn");
});

Deno.test("resolveConfig() reads tables, and tells the origin of each of their fields", () => {
  const { config, origins } = resolve({ file: "[geolocation]\nshare = false\n" });
  assert.deepEqual(config.geolocation, { url: "https://ipapi.co/json/", share: false });
  assert.equal(origins["geolocation.share"], "file");
  assert.equal(origins["geolocation.url"], "default");
});

Deno.test("resolveConfig() refuses an unknown key with file and line", () => {
  const table: [text: string, place: RegExp][] = [
    [
      'log = "info"\n\nlgo = "debug"\n',
      /config\.toml:3: unknown key at "lgo"; correct or remove it$/,
    ],
    [
      '# first\n[geolocation]\nurl = "https://a.example/"\nshar = true\n',
      /config\.toml:4: .*"geolocation\.shar"/,
    ],
    ["[webhok]\nurl = 1\n", /config\.toml:1: unknown key at "webhok"/],
    ['"odd key" = 1\n', /config\.toml:1: unknown key at "odd key"/],
    ["geolocation.sahre = true\n", /unknown key at "geolocation\.sahre"/],
  ];
  for (const [file, place] of table) {
    const { code, message } = failureOf({ file });
    assert.equal(code, "data_loss");
    assert.match(message, place);
  }
});

Deno.test("resolveConfig() refuses a value of another type, with its place", () => {
  const table: [text: string, place: RegExp][] = [
    ["\ngrpc_addr = 50051\n", /config\.toml:2: .*grpc_addr/],
    ['rest_addr = "8080"\n', /config\.toml:1: expected "host:port"/],
    ['allow_remote = "yes"\n', /config\.toml:1: .*boolean/],
    ['log = "loud"\n', /config\.toml:1: .*"loud" is not one of trace, debug/],
    ['[geolocation]\nurl = "file:///etc/passwd"\n', /config\.toml:2: .*geolocation\.url/],
    ['p2p_listen = ""\n', /config\.toml:1: .*p2p_listen/],
  ];
  for (const [file, place] of table) assert.match(failureOf({ file }).message, place);
});

Deno.test("resolveConfig() tells line and column of a file that is no TOML", () => {
  const { code, message } = failureOf({ file: 'log = "info"\nrest_addr = [unclosed\n' });
  assert.equal(code, "data_loss");
  assert.match(message, /^Cannot read \/data\/config\/config\.toml:\d+:\d+: /);
});

Deno.test("resolveConfig() names the flag or variable that makes no sense", () => {
  const table: [sources: Partial<ConfigSources>, name: RegExp][] = [
    [{ flags: { grpc_addr: "50051" } }, /^Cannot use --grpc-addr "50051".*expected "host:port"/],
    [{ flags: { rest_addr: ":80" } }, /--rest-addr ":80"/],
    [{ flags: { p2p_listen: "" } }, /--p2p-listen "".*expected TCP multiaddrs/],
    [{ flags: { p2p_listen: " , " } }, /expected TCP multiaddrs/],
    [{ flags: { p2p_listen: "/ip4/300.0.0.1/tcp/0" } }, /expected TCP multiaddrs/],
    [{ flags: { p2p_listen: "/ip4/127.0.0.1/tcp/65536" } }, /expected TCP multiaddrs/],
    [{ flags: { p2p_listen: "/ip4/0.0.0.0/tcp/0,/ip4/0.0.0.0/udp/0/quic-v1" } }, /p2p-listen/],
    [{ env: { P2P_LISTEN: "nowhere" } }, /P2P_LISTEN "nowhere" from the environment/],
    [{ env: { GRPC_ADDR: "nowhere" } }, /GRPC_ADDR "nowhere".*the environment/],
    [{ env: { RUST_LOG: "loud" } }, /RUST_LOG "loud"/],
  ];
  for (const [sources, name] of table) {
    const { code, message } = failureOf(sources);
    assert.equal(code, "invalid_argument");
    assert.match(message, name);
  }
});

Deno.test("resolveConfig() passes or refuses any text with an error of its own", () => {
  const garbage = fc.string({ unit: "binary", maxLength: 200 });
  const lines = fc.array(
    fc.constantFrom("[geolocation]", "[[a]]", 'log = "info"', "log = 1", "x", "=", '"""', "'"),
  ).map((parts) => parts.join("\n"));
  fc.assert(fc.property(fc.oneof(garbage, lines), (file) => {
    try {
      resolve({ file });
    } catch (failure) {
      assert.ok(failure instanceof DaemonError, String(failure));
    }
  }));
});

Deno.test("parseHostPort() takes host:port with brackets around IPv6", () => {
  const table: [text: string, host: string, port: number][] = [
    ["127.0.0.1:8080", "127.0.0.1", 8080],
    ["[::1]:50051", "::1", 50051],
    ["localhost:0", "localhost", 0],
    ["0.0.0.0:65535", "0.0.0.0", 65_535],
    ["[fe80::1]:1", "fe80::1", 1],
  ];
  for (const [text, host, port] of table) assert.deepEqual(parseHostPort(text), { host, port });
});

Deno.test("parseHostPort() refuses everything else", () => {
  const bad = ["", ":80", "80", "host", "host:", "host:x", "host:-1", "host:65536", "::1:80"];
  bad.push(
    "[::1]",
    "[::1:80",
    "[host]:80",
    "a:b:80",
    "host:80 ",
    "host:80:90",
    "[]:80",
    "host:1e3",
  );
  for (const text of bad) assert.equal(parseHostPort(text), undefined, text);
});

Deno.test("resolveConfig() lets a flag set one field of a table, and the file the others", () => {
  const peer = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp";
  const { config } = resolve({
    flags: { trust: { auto_approve: true } },
    env: {},
    file: `[trust]\nallow = ["ada=${peer}"]\n`,
  });
  assert.deepEqual(config.trust, { auto_approve: true, allow: [`ada=${peer}`] });
});
