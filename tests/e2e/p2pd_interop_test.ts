/** Clients of others drive our p2pd; docs/interop.md shows the same, verb by verb. */
import assert from "node:assert/strict";
import { isPrepared } from "../support/foreign_peers.ts";
import { GO_P2PD } from "../support/go_p2pd.ts";
import { HIVEMIND, PYTHON_P2PCLIENT } from "../support/interop/clients.ts";
import { runMatrix } from "../support/interop/matrix.ts";
import { testNeeding } from "../support/needs.ts";
import { P2pd } from "../support/p2pd_process.ts";

const needs = [GO_P2PD, PYTHON_P2PCLIENT, HIVEMIND].map((program) => ({
  name: program.name,
  isMet: isPrepared(program),
}));

testNeeding(needs, "README's p2pd program runs as written", async () => {
  const readme = await Deno.readTextFile(new URL("../../README.md", import.meta.url));
  const [, script = ""] = /```python\n([\s\S]*?)```/.exec(readme) ?? [];
  const [, listen = ""] = /almenad p2pd -listen=(\S+)/.exec(readme) ?? [];
  assert.match(script, new RegExp(`"${listen}"`));
  await using p2pd = await P2pd.start("almenad", { flags: ["-dhtServer", "-pubsub"] });
  const output = await new Deno.Command(PYTHON_P2PCLIENT.path, {
    args: ["-c", script.replaceAll(listen, p2pd.listen)],
    stdin: "null",
    signal: AbortSignal.timeout(30_000),
  }).output();
  const printed = new TextDecoder().decode(output.stdout);
  assert.ok(output.success, new TextDecoder().decode(output.stderr));
  assert.match(printed, new RegExp(`${p2pd.peerId}[\\s\\S]*b'my-value'`));
});

testNeeding(
  needs,
  "p2pd serves p2pclient, hivemind, daemon-client and P2PClient, every verb",
  async () => {
    const matrix = await runMatrix();
    assert.equal(Object.keys(matrix).length, 5);
    for (const [client, outcomes] of Object.entries(matrix)) {
      assert.ok(Object.keys(outcomes).length >= 12, client);
      for (const [verb, outcome] of Object.entries(outcomes)) {
        assert.equal(outcome, "ok", `${client}: ${verb}`);
      }
    }
  },
);
