import assert from "node:assert/strict";
import type { MultiaddrConnection, PeerId } from "@libp2p/interface";
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import {
  Admission,
  HOST_BURST,
  HOST_RATE,
  MAX_CONNECTIONS_PER_PEER,
  MAX_PENDING,
  MAX_PENDING_LOOPBACK,
  MAX_PENDING_PER_HOST,
  MAX_PENDING_PER_SUBNET,
  RESERVED_PENDING,
} from "../../../src/network/admission.ts";
import { FakeClock } from "../../support/fake_clock.ts";

/** As much of a socket as admission looks at. */
class FakeSocket extends EventEmitter {
  destroyed = false;

  constructor(readonly remoteAddress: string | undefined) {
    super();
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.emit("close");
  }
}

function newAdmission(init: { maxSockets?: number; known?: string[]; connections?: number } = {}) {
  const clock = new FakeClock();
  const admission = new Admission({
    monotonic: () => clock.monotonic(),
    isKnownHost: (host) => init.known?.includes(host) ?? false,
    connectionsOf: () => init.connections ?? 0,
  }, { maxSockets: init.maxSockets ?? 1_000 });
  const sockets: FakeSocket[] = [];
  const accept = (host: string | undefined): boolean => {
    const socket = new FakeSocket(host);
    sockets.push(socket);
    return admission.acceptSocket(socket as unknown as Socket);
  };
  const upgrade = (socket: FakeSocket) =>
    admission.gater().denyInboundUpgradedConnection?.(
      {} as PeerId,
      { socket } as unknown as MultiaddrConnection,
    );
  return { admission, accept, sockets, upgrade, clock };
}

/** The n-th address of a /24 that no other number shares. */
function hostOf(n: number): string {
  return `10.0.${n}.1`;
}

Deno.test("Admission has 2 handshakes a host, and the slowest makes room", () => {
  const { admission, accept, sockets } = newAdmission();
  for (let n = 0; n < 5; n++) assert.equal(accept("192.0.2.1"), true);
  assert.equal(MAX_PENDING_PER_HOST, 2);
  assert.deepEqual(sockets.map(({ destroyed }) => destroyed), [true, true, true, false, false]);
  assert.deepEqual([admission.pendingCount, admission.socketCount], [2, 2]);
  assert.equal(admission.refused.evicted, 3);
  assert.equal(accept("192.0.2.2"), true); // another host is not touched by that
  assert.equal(sockets[4]!.destroyed, false);
});

Deno.test("Admission counts an IPv4 host on a dual-stack socket as that host", () => {
  const { admission, accept } = newAdmission();
  for (const host of ["192.0.2.1", "::ffff:192.0.2.1", "::FFFF:192.0.2.1"]) accept(host);
  assert.equal(admission.pendingCount, MAX_PENDING_PER_HOST);
});

Deno.test("Admission has 8 handshakes a subnet: /24 of IPv4, /64 of IPv6", () => {
  assert.equal(MAX_PENDING_PER_SUBNET, 8);
  const subnets: ((n: number) => string)[] = [
    (n) => `192.0.2.${n}`,
    (n) => `2001:db8:1:2::${n}`,
    (n) => `2001:db8:1:2:${n}:0:0:1`,
    (n) => `2001:db8::${n}:1:1:1:1`,
    (n) => `fe80::${n}%eth0`,
  ];
  for (const addressOf of subnets) {
    const { admission, accept, sockets } = newAdmission();
    for (let n = 1; n <= 12; n++) accept(addressOf(n));
    const isSameSubnet = addressOf(1) !== "2001:db8::1:1:1:1:1";
    assert.equal(admission.pendingCount, isSameSubnet ? 8 : 12, addressOf(1));
    if (isSameSubnet) {
      assert.deepEqual(sockets.slice(0, 4).map(({ destroyed }) => destroyed), [
        true,
        true,
        true,
        true,
      ]);
    }
  }
});

Deno.test("Admission has 28 handshakes of strangers, and 4 more for known hosts", () => {
  const known = ["198.51.100.1", "198.51.101.1", "198.51.102.1", "198.51.103.1"];
  const { admission, accept, sockets } = newAdmission({ known });
  for (let n = 0; n < 100; n++) assert.equal(accept(hostOf(n)), true);
  assert.deepEqual([MAX_PENDING, RESERVED_PENDING, admission.pendingCount], [32, 4, 28]);
  const evicted = sockets.filter(({ destroyed }) => destroyed).length;
  assert.equal(evicted, 72);
  for (const host of known) assert.equal(accept(host), true);
  assert.equal(admission.pendingCount, 32);
  assert.equal(sockets.filter(({ destroyed }) => destroyed).length, evicted); // none was evicted
  for (let n = 100; n < 150; n++) accept(hostOf(n));
  const knownSockets = sockets.filter(({ remoteAddress }) => known.includes(remoteAddress!));
  assert.ok(knownSockets.every(({ destroyed }) => !destroyed));
});

