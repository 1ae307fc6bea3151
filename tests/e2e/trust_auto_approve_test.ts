/** `--trust-auto-approve` between two machines: whoever asks is trusted without a person. */
import assert from "node:assert/strict";
import { act, ask } from "../support/control_calls.ts";
import { startDaemon } from "../support/daemon.ts";
import { Lan, testInNetns } from "../support/netns.ts";
import { waitFor } from "../support/wait.ts";

testInNetns("--trust-auto-approve trusts whoever asks, at once", async () => {
  await using stack = new AsyncDisposableStack();
  const lan = stack.use(await Lan.create(["ada", "bob"]));
  const start = async (name: string, args: string[]) =>
    stack.use(await startDaemon({ netns: lan.host(name).namespace, args }));
  const ada = await start("ada", ["--trust-auto-approve"]);
  const bob = await start("bob", []);
  const [adaId, bobId] = [ada.ready.peer_id, bob.ready.peer_id];

  await waitFor("the link", async () => {
    const { peers } = await ask(bob.dataDir, "network.peers", { connected: true });
    return (peers as unknown[]).length === 2; // itself, too
  });
  await act(bob.dataDir, "trust.request", { peer: adaId });
  const { trusted } = await ask(bob.dataDir, "trust.wait", { peer: adaId });
  assert.equal(trusted, true);
  const { peers } = await ask(ada.dataDir, "trust.list");
  assert.deepEqual((peers as { peer_id: string }[]).map((peer) => peer.peer_id), [bobId]);
  const { requests } = await ask(ada.dataDir, "trust.pending");
  assert.deepEqual(requests, []);
});
