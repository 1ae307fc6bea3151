import assert from "node:assert/strict";
import fc from "fast-check";
import { refusalOf } from "../../../src/api/rest/request_guard.ts";

const HOST = "127.0.0.1:8080";

function isRefused(headers: Record<string, string>, allowedHosts: string[] = []): boolean {
  return refusalOf(new Headers(headers), allowedHosts) !== undefined;
}

Deno.test("refusalOf() lets a Host pass that is loopback, and no other", () => {
  const ours = [
    "127.0.0.1:8080",
    "127.0.0.1",
    "127.8.9.10:1",
    "localhost",
    "LOCALHOST:8080",
    "localhost.:8080",
    "[::1]:8080",
    "[::1]",
  ];
  for (const host of ours) assert.equal(isRefused({ host }), false, host);
  const foreign = [
    "",
    "evil.example",
    "evil.example:8080",
    "127.0.0.1.evil.example",
    "localhost.evil.example:8080",
    "evil-localhost",
    "192.168.1.5:8080",
    "0.0.0.0:8080",
    "[::]:8080",
    "[fe80::1]",
    "[::ffff:127.0.0.1]",
    "127.0.0.1@evil.example",
    "evil.example#127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f.0.0.1",
    "127.0.0.1:port",
    "::1",
    "a b",
    "localhost/..",
  ];
  for (const host of foreign) assert.equal(isRefused({ host }), true, `"${host}"`);
  assert.equal(isRefused({}), true);
});

Deno.test("refusalOf() lets another Host pass where the listener is meant for others", () => {
  assert.equal(isRefused({ host: "nas.local:8080" }, ["nas.local"]), false);
  assert.equal(isRefused({ host: "evil.example" }, ["nas.local"]), true);
});

Deno.test("refusalOf() refuses every Origin and Referer but the page's own", () => {
  const table: [value: string, isRefused: boolean][] = [
    [`http://${HOST}`, false],
    [`http://${HOST}/swagger-ui/`, false],
    ["http://127.0.0.1:8081", true],
    ["http://127.0.0.1", true],
    ["http://localhost:8080", true],
    ["http://[::1]:8080", true],
    ["https://evil.example", true],
    [`http://${HOST}.evil.example`, true],
    [`http://evil.example/?${HOST}`, true],
    [`http://${HOST}@evil.example`, true],
    ["null", true],
    ["file:///etc/passwd", true],
    ["chrome-extension://abc", true],
    ["nonsense", true],
  ];
  for (const [value, refused] of table) {
    for (const name of ["origin", "referer"]) {
      assert.equal(isRefused({ host: HOST, [name]: value }), refused, `${name}: ${value}`);
    }
  }
});

Deno.test("refusalOf() believes Sec-Fetch-Site where the browser sends it", () => {
  const table: [value: string, isRefused: boolean][] = [
    ["same-origin", false],
    ["none", false], // typed into the address bar
    ["same-site", true],
    ["cross-site", true],
    ["Same-Origin ", true],
    ["anything", true],
  ];
  for (const [value, refused] of table) {
    const headers = new Map([["host", HOST], ["sec-fetch-site", value]]);
    assert.equal(refusalOf(headers) !== undefined, refused, value);
  }
});

Deno.test("refusalOf() goes by the worst of all headers", () => {
  const good = { host: HOST, origin: `http://${HOST}`, referer: `http://${HOST}/` };
  const site = { "sec-fetch-site": "same-origin" };
  assert.equal(isRefused({ ...good, ...site }), false);
  for (
    const [name, value] of Object.entries({
      host: "evil.example",
      origin: "https://evil.example",
      referer: "https://evil.example/",
      "sec-fetch-site": "cross-site",
    })
  ) {
    assert.equal(isRefused({ ...good, ...site, [name]: value }), true, name);
  }
});

Deno.test("refusalOf() says what to do, and never throws", () => {
  assert.match(refusalOf(new Headers({ host: "evil.example" }))!, /use a loopback address/);
  fc.assert(fc.property(fc.string(), fc.string(), (host, origin) => {
    const headers = new Map([["host", host], ["origin", origin]]);
    const reason = refusalOf(headers);
    if (origin !== "" && !origin.includes("127") && !origin.includes("localhost")) {
      assert.ok(reason !== undefined, `${host} ${origin}`);
    }
  }));
});
