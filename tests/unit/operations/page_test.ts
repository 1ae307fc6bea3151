import assert from "node:assert/strict";
import type { Components } from "../../../src/operations/mod.ts";
import { pageCode } from "../../../src/operations/page.ts";

function urlAt(address: string): string {
  const components = {
    daemon: { restAddress: () => address },
    pageCodes: { createCode: () => ({ code: "c0de", expiresAtMs: 7 }) },
  } as unknown as Components;
  const { signal } = new AbortController();
  return (pageCode.run({}, components, { signal }) as { url: string }).url;
}

Deno.test("page.code gives an address that a browser of this machine reaches", () => {
  assert.equal(urlAt("127.0.0.1:8080"), "http://127.0.0.1:8080/#code=c0de");
  assert.equal(urlAt("[::1]:8080"), "http://[::1]:8080/#code=c0de");
  assert.equal(urlAt("0.0.0.0:8080"), "http://127.0.0.1:8080/#code=c0de");
  assert.equal(urlAt("[::]:8080"), "http://[::1]:8080/#code=c0de");
  assert.equal(urlAt("192.168.1.5:80"), "http://192.168.1.5:80/#code=c0de");
  assert.throws(() => urlAt(""), { code: "unavailable", message: /HTTP is not served/ });
});
