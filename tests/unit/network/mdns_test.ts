/** The service without a socket: what it does on networks is tested in tests/e2e. */
import assert from "node:assert/strict";
import { systemRandom } from "../../../src/core/mod.ts";
import { MdnsDiscovery } from "../../../src/network/mdns.ts";
import type { Interfaces } from "../../../src/network/mdns_links.ts";
import { FakeClock } from "../../support/fake_clock.ts";

function setUp(interfaces: () => Interfaces = () => ({})) {
  const clock = new FakeClock();
  const mdns = new MdnsDiscovery({
    clock,
    random: systemRandom,
    peerId: "12D3KooWB4UkgYwtKUyHkHmEGQabSKCYcLgs5VSzZi17c54ZZnBi",
    ownAddresses: () => [],
    isKnown: () => false,
    onDiscovered: () => undefined,
    onExpired: () => undefined,
    interfaces,
  });
  return { clock, mdns };
}

Deno.test("MdnsDiscovery starts and stops, twice, and before it was started", async () => {
  const { clock, mdns } = setUp();
  await mdns.stop();
  for (let times = 0; times < 2; times++) {
    await mdns.start();
    await mdns.start();
    assert.ok(clock.pending > 0);
    await mdns.stop();
    await mdns.stop();
    assert.equal(clock.pending, 0);
  }
});

Deno.test("MdnsDiscovery.start() succeeds when the interfaces cannot be read", async () => {
  const { mdns } = setUp(() => {
    throw new TypeError("no permission");
  });
  await mdns.start();
  assert.deepEqual(mdns.status().links, []);
  await mdns.stop();
});

Deno.test("MdnsDiscovery reads the interfaces again every five seconds", async () => {
  let reads = 0;
  const { clock, mdns } = setUp(() => {
    reads++;
    return {};
  });
  await mdns.start();
  for (let round = 0; round < 3; round++) {
    await clock.advance(5_000);
  }
  assert.equal(reads, 4);
  await mdns.stop();
});
