import assert from "node:assert/strict";
import * as plugins from "../../../src/cli/commands/plugins.ts";
import * as policy from "../../../src/cli/commands/policy.ts";
import * as trust from "../../../src/cli/commands/trust.ts";
import { type CliActions, type CommandContext, EXIT, runCli } from "../../../src/cli/mod.ts";
import { paintFor } from "../../../src/cli/terminal.ts";

const PEER = "12D3KooWGRYZDHBembyGJQqMbYDbLAEbkSBFGkLkZpJxSfE5oyjL";
const TIME = "2026-01-01T00:00:00.000Z";

/** A daemon that answers as told, and what was asked of it. */
function fake(answer: unknown, format = "human") {
  const out: string[] = [];
  const asked: [name: string, input: unknown][] = [];
  const call = (name: string, input?: unknown) => {
    asked.push([name, input]);
    return Promise.resolve(answer);
  };
  const context = {
    client: { query: call, action: call },
    flags: { format, dev: false },
    output: { out: (text: string) => void out.push(text), error: () => undefined },
    paint: paintFor({ hasColour: false }),
    interrupted: () => new AbortController().signal,
  } as unknown as CommandContext;
  return { context, asked, said: () => out.join("\n") };
}

/** What a command line asks for. */
async function parse(line: string) {
  const calls: unknown[] = [];
  const errors: string[] = [];
  const actions = {
    client: ({ name, args, options }) => {
      calls.push([name, args, options]);
      return Promise.resolve(EXIT.ok);
    },
  } as Partial<CliActions> as CliActions;
  const output = { out: () => undefined, error: (text: string) => void errors.push(text) };
  return { code: await runCli(line.split(" "), actions, output), calls, errors };
}

Deno.test("runCli() knows the commands about trust, policies, webhooks and plugins", async () => {
  const lines: [line: string, name: string, args: string[], options: Record<string, unknown>][] = [
    ["trust list", "trust list", [], {}],
    ["trust pending", "trust pending", [], {}],
    ["trust request p hello", "trust request", ["p", "hello"], {}],
    ["trust approve p", "trust approve", ["p"], {}],
    ["trust reject p no", "trust reject", ["p", "no"], {}],
    ["trust ignore p", "call", ["trust.ignore", "p"], {}],
    ["trust later p 2", "call", ["trust.later", "p", "2"], {}],
    ["trust revoke p", "trust revoke", ["p"], {}],
    ["trust wait p --timeout 5", "trust wait", ["p"], { timeout: "5" }],
    ["trust invite --ticket", "trust invite", [], { ticket: true }],
    ["trust accept t me", "trust accept", ["t", "me"], {}],
    ["trust changes", "call", ["trust.changes"], {}],
    ["policy list", "policy list", [], {}],
    ["policy show 3", "policy show", ["3"], {}],
    ["policy start - --network 3 --shadow", "policy start", ["-"], { network: "3", shadow: true }],
    ["policy stop", "policy stop", [], {}],
    ["policy explain --peer p --port 80", "policy explain", [], { peer: "p", port: "80" }],
    ["policy cycle 3", "call", ["policy.cycle", "3"], {}],
    ["policy peers", "call", ["policy.peers"], {}],
    ["webhook show", "webhook show", [], {}],
    ["webhook stats", "webhook stats", [], {}],
    ["webhook set http://a/", "webhook set", ["http://a/"], {}],
    ["webhook set --off", "webhook set", [], { off: true }],
    ["plugins list", "plugins list", [], {}],
  ];
  for (const [line, name, args, options] of lines) {
    const { code, calls, errors } = await parse(line);
    assert.deepEqual([code, calls], [EXIT.ok, [[name, args, options]]], `${line}: ${errors}`);
  }
  const wrong = ["trust approve", "trust invite x", "policy explain --peer p", "policy start"];
  for (const line of wrong) assert.equal((await parse(line)).code, EXIT.usage, line);
});

