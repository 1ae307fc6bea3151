import assert from "node:assert/strict";
import { type AddressInfo, createServer, type Server } from "node:net";
import { Health } from "../../../src/core/mod.ts";
import { ListenerWatchdog } from "../../../src/system/listener_watchdog.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { waitFor } from "../../support/wait.ts";

async function listen(port = 0): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) =>
    socket.on("error", () => undefined).resume().end("hello")
  );
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return { server, port: (server.address() as AddressInfo).port };
}

function close(server: Server): Promise<unknown> {
  return new Promise((resolve) => server.close(resolve));
}

function watchdogOf(port: () => number | undefined, reopen?: () => Promise<void>) {
  const clock = new FakeClock();
  const health = new Health(["grpc"]);
  health.serving("grpc");
  const reasons: string[] = [];
  const watchdog = new ListenerWatchdog({
    clock,
    health,
    giveUp: (reason) => reasons.push(reason),
    listeners: [{
      component: "grpc",
      greeting: "hello\n",
      ...(reopen ? { reopen } : {}),
      addresses: () => port() === undefined ? [] : [{ host: "127.0.0.1", port: port()! }],
    }],
  }, { answerTimeoutMs: 500 });
  return { clock, health, reasons, watchdog };
}

Deno.test("ListenerWatchdog.check() is content with a listener that answers", async () => {
  const { server, port } = await listen();
  const { watchdog, health, reasons } = watchdogOf(() => port);
  await watchdog.check();
  assert.equal(health.isReady(), true);
  assert.deepEqual(reasons, []);
  await close(server);
});

Deno.test("ListenerWatchdog gives up after three deaf rounds, and not before", async () => {
  const { server, port } = await listen();
  await close(server);
  const { watchdog, health, reasons } = watchdogOf(() => port);
  await watchdog.start();
  await watchdog.check();
  assert.deepEqual(health.list()[0]!.serving, false);
  assert.match(health.list()[0]!.problem, new RegExp(`127.0.0.1:${port} does not answer`));
  assert.match(health.list()[0]!.remedy, /ulimit -n/);
  await watchdog.check();
  assert.deepEqual(reasons, []);
  await watchdog.check();
  assert.deepEqual(reasons, [`listener 127.0.0.1:${port} (grpc) is deaf`]);
  await watchdog.stop();
});

Deno.test("ListenerWatchdog is content again once the listener answers", async () => {
  const first = await listen();
  await close(first.server);
  const { watchdog, health, reasons } = watchdogOf(() => first.port);
  await watchdog.start();
  await watchdog.check();
  await watchdog.check();
  const { server } = await listen(first.port);
  await watchdog.check();
  assert.equal(health.isReady(), true);
  await close(server);
  await watchdog.check();
  await watchdog.check();
  assert.deepEqual(reasons, []);
  await watchdog.stop();
});

Deno.test("ListenerWatchdog calls every 10 s between start and stop", async () => {
  const { server, port } = await listen();
  let connections = 0;
  server.on("connection", () => connections++);
  const { watchdog, clock } = watchdogOf(() => port);
  await watchdog.start();
  await clock.advance(9_999);
  assert.equal(connections, 0);
  await clock.advance(1);
  await waitFor("dial", () => connections === 1);
  await watchdog.stop();
  await watchdog.stop();
  assert.equal(clock.pending, 0);
  await close(server);
});

Deno.test("ListenerWatchdog.check() passes over a listener that is not open", async () => {
  const { watchdog, health } = watchdogOf(() => undefined);
  await watchdog.check();
  assert.equal(health.isReady(), true);
});

Deno.test("ListenerWatchdog.check() is not deceived by a kernel that goes on taking connections", async () => {
  using deaf = Deno.listen({ hostname: "127.0.0.1", port: 0 }); // nobody calls accept()
  const { watchdog, health } = watchdogOf(() => (deaf.addr as Deno.NetAddr).port);
  await watchdog.check();
  assert.equal(health.isReady(), false);
});

Deno.test("ListenerWatchdog has a deaf listener opened anew", async () => {
  const deaf = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = deaf.addr as Deno.NetAddr;
  const servers: Server[] = [];
  const { watchdog, health, reasons } = watchdogOf(() => port, async () => {
    deaf.close();
    servers.push((await listen(port)).server);
  });
  await watchdog.start();
  await watchdog.check();
  assert.equal(health.isReady(), false);
  await watchdog.check();
  assert.equal(health.isReady(), true);
  assert.equal(servers.length, 1);
  assert.deepEqual(reasons, []);
  await watchdog.stop();
  await close(servers[0]!);
});

Deno.test("ListenerWatchdog.check() calls no listener later because another one is deaf", async () => {
  using deaf = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { server, port } = await listen();
  let connections = 0;
  server.on("connection", () => connections++);
  const listenerAt = (component: string, at: number) => ({
    ...{ component, greeting: "hello\n" },
    addresses: () => [{ host: "127.0.0.1", port: at }],
  });
  const watchdog = new ListenerWatchdog({
    ...{ clock: new FakeClock(), health: new Health(["grpc", "rest"]), giveUp: () => undefined },
    listeners: [listenerAt("grpc", (deaf.addr as Deno.NetAddr).port), listenerAt("rest", port)],
  }, { answerTimeoutMs: 60_000 });
  const checking = watchdog.check();
  await waitFor("a call of the second", () => connections === 1);
  (await deaf.accept()).close(); // the first one answers at last
  await checking;
  await close(server);
});
