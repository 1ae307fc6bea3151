import assert from "node:assert/strict";
import * as forward from "../../../src/cli/commands/forward.ts";
import * as relay from "../../../src/cli/commands/relay.ts";
import { type CliActions, type CommandContext, EXIT, runCli } from "../../../src/cli/mod.ts";
import { paintFor } from "../../../src/cli/terminal.ts";

const PEER = "12D3KooWGRYZDHBembyGJQqMbYDbLAEbkSBFGkLkZpJxSfE5oyjL";

async function parse(line: string) {
  const calls: unknown[] = [];
  const actions = {
    client: ({ name, args, options }) => {
      calls.push([name, args, options]);
      return Promise.resolve(EXIT.ok);
    },
  } as Partial<CliActions> as CliActions;
  const output = { out: () => undefined, error: () => undefined };
  return { code: await runCli(line.split(" "), actions, output), calls };
}

function fake(answer: unknown) {
  const out: string[] = [];
  const asked: [name: string, input: unknown][] = [];
  const call = (name: string, input?: unknown) => {
    asked.push([name, input]);
    return Promise.resolve(answer);
  };
  const context = {
    client: { query: call, action: call },
    flags: { format: "human", dev: false },
    output: { out: (text: string) => void out.push(text), error: () => undefined },
    paint: paintFor({ hasColour: false }),
  } as unknown as CommandContext;
  return { context, asked, said: () => out.join("\n") };
}

Deno.test("runCli() knows the commands about DHT, pubsub, relays and forwarded ports", async () => {
  const lines: [line: string, name: string, args: string[], options: Record<string, unknown>][] = [
    ["dht put k v", "dht put", ["k", "v"], {}],
    ["dht get k --base64 --timeout 5", "dht get", ["k"], { base64: true, timeout: "5" }],
    ["dht find-peer p", "dht find-peer", ["p"], {}],
    ["dht find_peer p", "dht find-peer", ["p"], {}],
    ["dht find-providers c -n 3", "dht find-providers", ["c"], { count: "3" }],
    ["pubsub publish t m", "pubsub publish", ["t", "m"], {}],
    ["pubsub subscribe t", "pubsub subscribe", ["t"], {}],
    ["relay reserve a", "relay reserve", ["a"], {}],
    ["listen web 80 --allow a --allow b --keep", "listen", ["web", "80"], {
      ...{ allow: ["a", "b"], keep: true },
    }],
    ["listen web 80 --anyone", "listen", ["web", "80"], { anyone: true }],
    ["forward p web", "forward", ["p", "web"], {}],
    ["forward p web 9000 --keep", "forward", ["p", "web", "9000"], { keep: true }],
    ["forward list", "forward list", [], {}],
    ["forward close web", "forward close", ["web"], {}],
  ];
  for (const [line, ...call] of lines) {
    assert.deepEqual(await parse(line), { code: EXIT.ok, calls: [call] }, line);
  }
  for (const line of ["listen web", "forward p", "listen web 80 --allow a --anyone"]) {
    assert.equal((await parse(line)).code, EXIT.usage, line);
  }
});

Deno.test("almenad listen asks for trusted peers unless it is told otherwise", async () => {
  const answer = { service: "web", target: "127.0.0.1:80", allow: ["trusted"] };
  const plain = fake(answer);
  await forward.listen(plain.context, ["web", "80"], {});
  assert.equal(plain.said(), 'Trusted peers reach 127.0.0.1:80 as "web"');
  assert.deepEqual(plain.asked, [["forward.listen", {
    ...{ service: "web", target: "80", allow: ["trusted"], keep: false },
  }]]);
  const some = fake({ ...answer, allow: [PEER] });
  await forward.listen(some.context, ["web", "80"], { allow: [PEER], keep: true });
  assert.match(some.said(), /^They alone reach/);
  const all = fake({ ...answer, allow: ["anyone"] });
  await forward.listen(all.context, ["web", "80"], { anyone: true });
  assert.match(all.said(), /^Every peer reaches/);
});

Deno.test("almenad relay status says in words how the daemon is reached", async () => {
  const { context, said } = fake({
    ...{ is_used: true, is_relay: true, reachability: "private", guests: [PEER] },
    places: [
      { relay: "/r/1", addresses: ["/r/1/p2p-circuit"], problem: "" },
      { relay: "/r/2", addresses: [], problem: "it is full" },
    ],
  });
  await relay.relayStatus(context);
  assert.match(said(), /cannot dial this daemon/);
  assert.match(said(), /places +\/r\/1\/p2p-circuit\n +none yet at \/r\/2: it is full/);
  assert.match(said(), new RegExp(`guests +${PEER}`));
});
