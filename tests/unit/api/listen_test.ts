import assert from "node:assert/strict";
import { type AddressInfo, createServer } from "node:net";
import {
  bindOrNext,
  checkLoopback,
  formatEndpoint,
  isLoopbackHost,
  PORTS_TRIED,
} from "../../../src/api/listen.ts";

const OPTIONS = { isDefault: true, flag: "--rest-addr" };

/** Binds nothing; ports below `firstFree` count as taken. */
function binder(firstFree: number) {
  const tried: number[] = [];
  const bind = (port: number) => {
    tried.push(port);
    if (port >= firstFree) return Promise.resolve(port);
    return Promise.reject(
      Object.assign(new TypeError("listen EADDRINUSE"), { code: "EADDRINUSE" }),
    );
  };
  return { tried, bind };
}

Deno.test("bindOrNext() takes the wanted port when it is free", async () => {
  const { bind, tried } = binder(8_080);
  assert.equal(await bindOrNext({ host: "127.0.0.1", port: 8_080 }, OPTIONS, bind), 8_080);
  assert.deepEqual(tried, [8_080]);
});

Deno.test("bindOrNext() takes the next free port after a default one", async () => {
  const { bind, tried } = binder(8_083);
  assert.equal(await bindOrNext({ host: "127.0.0.1", port: 8_080 }, OPTIONS, bind), 8_083);
  assert.deepEqual(tried, [8_080, 8_081, 8_082, 8_083]);
});

Deno.test("bindOrNext() refuses a port that was asked for by name", async () => {
  const { bind, tried } = binder(8_083);
  const options = { isDefault: false, flag: "--rest-addr" };
  await assert.rejects(bindOrNext({ host: "127.0.0.1", port: 8_080 }, options, bind), {
    code: "unavailable",
    message: "Cannot listen on 127.0.0.1:8080: listen EADDRINUSE; stop what uses it, or choose " +
      "another address with --rest-addr",
  });
  assert.deepEqual(tried, [8_080]);
});

Deno.test("bindOrNext() gives up after so many ports, and at the last there is", async () => {
  const many = binder(Infinity);
  await assert.rejects(bindOrNext({ host: "::1", port: 50_051 }, OPTIONS, many.bind), {
    message: /^Cannot listen on \[::1\]:50051: /,
  });
  assert.equal(many.tried.length, PORTS_TRIED + 1);
  const last = binder(Infinity);
  await assert.rejects(bindOrNext({ host: "::1", port: 65_530 }, OPTIONS, last.bind));
  assert.equal(last.tried.at(-1), 65_535);
});

Deno.test("bindOrNext() tries no further for another reason than a taken port", async () => {
  let attempts = 0;
  const bind = () => {
    attempts++;
    return Promise.reject(Object.assign(new TypeError("permission"), { code: "EACCES" }));
  };
  const bound = bindOrNext({ host: "127.0.0.1", port: 80 }, OPTIONS, bind);
  await assert.rejects(bound, { code: "unavailable", message: /permission/ });
  assert.equal(attempts, 1);
});

Deno.test("bindOrNext() knows a taken port from a real one", async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  const { port } = taken.address() as AddressInfo;
  const bind = (candidate: number) => {
    const server = createServer();
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    server.once("error", reject);
    server.listen(candidate, "127.0.0.1", () => server.close(() => resolve(candidate)));
    return promise;
  };
  assert.ok(await bindOrNext({ host: "127.0.0.1", port }, OPTIONS, bind) > port);
  await new Promise((resolve) => taken.close(resolve));
});

Deno.test("checkLoopback() refuses other machines' addresses unless that is allowed", () => {
  for (const host of ["127.0.0.1", "127.1.2.3", "::1", "localhost"]) {
    checkLoopback(host, "--grpc-addr", false);
    assert.equal(isLoopbackHost(host), true);
  }
  for (
    const host of ["0.0.0.0", "::", "192.168.1.5", "example.org", "127.0.0.1.example", "fe80::1"]
  ) {
    assert.throws(() => checkLoopback(host, "--grpc-addr", false), {
      code: "invalid_argument",
      message: /\(--grpc-addr\).*--allow-remote/,
    });
    checkLoopback(host, "--grpc-addr", true);
  }
});

Deno.test("formatEndpoint() puts brackets around IPv6", () => {
  assert.equal(formatEndpoint({ host: "::1", port: 50_051 }), "[::1]:50051");
  assert.equal(formatEndpoint({ host: "127.0.0.1", port: 1 }), "127.0.0.1:1");
});
