/** REST actions and GraphQL of a real daemon: the token, streams, limits, the page. */
import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { type DaemonProcess, startDaemon } from "../support/daemon.ts";
import { firstData } from "../support/doors.ts";
import { tempFolder } from "../support/temp_folder.ts";

type Json = Record<string, unknown>;

async function tokenOf({ dataDir }: DaemonProcess): Promise<string> {
  return (await readFile(join(dataDir, "daemon", "admin_token"), "utf8")).trim();
}

async function graphql(
  daemon: DaemonProcess,
  query: string,
  headers: Record<string, string> = {},
): Promise<
  {
    status: number;
    json: { data?: Json | null; errors?: { message: string; extensions?: Json }[] };
  }
> {
  const response = await fetch(daemon.url("/graphql"), {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ query }),
  });
  return { status: response.status, json: await response.json() };
}

async function post(
  daemon: DaemonProcess,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<{ status: number; json: Json; headers: Headers }> {
  const response = await fetch(daemon.url(path), {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  return { status: response.status, json: await response.json(), headers: response.headers };
}

Deno.test("GraphQL answers { networkStatus { peers } }, by POST and by GET", async () => {
  await using daemon = await startDaemon();
  const query = "{ networkStatus { peers peer_id } }";
  const data = { networkStatus: { peers: 0, peer_id: daemon.ready.peer_id } };
  assert.deepEqual((await graphql(daemon, query)).json, { data });
  const url = daemon.url(`/graphql?query=${encodeURIComponent(query)}`);
  const response = await fetch(url);
  assert.deepEqual([response.status, await response.json()], [200, { data }]);
});

Deno.test("a change over HTTP needs the admin token, a query does not", async () => {
  await using daemon = await startDaemon();
  const authorization = `Bearer ${await tokenOf(daemon)}`;
  const mutation = 'mutation { librariesCreate(name: "one") { id name } }';
  const wrong = [{}, { authorization: "Bearer 0" }, { authorization: authorization.slice(0, -1) }];
  for (const headers of wrong as Record<string, string>[]) {
    const { json } = await graphql(daemon, mutation, headers);
    assert.equal(json.errors?.[0]?.extensions?.["code"], "unauthenticated");
    const answer = await post(daemon, "/api/v1/libraries/create", { name: "one" }, headers);
    assert.deepEqual([answer.status, answer.json["error"]], [401, "unauthenticated"]);
    assert.match(answer.headers.get("www-authenticate") ?? "", /^Bearer/);
  }
  const listed = await fetch(daemon.url("/api/v1/libraries/list"));
  assert.equal((await listed.json()).libraries.length, 1, "nothing was made");
  const made = await graphql(daemon, mutation, { authorization });
  assert.equal((made.json.data?.["librariesCreate"] as Json)["name"], "one");
  const two = await post(daemon, "/api/v1/libraries/create", { name: "two" }, { authorization });
  assert.deepEqual([two.status, two.json["name"]], [200, "two"]);
});

Deno.test("a page of another site is refused by REST and GraphQL, whatever it knows", async () => {
  await using daemon = await startDaemon();
  const authorization = `Bearer ${await tokenOf(daemon)}`;
  const foreign: Record<string, string>[] = [
    { origin: "https://evil.example" },
    { origin: "null" },
    { referer: "https://evil.example/x" },
    { "sec-fetch-site": "cross-site" },
    { host: "evil.example" },
  ];
  for (const headers of foreign) {
    for (const path of ["/graphql", "/api/v1/libraries/create", "/api/v1/events"]) {
      assert.equal(await statusOf(daemon, path, { authorization, ...headers }), 403, path);
    }
  }
});

// fetch() sets Host itself, so the request is made by hand.
function statusOf(
  { ready }: DaemonProcess,
  path: string,
  headers: Record<string, string>,
): Promise<number> {
  const [host = "", port = ""] = ready.rest_addr.split(":");
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  request({ host, port, path, method: "POST", headers, agent: false }, (response) => {
    response.resume().once("end", () => resolve(response.statusCode ?? 0));
  }).once("error", reject).end();
  return promise;
}

Deno.test("REST names what is wrong with a body by status and code", async () => {
  await using daemon = await startDaemon();
  const authorization = `Bearer ${await tokenOf(daemon)}`;
  const path = "/api/v1/libraries/create";
  const table: [body: unknown, headers: Record<string, string>, status: number, code: string][] = [
    ["{", {}, 400, "invalid_argument"],
    ["[]", {}, 400, "invalid_argument"],
    [{}, {}, 400, "invalid_argument"],
    [{ name: "a", colour: 1 }, {}, 400, "invalid_argument"],
    [{ name: "default" }, {}, 409, "already_exists"],
    [{ name: "a" }, { "content-type": "text/plain" }, 415, "invalid_argument"],
    [{ name: "a".repeat(1_100_000) }, {}, 413, "resource_exhausted"],
  ];
  for (const [body, headers, status, code] of table) {
    const answer = await post(daemon, path, body, { authorization, ...headers });
    assert.deepEqual([answer.status, answer.json["error"]], [status, code]);
  }
  const wrongVerb = await fetch(daemon.url(path));
  assert.deepEqual([wrongVerb.status, wrongVerb.headers.get("allow")], [405, "POST"]);
  await wrongVerb.body?.cancel();
  const id = await post(daemon, path, { name: "b" }, { authorization, "x-request-id": "mine-1" });
  assert.equal(id.headers.get("x-request-id"), "mine-1");
});

Deno.test("GraphQL and REST subscriptions get a JobUpdate as server-sent event", async () => {
  await using daemon = await startDaemon();
  await using folder = await tempFolder();
  const authorization = `Bearer ${await tokenOf(daemon)}`;
  await mkdir(join(folder.path, "out"));
  await writeFile(join(folder.path, "file"), "content");
  const subscription = "subscription { jobsWatch { job_id status } }";
  const overGraphql = await fetch(daemon.url("/graphql"), {
    method: "POST",
    headers: { accept: "text/event-stream", "content-type": "application/json" },
    body: JSON.stringify({ query: subscription }),
  });
  assert.match(overGraphql.headers.get("content-type") ?? "", /^text\/event-stream/);
  const types = encodeURIComponent('["JobUpdate"]');
  const overRest = await fetch(daemon.url(`/api/v1/events?event_types=${types}`));
  const copy = { sources: [join(folder.path, "file")], destination: join(folder.path, "out") };
  const { json: job } = await post(daemon, "/api/v1/files/copy", copy, { authorization });
  const { data } = await firstData(overGraphql) as { data: { jobsWatch: Json } };
  assert.equal(data.jobsWatch["job_id"], job["job_id"]);
  const event = await firstData(overRest) as { JobUpdate: Json };
  assert.equal(event.JobUpdate["job_id"], job["job_id"]);
});

Deno.test("streams over HTTP take their places and give them back", async () => {
  await using daemon = await startDaemon();
  const open: Response[] = [];
  let refused: Response | undefined;
  while (!refused) {
    const response = await fetch(daemon.url("/api/v1/logs"));
    if (response.status === 200) open.push(response);
    else refused = response;
  }
  assert.deepEqual([refused.status, open.length], [429, 32]);
  assert.match((await refused.json()).message, /32 are open/);
  await Promise.all(open.map((response) => response.body?.cancel()));
  const deadline = performance.now() + 10_000;
  for (;;) {
    const response = await fetch(daemon.url("/api/v1/logs"));
    await response.body?.cancel();
    if (response.status === 200) break;
    assert.ok(performance.now() < deadline, "the places come back");
  }
});

Deno.test("GraphQL refuses documents too deep, too wide and too long before it runs them", async () => {
  await using daemon = await startDaemon();
  const wide = Array.from({ length: 21 }, (_, n) => `a${n}: corePing { message }`).join(" ");
  const documents = [
    `{ ${wide} }`,
    `{ ${"corePing { message } ".repeat(3_000)} }`,
    `{ __schema { ${"types { fields { type { ofType { ".repeat(5)} name ${"} } } }".repeat(5)} } }`,
  ];
  for (const document of documents) {
    const { json } = await graphql(daemon, document);
    assert.ok(json.errors && json.errors.length > 0 && !json.data, document.slice(0, 60));
  }
  assert.deepEqual((await graphql(daemon, "{ corePing { message } }")).json, {
    data: { corePing: { message: "pong" } },
  });
});

Deno.test("the explorer page and all it loads come from the daemon itself", async () => {
  await using daemon = await startDaemon();
  const response = await fetch(daemon.url("/graphql"), { headers: { accept: "text/html" } });
  assert.equal(response.status, 200);
  assert.match(response.headers.get("content-security-policy") ?? "", /default-src 'self'/);
  const page = await response.text();
  const loaded = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = ""]) => path);
  assert.ok(loaded.length > 0);
  for (const path of loaded) {
    assert.doesNotMatch(path, /^(https?:)?\/\//);
    const url = new URL(path, daemon.url("/graphql"));
    const file = await fetch(url);
    assert.equal(file.status, 200, url.href);
    assert.doesNotMatch(await file.text(), /https?:\/\/(?!127\.0\.0\.1|localhost|www\.w3\.org)/);
  }
});
