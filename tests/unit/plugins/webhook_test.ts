import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import type { Daemon } from "../../../src/plugins/plugin.ts";
import { EventBus } from "../../../src/core/mod.ts";
import { addressOf, checkUrl, isForbidden } from "../../../src/plugins/webhook/target.ts";
import { type WebhookMachine, WebhookPlugin } from "../../../src/plugins/webhook/webhook_plugin.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { tempFolder } from "../../support/temp_folder.ts";
import { waitFor } from "../../support/wait.ts";

interface Hit {
  readonly head: string;
  readonly body: string;
}

/** A receiver on loopback; the answer is written by hand. */
async function receiver(answer: (socket: Socket, hits: Hit[]) => void) {
  const hits: Hit[] = [];
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    let text = "";
    socket.on("error", () => undefined).on("close", () => sockets.delete(socket));
    socket.setEncoding("utf8").on("data", (chunk) => {
      text += chunk;
      const [head = "", body] = text.split("\r\n\r\n");
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1]);
      if (body === undefined || body.length < length) return;
      hits.push({ head, body });
      text = "";
      answer(socket, hits);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  return {
    hits,
    url: `http://127.0.0.1:${port}/hook`,
    port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const status = (code: number) => (socket: Socket) =>
  void socket.end(`HTTP/1.1 ${code} X\r\ncontent-length: 0\r\n\r\n`);

async function startPlugin(
  init: { machine?: WebhookMachine; folder?: string; config?: Record<string, unknown> } = {},
) {
  const events = new EventBus(() => "12D3KooWself");
  let registered: unknown;
  const daemon = {
    config: () => init.config ?? {},
    identityPath: () => init.folder ? join(init.folder, "identity.key") : "",
    nodeId: () => 42,
    bus: () => ({
      subscribe: (pattern: string) => events.subscribe(pattern),
      publish: () => undefined,
    }),
    background: (_what: string, work: () => unknown) => void work(),
    registerWebhookManager: (manager: unknown) => registered = manager,
  } as unknown as Daemon;
  const plugin = new WebhookPlugin({ retryWaitMs: 5, tryTimeoutMs: 300, ...init.machine });
  await plugin.init(daemon);
  assert.equal(registered, plugin);
  const publish = (n = 0) => events.publishOpen("test.event", { n });
  return { plugin, publish, [Symbol.asyncDispose]: () => plugin.close(5_000) };
}

Deno.test("Webhook posts topic, node, time and data, signed", async () => {
  await using there = await receiver(status(204));
  await using here = await startPlugin({ config: { secret: "s3cret" } });
  await here.plugin.setURL(there.url);
  here.publish(7);
  await waitFor("the event", () => there.hits.length === 1);
  const [{ head, body }] = there.hits as [Hit];
  assert.match(head, /^POST \/hook HTTP\/1.1/);
  assert.match(head, /content-type: application\/json/i);
  const signature = createHmac("sha256", "s3cret").update(body).digest("hex");
  assert.match(head, new RegExp(`x-almena-signature-256: ${signature}`, "i"));
  const json = JSON.parse(body);
  assert.deepEqual(Object.keys(json), ["event_id", "event", "node_id", "timestamp", "data"]);
  assert.deepEqual([json.event, json.node_id, json.data], ["test.event", 42, { n: 7 }]);
});

Deno.test("Webhook.stats() tells the last delivery and the last error; test() sends one now", async () => {
  const answers = [204, 404, 204];
  await using there = await receiver((socket, hits) => status(answers[hits.length - 1]!)(socket));
  await using here = await startPlugin();
  await assert.rejects(here.plugin.test(), { code: "failed_precondition", message: /webhook set/ });
  await here.plugin.setURL(there.url);
  const tested = await here.plugin.test();
  assert.deepEqual([tested.ok, tested.status, tested.error], [true, 204, ""]);
  assert.equal(JSON.parse(there.hits[0]!.body).event, "webhook.test");
  const { lastDelivery, lastError, delivered } = here.plugin.stats();
  assert.deepEqual([lastDelivery?.event, lastDelivery?.status], ["webhook.test", 204]);
  assert.ok(Date.parse(lastDelivery?.time ?? "") > 0);
  assert.deepEqual([lastError, delivered], [undefined, 0]); // a test is no event of the daemon's
  const refused = await here.plugin.test();
  assert.deepEqual(
    [refused.ok, refused.status, refused.error],
    [false, 404, "the receiver answered 404"],
  );
  assert.equal(here.plugin.stats().lastError?.reason, "the receiver answered 404");
  here.publish();
  await waitFor("the event", () => here.plugin.stats().delivered === 1);
  assert.equal(here.plugin.stats().lastDelivery?.event, "test.event");
});

Deno.test("Webhook.test() tells in words that nobody is there, without the path of the URL", async () => {
  const there = await receiver(status(204));
  await there[Symbol.asyncDispose]();
  await using here = await startPlugin();
  await here.plugin.setURL(`${there.url}-secret`);
  const tested = await here.plugin.test();
  assert.deepEqual([tested.ok, "status" in tested], [false, false]);
  assert.match(tested.error, /refused/i);
  assert.doesNotMatch(JSON.stringify(here.plugin.stats()), /secret/);
});

Deno.test("Webhook tries 3 times on 5xx and on no answer, once on 4xx and redirects", async () => {
  const table: [code: number, tries: number][] = [[500, 3], [404, 1], [302, 1], [200, 1]];
  for (const [code, tries] of table) {
    await using there = await receiver((socket) =>
      void socket.end(
        `HTTP/1.1 ${code} X\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n`,
      )
    );
    await using here = await startPlugin();
    await here.plugin.setURL(there.url);
    here.publish();
    await waitFor("the tries", () => there.hits.length === tries);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(there.hits.length, tries, String(code));
    assert.equal(here.plugin.stats().failed, tries === 3 ? 1 : 0);
  }
});

Deno.test("Webhook gives up on a receiver that never answers, or byte by byte", async () => {
  const slow = (socket: Socket) => {
    const head = `HTTP/1.1 200 OK\r\nX-Slow: ${"a".repeat(1_000)}`;
    let sent = 0;
    const timer = setInterval(() => socket.write(head[sent++] ?? ""), 20);
    socket.on("close", () => clearInterval(timer));
  };
  for (const answer of [() => undefined, slow]) {
    await using there = await receiver(answer);
    await using here = await startPlugin({ machine: { tryTimeoutMs: 100 } });
    await here.plugin.setURL(there.url);
    here.publish();
    await waitFor("three tries", () => there.hits.length === 3);
    await waitFor("the end", () => here.plugin.stats().failed === 1);
  }
});

Deno.test("Webhook reads nothing of an endless answer", async () => {
  await using there = await receiver((socket) => {
    socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
    const timer = setInterval(() => socket.write(`10000\r\n${"x".repeat(65_536)}\r\n`), 1);
    socket.on("close", () => clearInterval(timer));
  });
  await using here = await startPlugin();
  await here.plugin.setURL(there.url);
  here.publish(1);
  here.publish(2);
  await waitFor("both", () => here.plugin.stats().delivered === 2);
});

Deno.test("Webhook's breaker opens after 5 failures, skips, and probes after 30 s", async () => {
  let isDown = true;
  await using there = await receiver((socket) => status(isDown ? 503 : 200)(socket));
  const clock = new FakeClock();
  await using here = await startPlugin({ machine: { clock } });
  await here.plugin.setURL(there.url);
  for (let n = 0; n < 9; n++) here.publish(n);
  await waitFor("the skips", () => here.plugin.stats().circuitSkips === 4);
  assert.equal(there.hits.length, 15);
  await clock.advance(30_001);
  here.publish(); // fails, so it opens again at once
  await waitFor("the probe", () => here.plugin.stats().failed === 6);
  here.publish();
  await waitFor("a skip", () => here.plugin.stats().circuitSkips === 5);
  isDown = false;
  await clock.advance(30_001);
  here.publish();
  here.publish();
  await waitFor("delivery", () => here.plugin.stats().delivered === 2);
});

Deno.test("Webhook's queue holds 1,024 and counts what it drops", async () => {
  await using there = await receiver(() => undefined);
  await using here = await startPlugin({ machine: { tryTimeoutMs: 60_000 } });
  await here.plugin.setURL(there.url);
  here.publish();
  await waitFor("the first", () => there.hits.length === 1);
  for (let n = 0; n < 1_500; n++) {
    here.publish(n);
    if (n % 500 === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await waitFor("the count", () => here.plugin.stats().queued === 1_024);
  assert.equal(here.plugin.stats().dropped, 1_500 - 1_024);
});

Deno.test("Webhook.setURL() swaps under load: nothing reaches the old URL after it returns", async () => {
  await using old = await receiver(status(200));
  await using next = await receiver(status(200));
  await using here = await startPlugin();
  await here.plugin.setURL(old.url);
  const timer = setInterval(() => here.publish(), 1);
  await waitFor("some", () => old.hits.length > 10);
  await here.plugin.setURL(next.url);
  const before = old.hits.length;
  await waitFor("others", () => next.hits.length > 10);
  clearInterval(timer);
  assert.equal(old.hits.length, before);
});

Deno.test("Webhook.setURL() is kept for this user alone, and empty deletes it", async () => {
  await using folder = await tempFolder();
  await using there = await receiver(status(200));
  const path = join(folder.path, "webhook_url");
  {
    await using here = await startPlugin({ folder: folder.path });
    assert.deepEqual(here.plugin.stats(), {
      ...{ delivered: 0, failed: 0, dropped: 0, circuitSkips: 0, queued: 0, isPaused: false },
    });
    await here.plugin.setURL(there.url);
    assert.equal(await readFile(path, "utf8"), `${there.url}\n`);
    if (Deno.build.os !== "windows") assert.equal((await stat(path)).mode & 0o777, 0o600);
  }
  await using here = await startPlugin({ folder: folder.path });
  assert.equal(here.plugin.url(), there.url);
  await here.plugin.setURL("");
  await assert.rejects(stat(path));
  here.publish();
  assert.equal(here.plugin.url(), "");
});

Deno.test("checkUrl() and addressOf() lead to no link-local or metadata address", async () => {
  const refused = [
    "ftp://example.org/",
    "file:///etc/passwd",
    "nonsense",
    "http://169.254.169.254/latest",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://[fe80::1]/",
    "http://[::ffff:169.254.169.254]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[2002:a9fe:a9fe::]/",
    "http://[64:ff9b:1::a9fe:a9fe]/",
    "http://[64:ff9b:1:a9fe:a9:fe00::]/",
    "http://[64:ff9b:1:a9:fe:a9fe::]/",
    "http://[64:ff9b:1::a9:fea9:fe00:0]/",
    "http://[::ffff:0:a9fe:a9fe]/",
    "http://[::169.254.169.254]/",
    "http://[2001:0:4136:e378:8000:63bf:5601:5601]/",
    "http://[2001:db8::5efe:a9fe:a9fe]/",
    "http://[2001:db8::200:5efe:a9fe:a9fe]/",
    "http://[fd00:ec2::254]/",
    "http://[fd20:ce::254]/",
    "http://168.63.129.16/",
    "http://169.254.169.254./",
    "http://[::ffff:0.0.0.0]/",
    "http://0/",
    "http://100.100.100.200/",
    "http://metadata.google.internal/",
    "http://METADATA.google.internal./",
    "http://0.0.0.0/",
    "http://[::]/",
    "http://me:word@example.org/",
  ];
  for (const url of refused) assert.throws(() => checkUrl(url), { code: "invalid_argument" }, url);
  const allowed = [
    "http://127.0.0.1:9/",
    "https://example.org/x?y",
    "http://[::1]/",
    "http://[::ffff:192.0.2.1]/",
    "http://[64:ff9b::c000:201]/",
    "http://[2002:c000:201::]/",
    "http://[2001:db8::a9fe:a9fe]/",
    "http://192.168.1.1/",
  ];
  for (const url of allowed) {
    checkUrl(url);
  }
  const url = checkUrl("http://rebound.example/");
  const answers = (addresses: string[]) => () =>
    Promise.resolve(addresses.map((address) => ({ address })));
  await assert.rejects(addressOf(url, answers(["127.0.0.1", "169.254.169.254"])), {
    code: "permission_denied",
  });
  assert.equal(await addressOf(url, answers(["127.0.0.1"])), "127.0.0.1");
  assert.equal(isForbidden("fe80::1%eth0"), true);
});

Deno.test("Webhook resolves anew for each event, and connects to what it checked", async () => {
  await using there = await receiver(status(200));
  const table = ["127.0.0.1", "169.254.169.254"];
  const resolve = () => Promise.resolve([{ address: table.shift() ?? "169.254.169.254" }]);
  await using here = await startPlugin({ machine: { resolve } });
  await here.plugin.setURL(`http://rebound.example:${there.port}/`);
  here.publish(1);
  await waitFor("the first", () => here.plugin.stats().delivered === 1);
  here.publish(2);
  await waitFor("the refusal", () => here.plugin.stats().failed === 1);
  assert.equal(there.hits.length, 1);
  assert.match(there.hits[0]!.head, new RegExp(`host: rebound.example:${there.port}`, "i"));
});