Deno.test("Admission lets a known host evict a stranger when all places are taken", () => {
  const known = Array.from({ length: 10 }, (_, n) => `198.51.${n}.1`);
  const { admission, accept, sockets } = newAdmission({ known });
  for (let n = 0; n < 28; n++) accept(hostOf(n));
  for (const host of known) assert.equal(accept(host), true);
  assert.equal(admission.pendingCount, MAX_PENDING);
  assert.deepEqual(
    sockets.filter(({ destroyed }) => destroyed).map(({ remoteAddress }) => remoteAddress),
    Array.from({ length: 6 }, (_, n) => hostOf(n)),
  );
});

Deno.test("Admission has 16 handshakes on loopback, where several daemons share one address", () => {
  for (const host of ["127.0.0.1", "::1", "127.0.0.53"]) {
    const { admission, accept } = newAdmission();
    for (let n = 0; n < 100; n++) assert.equal(accept(host), true);
    assert.equal(admission.pendingCount, MAX_PENDING_LOOPBACK);
  }
});

Deno.test("Admission refuses a host that connects too often, for it alone", async () => {
  const { admission, accept, sockets, clock, upgrade } = newAdmission();
  const knock = (host: string) => {
    const isAccepted = accept(host);
    if (isAccepted) upgrade(sockets.at(-1)!);
    sockets.at(-1)!.destroy();
    return isAccepted;
  };
  const burst = Array.from({ length: 100 }, () => knock("192.0.2.1"));
  assert.equal(burst.filter(Boolean).length, HOST_BURST);
  assert.equal(admission.refused.rate, 60);
  assert.equal(knock("192.0.2.2"), true);
  await clock.advance(1_000);
  const later = Array.from({ length: 100 }, () => knock("192.0.2.1"));
  assert.equal(later.filter(Boolean).length, HOST_RATE);
  await clock.advance(60_000);
  const rested = Array.from({ length: 100 }, () => knock("192.0.2.1"));
  assert.equal(rested.filter(Boolean).length, HOST_BURST);
});

Deno.test("Admission has no rate for loopback", () => {
  const { admission, accept, sockets } = newAdmission();
  for (let n = 0; n < 5_000; n++) {
    assert.equal(accept("127.0.0.1"), true);
    sockets.pop()!.destroy();
  }
  assert.deepEqual([admission.pendingCount, admission.socketCount], [0, 0]);
});

Deno.test("Admission remembers the rates of so many hosts only", () => {
  const { accept, sockets } = newAdmission();
  for (let n = 0; n < HOST_BURST + 1; n++) {
    accept("192.0.2.1");
    sockets.pop()!.destroy();
  }
  assert.equal(accept("192.0.2.1"), false);
  for (let n = 0; n < 5_000; n++) {
    accept(`10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`);
    sockets.pop()!.destroy();
  }
  assert.equal(accept("192.0.2.1"), true); // forgotten: the longest unseen went first
});

Deno.test("Admission refuses sockets over the cap, handshakes done included", () => {
  const { admission, accept, sockets, upgrade } = newAdmission({ maxSockets: 3 });
  for (let n = 0; n < 3; n++) {
    assert.equal(accept(hostOf(n)), true);
    upgrade(sockets[n]!);
  }
  assert.deepEqual([admission.pendingCount, admission.socketCount], [0, 3]);
  assert.equal(accept(hostOf(4)), false);
  assert.equal(admission.refused.full, 1);
  sockets[0]!.destroy();
  assert.equal(accept(hostOf(5)), true);
});

Deno.test("Admission forgets sockets that close, whatever stage they were in", () => {
  const { admission, accept, sockets, upgrade } = newAdmission();
  for (let n = 0; n < 6; n++) accept(hostOf(n));
  upgrade(sockets[0]!);
  for (const socket of sockets) socket.destroy();
  assert.deepEqual([admission.pendingCount, admission.socketCount], [0, 0]);
});

Deno.test("Admission refuses a socket that is gone already", () => {
  assert.equal(newAdmission().accept(undefined), false);
});

Deno.test("Admission denies a peer its fifth connection", async () => {
  for (const [connections, isDenied] of [[3, false], [4, true], [10, true]] as const) {
    const { admission } = newAdmission({ connections });
    const peerId = { toString: () => "12D3KooWpeer" } as PeerId;
    const denied = await admission.gater().denyInboundEncryptedConnection?.(
      peerId,
      {} as MultiaddrConnection,
    );
    assert.equal(denied, isDenied);
    assert.equal(admission.refused.per_peer, isDenied ? 1 : 0);
  }
  assert.equal(MAX_CONNECTIONS_PER_PEER, 4);
});
