/** Contract 1.7: what programs, browsers and Prometheus find at the HTTP door. */
import assert from "node:assert/strict";
import { operations } from "../../src/operations/mod.ts";
import { GrpcClient } from "../support/grpc_client.ts";
import { checkOpenApi } from "../support/openapi_check.ts";
import { OpenDoors, OWN_ID } from "../support/open_doors.ts";

/** Everything the door serves besides operations. */
const OTHER_PATHS = [
  "/",
  "/page.js",
  "/page.css",
  "/page.svg",
  "/healthz",
  "/readyz",
  "/metrics",
  "/api-docs/openapi.json",
  "/swagger-ui/",
  "/swagger-ui/start.js",
];

async function json(doors: OpenDoors, path: string): Promise<Record<string, unknown>> {
  const { status, headers, body } = await doors.get(path);
  assert.equal(status, 200, `${path}: ${body}`);
  assert.match(headers["content-type"] ?? "", /^application\/json/);
  return JSON.parse(body);
}

Deno.test("REST /status has the fields of the contract, under both its names", async () => {
  await using doors = await OpenDoors.open();
  const status = await json(doors, "/status");
  assert.deepEqual(Object.keys(status).slice(0, 7), [
    "status",
    "version",
    "grpc_addr",
    "rest_addr",
    "peer_id",
    "uptime_s",
    "instance",
  ]);
  assert.equal(status["status"], "ok");
  assert.equal(status["version"], "2026.1.1-develop");
  assert.equal(status["grpc_addr"], doors.grpcAddress);
  assert.equal(status["rest_addr"], doors.restAddress);
  assert.equal(status["peer_id"], OWN_ID);
  assert.equal(status["uptime_s"], 1);
  assert.deepEqual(await json(doors, "/api/v1/status"), status);
  assert.deepEqual(await json(doors, "/api/v1/core/status"), status);
});

Deno.test("REST /status and /readyz say what is not well, and what to do", async () => {
  await using doors = await OpenDoors.open();
  assert.deepEqual(await json(doors, "/readyz"), { ready: true, problems: [] });
  doors.health.failing("swarm", "it is deaf", "restart it");
  assert.equal((await json(doors, "/status"))["status"], "degraded");
  const { status, body } = await doors.get("/readyz");
  assert.equal(status, 503);
  const problem = {
    component: "swarm",
    serving: false,
    problem: "it is deaf",
    remedy: "restart it",
  };
  assert.deepEqual(JSON.parse(body), { ready: false, problems: [problem] });
  const { status: alive, body: ok } = await doors.get("/healthz");
  assert.deepEqual([alive, ok], [200, "ok\n"]); // alive, though not ready
});

Deno.test("REST serves every operation that gRPC serves, with the same answer", async () => {
  await using doors = await OpenDoors.open();
  using client = new GrpcClient(doors.grpcAddress);
  doors.peers.setOwnAddresses(["/ip4/127.0.0.1/tcp/3"]);
  doors.peers.connectionOpened("12D3KooWz", "/ip4/8.8.8.8/tcp/2");
  for (const { name, rpc } of operations) {
    if (!rpc) continue;
    const rest = await json(doors, `/api/v1/${name.replaceAll(".", "/")}`);
    const grpc = await client.call(rpc);
    assert.deepEqual(common(grpc, rest), withoutUnset(grpc), name);
  }
});

Deno.test("REST takes an operation's input from the query, and refuses what makes no sense", async () => {
  await using doors = await OpenDoors.open();
  doors.peers.mdnsDiscovered("12D3KooWa", ["/ip4/192.168.1.5/tcp/1"]);
  doors.peers.connectionOpened("12D3KooWz", "/ip4/8.8.8.8/tcp/2");
  const { peers } = await json(doors, "/api/v1/network/peers?connected=true") as {
    peers: { peer_id: string }[];
  };
  assert.deepEqual(peers.map((peer) => peer.peer_id), ["12D3KooWz"]);
  for (const query of ["connected=perhaps", "conected=true", "connected=true&connected=false"]) {
    const { status, body } = await doors.get(`/api/v1/network/peers?${query}`);
    assert.equal(status, 400, query);
    assert.equal(JSON.parse(body).error, "invalid_argument");
    assert.match(JSON.parse(body).message, /^Cannot /);
  }
});

Deno.test("REST translates an operation's failure", async () => {
  await using doors = await OpenDoors.open();
  doors.location = undefined;
  const { status, body } = await doors.get("/api/v1/core/geolocation");
  assert.equal(status, 503);
  assert.equal(JSON.parse(body).error, "unavailable");
});