Deno.test("listTrust() is a table of trusted and asked peers; JSON for programs", async () => {
  const record = { node_id: 1, public_key: "", approved_at: TIME };
  const answer = {
    peers: [
      { peer_id: "mutual", ...record, mutual: true, network: 0 },
      { peer_id: "here", ...record, mutual: false, network: 7 },
    ],
    outgoing: [{ peer_id: "asked", sent_at: TIME, until: TIME }],
  };
  const human = fake(answer);
  assert.equal(await trust.listTrust(human.context), EXIT.ok);
  assert.deepEqual(human.said().split("\n"), [
    "PEER    TRUST         SINCE                     NETWORK",
    `mutual  mutual        ${TIME}`,
    `here    trusted here  ${TIME}  7`,
    `asked   asked         ${TIME}`,
  ]);
  const json = fake(answer, "json");
  await trust.listTrust(json.context);
  assert.deepEqual(JSON.parse(json.said()), answer);
});

Deno.test("pendingTrust() keeps a justification on its line", async () => {
  const requests = [{
    ...{ peer_id: "p", received_at: TIME, justification: "me\u001b[2J\nme" },
    ...{ words: ["olive", "zoo"], state: "later" },
  }];
  const { context, said } = fake({ requests });
  await trust.pendingTrust(context);
  assert.deepEqual(said().split("\n").slice(1), [`p     olive zoo  later  ${TIME}  me [2J me`]);
});

Deno.test("approveTrust() fails where nobody asked, and the others say the state", async () => {
  const none = fake({ peer_id: PEER, state: "none" });
  assert.equal(await trust.approveTrust(none.context, [PEER]), EXIT.failed);
  const done = fake({ peer_id: PEER, state: "trusted" });
  assert.equal(await trust.approveTrust(done.context, [PEER]), EXIT.ok);
  assert.equal(done.said(), `${PEER}: trusted`);
  const asked = fake({ peer_id: PEER, state: "outgoing" });
  await trust.requestTrust(asked.context, [PEER, "it is me"]);
  await trust.acceptTicket(asked.context, ["ticket"]);
  await trust.rejectTrust(asked.context, [PEER]);
  await trust.revokeTrust(asked.context, [PEER]);
  assert.deepEqual(asked.asked, [
    ["trust.request", { peer: PEER, justification: "it is me" }],
    ["trust.accept", { ticket: "ticket", justification: "" }],
    ["trust.reject", { peer: PEER, reason: "" }],
    ["trust.revoke", { peer: PEER }],
  ]);
});

Deno.test("waitForTrust() tells by its exit code whether the peer is trusted", async () => {
  const yes = fake({ peer_id: PEER, trusted: true });
  assert.equal(await trust.waitForTrust(yes.context, [PEER], {}), EXIT.ok);
  assert.equal((yes.asked[0]![1] as { timeout_ms: number }).timeout_ms, 20_000);
  const no = fake({ peer_id: PEER, trusted: false });
  assert.equal(await trust.waitForTrust(no.context, [PEER], { timeout: "0" }), EXIT.failed);
  const wrong = trust.waitForTrust(no.context, [PEER], { timeout: "soon" });
  await assert.rejects(wrong, { code: "invalid_argument" });
});

Deno.test("inviteTrust() prints the QR code and the ticket, or the ticket alone", async () => {
  const answer = { ticket: "almena1abc", peer_id: PEER, addresses: ["/ip4/1.2.3.4"], qr: "▀▄█" };
  const whole = fake(answer);
  await trust.inviteTrust(whole.context, {});
  assert.match(whole.said(), /^▀▄█\n {2}ticket +almena1abc\n/);
  assert.match(whole.said(), /trust accept/);
  const alone = fake(answer);
  await trust.inviteTrust(alone.context, { ticket: true });
  assert.equal(alone.said(), "almena1abc");
});

