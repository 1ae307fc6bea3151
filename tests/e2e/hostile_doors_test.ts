/** R10: only the owner controls the daemon; what a browser, another user and a log reader get. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { BesiegedDaemon } from "../support/hostile/besieged_daemon.ts";
import type { VisitOutcome } from "../support/hostile/raw_connections.ts";

const BROWSER = "User-Agent: Mozilla/5.0\r\nAccept: */*\r\n";
/** Deno 2.9 hangs up at once; on 2.7 it is our time limit for a preface, 10 s, that ends it. */
const CUT_OFF_MS = 12_000;
/** Headers that a page of another site makes a browser send. */
const FOREIGN: Readonly<Record<string, string>> = {
  "a rebound host name": "Host: evil.example\r\n",
  "a rebound host name with our port": "Host: evil.example:8080\r\n",
  "a host that begins like ours": "Host: 127.0.0.1.evil.example\r\n",
  "a host with a user": "Host: 127.0.0.1@evil.example\r\n",
  "the machine's other addresses": "Host: 192.168.1.5:8080\r\n",
  "no host": "",
  "a foreign origin": "Host: 127.0.0.1:8080\r\nOrigin: https://evil.example\r\n",
  "an opaque origin": "Host: 127.0.0.1:8080\r\nOrigin: null\r\n",
  "another port's origin": "Host: 127.0.0.1:8080\r\nOrigin: http://127.0.0.1:3000\r\n",
  "a foreign referer": "Host: 127.0.0.1:8080\r\nReferer: https://evil.example/page\r\n",
  "a cross-site fetch": "Host: 127.0.0.1:8080\r\nSec-Fetch-Site: cross-site\r\n",
  "a same-site fetch": "Host: localhost:8080\r\nSec-Fetch-Site: same-site\r\n",
};

Deno.test("REST refuses what pages of other sites make a browser send, on every path", async () => {
  await using daemon = await BesiegedDaemon.start();
  for (const path of ["/status", "/metrics", "/swagger-ui/", "/nowhere"]) {
    for (const [what, headers] of Object.entries(FOREIGN)) {
      const text = `GET ${path} HTTP/1.1\r\n${headers}${BROWSER}Connection: close\r\n\r\n`;
      const { answer } = await visit(daemon, daemon.rest, text);
      assert.match(answer, /^HTTP\/1\.1 40[03] /, `${what} at ${path}`);
      assert.doesNotMatch(answer, /12D3Koo|access-control-allow/i, `${what} at ${path}`);
    }
  }
  await daemon.assertUnharmed();
});

Deno.test("REST lets no other site read an answer or ask before (CORS)", async () => {
  await using daemon = await BesiegedDaemon.start();
  const text =
    "OPTIONS /status HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nOrigin: https://evil.example\r\n" +
    "Access-Control-Request-Method: POST\r\nConnection: close\r\n\r\n";
  const { answer } = await visit(daemon, daemon.rest, text);
  assert.match(answer, /^HTTP\/1\.1 403 /);
  assert.doesNotMatch(answer, /access-control-allow/i);
});

Deno.test("gRPC gives a browser nothing: HTTP/1 and forms are cut off", async () => {
  await using daemon = await BesiegedDaemon.start();
  const visits = ["GET", "POST", "OPTIONS"].map(async (method) => {
    const path = "/almena.daemon.v1.DaemonService/ListPeers";
    const text = `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${BROWSER}` +
      "Origin: https://evil.example\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n\0\0\0\0\0";
    const { answer, wasClosed } = await visit(daemon, daemon.grpcTarget, text, CUT_OFF_MS);
    assert.ok(wasClosed, `${method} keeps its connection`);
    assert.doesNotMatch(answer, /HTTP\/1\.1 200|12D3Koo/);
  });
  await Promise.all(visits);
  await daemon.assertUnharmed();
});

Deno.test({
  name: "almenad makes folders 0700 and files 0600, whatever the umask",
  ignore: process.platform === "win32",
  fn: async () => {
    await using daemon = await BesiegedDaemon.start({
      wrapper: ["sh", "-c", 'umask 000; exec "$@"', "sh"],
    });
    const base = daemon.daemon.dataDir;
    const made = (await readdir(base, { recursive: true, withFileTypes: true }))
      .filter(({ name }) => !["config.toml", "config"].includes(name)); // the test made these
    assert.ok(made.length >= 5, `only ${made.map(({ name }) => name)}`);
    for (const entry of made) {
      const { mode } = await stat(join(entry.parentPath, entry.name));
      const wanted = entry.isDirectory() ? 0o700 : 0o600;
      assert.equal(
        (mode & 0o777).toString(8),
        wanted.toString(8),
        join(entry.parentPath, entry.name),
      );
    }
  },
});

Deno.test("almenad writes no key into its logs, even at level trace", async () => {
  await using daemon = await BesiegedDaemon.start({ env: { RUST_LOG: "trace" } });
  await daemon.assertUnharmed();
  await daemon.attacker.ask("streams", { address: daemon.swarm(), count: 50, seed: 1 });
  const key = await readFile(join(daemon.daemon.dataDir, "data", "identity.key"));
  const secret = Buffer.from(key.subarray(4, 36)); // protobuf: type, length, then the seed
  const said = Buffer.concat([
    await readFile(join(daemon.daemon.dataDir, "logs", "daemon.log")),
    Buffer.from(daemon.daemon.stderr),
    Buffer.from(daemon.daemon.stdout.join("\n")),
  ]);
  assert.ok(said.length > 500, "nothing was logged");
  const spellings = [
    secret,
    secret.toString("hex"),
    secret.toString("base64").slice(0, 40),
    secret.toString("base64url").slice(0, 40),
    key.toString("base64").slice(0, 40),
    [...secret.subarray(0, 8)].join(","),
    [...secret.subarray(0, 8)].join(", "),
  ];
  for (const spelling of spellings) assert.equal(said.indexOf(spelling), -1);
});

function visit(
  daemon: BesiegedDaemon,
  target: BesiegedDaemon["rest"],
  text: string,
  lingerMs = 3_000,
): Promise<VisitOutcome> {
  return daemon.attacker.ask<VisitOutcome>("visit", { target, text, lingerMs });
}