Deno.test("REST /metrics is Prometheus text with the promised names", async () => {
  await using doors = await OpenDoors.open();
  await doors.get("/api/v1/core/ping");
  const { headers, body } = await doors.get("/metrics");
  assert.match(headers["content-type"] ?? "", /^text\/plain; version=0\.0\.4/);
  assert.match(
    body,
    /^almenad_operation_calls_total\{operation="query:core\.ping\.v1",outcome="ok"\} 1$/m,
  );
  assert.match(body, /^almenad_operation_duration_seconds_bucket\{/m);
  for (const line of body.split("\n").filter(Boolean)) {
    assert.match(line, /^(#.*|[a-z_:]+(\{.*\})? [-+.\deNaInf]+)$/, line);
  }
});

Deno.test("REST /api-docs/openapi.json is OpenAPI 3.0 and names every path that operations have", async () => {
  await using doors = await OpenDoors.open();
  const document = await json(doors, "/api-docs/openapi.json");
  assert.deepEqual(checkOpenApi(document), []);
  const paths = document["paths"] as Record<string, object>;
  for (const { name, kind } of operations) {
    const method = kind === "action" ? "post" : "get";
    assert.ok(paths[`/api/v1/${name.replaceAll(".", "/")}`]?.[method as never], name);
  }
});

Deno.test("REST /swagger-ui/ needs nothing from elsewhere", async () => {
  await using doors = await OpenDoors.open();
  const moved = await doors.get("/swagger-ui");
  assert.equal(moved.status, 302);
  assert.equal(moved.headers.location, "/swagger-ui/");
  const page = await doors.get("/swagger-ui/");
  assert.match(page.headers["content-type"] ?? "", /^text\/html/);
  assert.match(String(page.headers["content-security-policy"]), /default-src 'self'/);
  const wanted = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, target = ""]) =>
    target
  );
  assert.ok(wanted.length >= 4);
  for (const target of wanted) {
    assert.match(target, /^[\w.-]+$/, "it comes from another site");
    const { status, headers, body } = await doors.get(`/swagger-ui/${target}`);
    assert.equal(status, 200, target);
    assert.ok(body.length > 100, target);
    const kind = { css: /^text\/css/, js: /^text\/javascript/, png: /^image\/png/ };
    const ending = target.split(".").at(-1) as keyof typeof kind;
    assert.match(headers["content-type"] ?? "", kind[ending]);
  }
  const start = await doors.get("/swagger-ui/start.js");
  assert.match(start.body, /url: "\/api-docs\/openapi\.json"/);
  assert.match(start.body, /validatorUrl: null/); // else the page asks a site of others
});

Deno.test("REST / is the page: its own files alone, nothing inline", async () => {
  await using doors = await OpenDoors.open();
  const page = await doors.get("/");
  assert.equal(page.status, 200);
  assert.match(page.headers["content-type"] ?? "", /^text\/html/);
  const policy = String(page.headers["content-security-policy"]);
  assert.match(policy, /^default-src 'self';/);
  assert.doesNotMatch(policy, /unsafe|https?:|\*|data:/);
  assert.doesNotMatch(page.body, /<style|style=|<script(?![^>]*src=)|\son\w+=/i);
  const wanted = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = ""]) => path);
  assert.deepEqual(wanted.sort(), ["/page.css", "/page.js", "/page.svg"]);
  const types = { css: /^text\/css/, js: /^text\/javascript/, svg: /^image\/svg/ };
  for (const path of wanted) {
    const { status, headers, body } = await doors.get(path);
    assert.equal(status, 200, path);
    const ending = path.split(".").at(-1) as keyof typeof types;
    assert.match(headers["content-type"] ?? "", types[ending]);
    assert.doesNotMatch(body, /(?:url\(|@import |from ?["'])["']?(https?:)?\/\//, path);
    assert.equal(headers["content-security-policy"], policy);
  }
});

Deno.test("REST answers 404 for everything else", async () => {
  await using doors = await OpenDoors.open();
  for (const path of ["/index.html", "/page.map", "/api/v1/", "/api/v1/core/reboot", "/statusx"]) {
    const { status, body } = await doors.get(path);
    assert.equal(status, 404, path);
    assert.deepEqual(JSON.parse(body), { error: "not_found" });
  }
  for (const path of ["/swagger-ui/..%2f..%2fdeno.json", "/swagger-ui/package.json"]) {
    assert.equal((await doors.get(path)).status, 404, path);
  }
});

Deno.test("REST refuses a foreign Host or Origin on every path", async () => {
  await using doors = await OpenDoors.open();
  const foreign: Record<string, string>[] = [
    { host: "evil.example" },
    { host: "evil.example:8080" },
    { origin: "https://evil.example" },
    { referer: "https://evil.example/page" },
    { "sec-fetch-site": "cross-site" },
  ];
  const paths = ["/status", ...operations.map(({ name }) => `/api/v1/${name.replace(".", "/")}`)];
  for (const path of [...paths, ...OTHER_PATHS, "/nothing"]) {
    for (const headers of foreign) {
      const { status, body } = await doors.get(path, headers);
      assert.equal(status, 403, `${path} ${JSON.stringify(headers)}`);
      assert.equal(JSON.parse(body).error, "permission_denied");
    }
  }
  const own = { origin: `http://${doors.restAddress}`, "sec-fetch-site": "same-origin" };
  assert.equal((await doors.get("/status", own)).status, 200);
});

Deno.test("REST answers keep other sites and caches out", async () => {
  await using doors = await OpenDoors.open();
  for (const path of ["/status", "/swagger-ui/", "/metrics"]) {
    const { headers } = await doors.get(path);
    assert.equal(headers["access-control-allow-origin"], undefined);
    assert.equal(headers["x-content-type-options"], "nosniff");
    assert.equal(headers["x-frame-options"], "DENY");
    assert.equal(headers["cache-control"], "no-store");
  }
});

/** The part of the second value that the first has fields for. */
function common(like: unknown, value: unknown): unknown {
  if (Array.isArray(like)) {
    return like.map((one, index) => common(one, (value as unknown[])[index]));
  }
  if (typeof like !== "object" || like === null) return value;
  const present = Object.entries(like).filter(([, inner]) => inner !== null);
  const from = value as Record<string, unknown>;
  return Object.fromEntries(present.map(([name, inner]) => [name, common(inner, from[name])]));
}

/** Proto3 has no absent message but null; JSON leaves the field away. */
function withoutUnset(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_name, inner) => inner === null ? undefined : inner));
}
