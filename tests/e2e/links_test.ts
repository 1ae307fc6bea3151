/** What goes through the links of real daemons, and why there is none. */
import assert from "node:assert/strict";
import { act, ask } from "../support/control_calls.ts";
import { type DaemonProcess, startDaemon } from "../support/daemon.ts";
import { firstData } from "../support/doors.ts";
import { waitFor } from "../support/wait.ts";

type Json = Record<string, unknown>;
interface LinkJson {
  readonly peer_id: string;
  readonly direction: string;
  readonly connections: number;
  readonly is_relayed: boolean;
  readonly is_internal: boolean;
  readonly latency_ms?: number;
  readonly in_bytes: number;
  readonly out_bytes: number;
  readonly in_bytes_per_second: number;
  readonly out_bytes_per_second: number;
  readonly connected_at_ms: number;
}

const addressOf = ({ ready }: DaemonProcess) =>
  `${ready.p2p_addrs.find((one) => one.startsWith("/ip4/127."))}/p2p/${ready.peer_id}`;
const linksOf = async ({ dataDir }: DaemonProcess) =>
  (await ask(dataDir, "network.links"))["links"] as LinkJson[];
const reportOf = (daemon: DaemonProcess, peer: string) =>
  ask(daemon.dataDir, "network.why", { peer });
const eventsOf = (
  report: Json,
) => (report["history"] as { event: string; ok: boolean; words: string; reason: string }[]);

Deno.test("two daemons tell what goes through their link, each from its side", async () => {
  await using a = await startDaemon();
  await using b = await startDaemon();
  await act(a.dataDir, "network.connect", { peer: addressOf(b) });
  const [fromA, fromB] = await waitFor("the link on both sides", async () => {
    const [[one], [other]] = [await linksOf(a), await linksOf(b)];
    return one && other && one.in_bytes > 0 ? [one, other] : undefined;
  });
  assert.deepEqual([fromA?.peer_id, fromB?.peer_id], [b.ready.peer_id, a.ready.peer_id]);
  // They may have dialled each other at the same moment, which makes two connections.
  const isOne = fromA?.connections === 1 && fromB?.connections === 1;
  const directions = [fromA?.direction, fromB?.direction].sort();
  assert.deepEqual(isOne ? directions : [...new Set([...directions, "in", "out"])], ["in", "out"]);
  for (const link of [fromA, fromB]) {
    assert.deepEqual([link?.is_relayed, link?.is_internal], [false, true]);
    assert.ok(Math.abs((link?.connected_at_ms ?? 0) - Date.now()) < 60_000);
  }
  // Pings alone are traffic, seen in the second in which they go.
  const stream = await fetch(a.url("/api/v1/network/throughput_live?peers=true"));
  const pinging = act(a.dataDir, "network.ping", { peer_id: b.ready.peer_id });
  const sample = await firstData(stream) as Json;
  await pinging;
  assert.deepEqual(Object.keys(sample), ["time_ms", "step_ms", "in_bytes", "out_bytes", "peers"]);
  const [after] = await linksOf(a);
  assert.ok((after?.in_bytes ?? 0) > (fromA?.in_bytes ?? 0));

  // The history adds up to what the links say, and to what the other side says.
  const total = await waitFor("both histories to agree with the counters", async () => {
    const sums = await Promise.all([a, b].map(async ({ dataDir }) => {
      const { points } = await ask(dataDir, "network.throughput", { range: "5m" });
      return (points as LinkJson[]).reduce((sum, point) => sum + point.in_bytes, 0);
    }));
    const links = (await Promise.all([linksOf(a), linksOf(b)])).map(([one]) => one?.in_bytes);
    return sums[0] === links[0] && sums[1] === links[1] ? sums[0] : undefined;
  });
  assert.ok((total ?? 0) > 500, `${total}`);

  const shown = await ask(a.dataDir, "network.peer", { peer: b.ready.peer_id });
  assert.equal((shown["link"] as LinkJson).peer_id, b.ready.peer_id);
  assert.match(String(shown["name"]), /^0:0000\.[0-9A-F]{4}\.[0-9A-F]{4}$/);
  assert.equal((shown["words"] as string[]).length, 6);
  assert.deepEqual([shown["trust"], (shown["peer"] as Json)["is_connected"]], ["none", true]);
  const byName = await ask(a.dataDir, "network.peer", { peer: shown["name"] });
  assert.equal((byName["peer"] as Json)["peer_id"], b.ready.peer_id);
});

Deno.test("network.why tells what was tried, what failed, and what to do", async () => {
  await using a = await startDaemon();
  let address: string;
  let peer: string;
  {
    await using b = await startDaemon();
    [address, peer] = [addressOf(b), b.ready.peer_id];
    const nobody = await reportOf(a, "12D3KooWGRYZDHBembyGJQqMbYDbLAEbkSBFGkLkZpJxSfE5oyjL");
    assert.deepEqual([nobody["state"], eventsOf(nobody)], ["unknown", []]);
    assert.match(String(nobody["remedy"]), /almenad connect/);

    await act(a.dataDir, "network.connect", { peer: address });
    const report = await reportOf(a, peer);
    assert.deepEqual([report["state"], report["remedy"]], ["connected", ""]);
    assert.equal(eventsOf(report).find(({ event }) => event === "connected")?.ok, true);

    await act(a.dataDir, "network.disconnect", { peer_id: peer });
    const held = await waitFor("the end of the link", async () => {
      const report = await reportOf(a, peer);
      return report["state"] === "held" ? report : undefined;
    });
    assert.match(String(held["summary"]), /on purpose/);
    assert.ok(eventsOf(held).some(({ event }) => event === "held"));
    await act(a.dataDir, "network.connect", { peer: address });
  }
  const ended = await waitFor("the lost link", async () => {
    const report = await reportOf(a, peer);
    return report["state"] === "connected" ? undefined : report;
  });
  assert.ok(eventsOf(ended).some(({ event, ok }) => event === "disconnected" && !ok));
  await assert.rejects(act(a.dataDir, "network.connect", { peer: address }));
  const report = await reportOf(a, peer);
  const failed = eventsOf(report).find(({ event, ok }) => event === "dialled" && !ok);
  assert.match(failed?.words ?? "", /fail.*: nothing listens at that address$/);
  assert.match(String(report["remedy"]), /almenad/);
  assert.ok(
    report["state"] !== "connected" && report["state"] !== "unknown",
    JSON.stringify(report),
  );
});
