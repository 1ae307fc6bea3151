/** Clients of others drive our p2pd; docs/interop.md shows the same, verb by verb. */
import assert from "node:assert/strict";
import { isPrepared } from "../support/foreign_peers.ts";
import { GO_P2PD } from "../support/go_p2pd.ts";
import { PYTHON_P2PCLIENT } from "../support/interop/clients.ts";
import { runMatrix } from "../support/interop/matrix.ts";
import { testNeeding } from "../support/needs.ts";

const needs = [GO_P2PD, PYTHON_P2PCLIENT].map((program) => ({
  name: program.name,
  isMet: isPrepared(program),
}));

testNeeding(needs, "p2pd serves p2pclient, daemon-client and P2PClient, every verb", async () => {
  const matrix = await runMatrix();
  assert.equal(Object.keys(matrix).length, 4);
  for (const [client, outcomes] of Object.entries(matrix)) {
    assert.ok(Object.keys(outcomes).length >= 12, client);
    for (const [verb, outcome] of Object.entries(outcomes)) {
      assert.equal(outcome, "ok", `${client}: ${verb}`);
    }
  }
});
