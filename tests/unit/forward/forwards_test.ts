import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Forwards } from "../../../src/forward/forwards.ts";
import { Connections, MAX_CONNECTIONS_EACH } from "../../../src/forward/connections.ts";
import { endpointText, isOwnMachine, parseEndpoint } from "../../../src/forward/endpoint.ts";
import type { PeerStream } from "../../../src/network/mod.ts";
import { tempFolder } from "../../support/temp_folder.ts";

const PEER = "12D3KooWGRYZDHBembyGJQqMbYDbLAEbkSBFGkLkZpJxSfE5oyjL";

/** Streams that lead nowhere, and the protocols that are served. */
function fake() {
  const served = new Map<string, (stream: PeerStream) => unknown>();
  const streams = {
    open: () => Promise.reject(new TypeError("nobody there")),
    isConnected: () => true,
    handle: (protocol: string, onStream: (stream: PeerStream) => unknown) => {
      served.set(protocol, onStream);
      return Promise.resolve(() => Promise.resolve(void served.delete(protocol)));
    },
  };
  const links = { connect: () => Promise.resolve(PEER) };
  return { served, components: { streams, links, isTrusted: (id: string) => id === PEER } };
}

Deno.test("Forwards keeps what is to be kept, and no more, over a restart", async () => {
  await using folder = await tempFolder();
  const init = { path: join(folder.path, "forwards.json"), allowsRemote: false };
  const { served, components } = fake();
  const first = new Forwards(components, init);
  await first.start();
  await first.listen({ service: "kept", target: "8080", allow: ["trusted"], isKept: true });
  await first.listen({ service: "gone", target: "8081", allow: ["anyone"], isKept: false });
  const dialled = { peerId: PEER, address: "", service: "web", listen: "127.0.0.1:0" };
  const port = await first.dial({ ...dialled, isKept: true });
  await first.dial({ ...dialled, isKept: false });
  assert.notEqual(port.listen, "127.0.0.1:0");
  await assert.rejects(first.dial({ ...dialled, listen: port.listen, isKept: false }), {
    code: "already_exists",
  });
  await first.stop();
  assert.deepEqual([...served.keys()], []);

  const second = new Forwards(components, init);
  await second.start();
  const { services, ports } = second.list();
  assert.deepEqual(services.map(({ service, target, isKept }) => [service, target, isKept]), [
    ["kept", "127.0.0.1:8080", true],
  ]);
  assert.deepEqual(ports.map(({ listen, peerId, isKept }) => [listen, peerId, isKept]), [
    [port.listen, PEER, true],
  ]);
  assert.deepEqual((await second.close("all")).sort(), [port.listen, "kept"].sort());
  assert.deepEqual(JSON.parse(await readFile(init.path, "utf8")), {
    version: 1,
    services: [],
    ports: [],
  });
  assert.deepEqual(await second.close("kept"), []);
  await second.stop();
});

Deno.test("Forwards puts a file aside that it cannot read, and starts", async () => {
  await using folder = await tempFolder();
  const path = join(folder.path, "forwards.json");
  await writeFile(path, '{"version":1,"services":[{"service":7}]}');
  const forwards = new Forwards(fake().components, { path, allowsRemote: false });
  await forwards.start();
  assert.deepEqual(forwards.list(), { services: [], ports: [] });
  assert.match(await readFile(`${path}.damaged`, "utf8"), /"service":7/);
  await forwards.stop();
});

Deno.test("Forwards takes back what the disk does not keep", async () => {
  const { served, components } = fake();
  const path = "/proc/nowhere/forwards.json";
  const forwards = new Forwards(components, { path, allowsRemote: false });
  await forwards.start();
  await assert.rejects(
    forwards.listen({ service: "a", target: "80", allow: ["trusted"], isKept: true }),
    { code: "unavailable" },
  );
  const dialled = { peerId: PEER, address: "", service: "web", listen: "127.0.0.1:0" };
  await assert.rejects(forwards.dial({ ...dialled, isKept: true }), { code: "unavailable" });
  assert.deepEqual(forwards.list(), { services: [], ports: [] });
  assert.equal(served.size, 0);
  await forwards.stop();
});

Deno.test("Forwards serves only who may, and no more than there are places", async () => {
  await using folder = await tempFolder();
  const { served, components } = fake();
  const init = { path: join(folder.path, "forwards.json"), allowsRemote: false };
  const forwards = new Forwards(components, init);
  await forwards.start();
  await forwards.listen({ service: "mine", target: "9", allow: ["trusted"], isKept: false });
  await forwards.listen({ service: "his", target: "9", allow: ["other"], isKept: false });
  for (const [protocol, peerId] of [["/x/mine", "stranger"], ["/x/his", PEER]] as const) {
    let reason = "";
    const stream = { peerId, abort: (why: string) => void (reason = why) };
    await served.get(protocol)?.(stream as unknown as PeerStream);
    assert.match(reason, /may not use/);
  }
  assert.deepEqual(forwards.list().services.map(({ refused, total }) => [refused, total]), [
    [1, 0],
    [1, 0],
  ]);
  await Promise.all(
    Array.from(
      { length: 62 },
      (_, at) =>
        forwards.listen({ service: `s${at}`, target: "9", allow: ["anyone"], isKept: false }),
    ),
  );
  await assert.rejects(
    forwards.listen({ service: "one-more", target: "9", allow: ["anyone"], isKept: false }),
    { code: "resource_exhausted" },
  );
  await forwards.stop();
});

Deno.test("Connections.run() has so many places each and together, and frees them", async () => {
  const shared = { open: 0 };
  const one = new Connections(shared);
  const { promise, resolve } = Promise.withResolvers<void>();
  let ended = 0;
  const held = Array.from(
    { length: MAX_CONNECTIONS_EACH },
    () => one.run(() => void ended++, () => promise),
  );
  assert.equal(await one.run(() => void ended++, () => promise), false);
  assert.deepEqual([one.counts.open, one.counts.refused, ended], [MAX_CONNECTIONS_EACH, 1, 1]);
  one.endAll();
  assert.equal(ended, 1 + MAX_CONNECTIONS_EACH);
  resolve();
  await Promise.all(held);
  await assert.rejects(one.run(() => undefined, () => Promise.reject(new TypeError("broke"))));
  const total = MAX_CONNECTIONS_EACH + 1;
  assert.deepEqual(one.counts, { open: 0, total, refused: 1, failed: 1 });
  assert.equal(shared.open, 0);
  shared.open = 1_024;
  assert.equal(await one.run(() => undefined, () => promise), false);
});

Deno.test("parseEndpoint() reads ports and addresses, and nothing else", () => {
  assert.deepEqual(parseEndpoint("8080"), { host: "127.0.0.1", port: 8080 });
  assert.equal(endpointText(parseEndpoint("[::1]:22")), "[::1]:22");
  assert.equal(endpointText(parseEndpoint("nas.local:445")), "nas.local:445");
  for (const text of ["", "http", "1.2.3.4", "a b:80", "65536", "::1:80", "/ip4/1.2.3.4/tcp/1"]) {
    assert.throws(() => parseEndpoint(text), { code: "invalid_argument" }, text);
  }
  assert.deepEqual(
    ["127.9.9.9", "::1", "localhost", "0.0.0.0", "::", "192.168.1.7", "nas"].map(isOwnMachine),
    [true, true, true, false, false, false, false],
  );
});