Deno.test("explainPolicy() shows the rule and the values behind a verdict", async () => {
  const values = { port: 80, peer_tags: ["a\nb"] };
  const denial = { network: 0, allowed: false, rule: "no web", match: "port == 80", reason: "" };
  const { context, said, asked } = fake({
    peer_id: PEER,
    allowed: false,
    policies: [{ ...denial, shadow: false, values }, {
      ...{ ...denial, rule: "", match: "", reason: "the default" },
      ...{ network: 1, shadow: true, values: {} },
    }],
  });
  assert.equal(await policy.explainPolicy(context, [], { peer: PEER, port: "80" }), EXIT.ok);
  assert.deepEqual(said().split("\n"), [
    `connect of ${PEER} to port 80 is denied`,
    '  network 0 denies by rule "no web": port == 80',
    "    port = 80",
    '    peer_tags = ["a\\nb"]',
    "  network 1 (shadow: denies nothing) denies by the default",
  ]);
  assert.deepEqual(asked[0]![1], { peer: PEER, port: 80, event: "connect", direction: "in" });
  const none = fake({ peer_id: PEER, allowed: true, policies: [] });
  await policy.explainPolicy(none.context, [], { peer: PEER, port: "80", event: "dial" });
  assert.match(none.said(), /is allowed: no policy concerns this peer$/);
  for (const port of ["", "x", "-1", "65536"]) {
    const wrong = policy.explainPolicy(context, [], { peer: PEER, port });
    await assert.rejects(wrong, { code: "invalid_argument" }, port);
  }
});

Deno.test("startPolicy() says what runs, and names a file that cannot be read", async () => {
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(file, "{}");
    const { context, said, asked } = fake({ network: 3, shadow: true, rules: 1 });
    await policy.startPolicy(context, [file], { network: "3", shadow: true });
    assert.deepEqual(asked, [["policy.start", { network: 3, policy: "{}", shadow: true }]]);
    assert.equal(said(), "The policy watches network 3: 1 rule");
    const missing = policy.startPolicy(context, [`${file}-none`], {});
    await assert.rejects(missing, { code: "invalid_argument", message: /-none"/ });
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("listPolicies(), showPolicy() and stopPolicy() concern every peer by default", async () => {
  const running = { network: 0, mode: "active", rules: 2, members: 3, allowed: 4, denied: 5 };
  const list = fake({ policies: [running] });
  await policy.listPolicies(list.context);
  assert.deepEqual(list.said().split("\n"), [
    "NETWORK  MODE    RULES  MEMBERS  ALLOWED  DENIED",
    "0        active  2      3        4        5",
  ]);
  const shown = fake({ network: 0, policy: '{"version":1}' });
  await policy.showPolicy(shown.context, []);
  assert.equal(shown.said(), '{"version":1}');
  const stopped = fake({ network: 0, shadow: false });
  await policy.stopPolicy(stopped.context, [], {});
  assert.deepEqual(stopped.asked, [["policy.stop", { network: 0, shadow: false }]]);
});

Deno.test("setWebhook() takes a URL or --off, and not both", async () => {
  const { context, asked } = fake({ enabled: true });
  await plugins.setWebhook(context, ["http://a/"], {});
  await plugins.setWebhook(context, [], { off: true });
  assert.deepEqual(asked.map(([, input]) => input), [{ url: "http://a/" }, { url: "" }]);
  await assert.rejects(plugins.setWebhook(context, [], {}), { code: "invalid_argument" });
  const both = plugins.setWebhook(context, ["http://a/"], { off: true });
  await assert.rejects(both, { code: "invalid_argument" });
});

Deno.test("listPlugins() says how plugins fare", async () => {
  const one = { origin: "builtin", state: "loaded", failures: 0, problem: "", services: [] };
  const { context, said } = fake({
    plugins: [
      { ...one, name: "policy", is_healthy: true, services: ["policy"] },
      { ...one, name: "bad", origin: "file", is_healthy: false, failures: 3, problem: "no luck" },
    ],
    ports: [444, 2080],
  });
  await plugins.listPlugins(context);
  assert.deepEqual(said().split("\n"), [
    "PLUGIN  ORIGIN    STATE      FAILURES  OFFERS  PROBLEM",
    "policy  built in  loaded     0         policy",
    "bad     file      unhealthy  3                 no luck",
    "ports held: 444, 2080",
  ]);
});
