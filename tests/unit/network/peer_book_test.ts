import assert from "node:assert/strict";
import fc from "fast-check";
import { isLan, PeerBook, type PeerGeo } from "../../../src/network/mod.ts";
import { MAX_ADDRESSES_PER_PEER, MAX_PEERS } from "../../../src/network/peer_book.ts";
import { FakeClock } from "../../support/fake_clock.ts";

const SELF = "12D3KooWself";
const LAN = "/ip4/192.168.1.5/tcp/4001";
const INTERNET = "/ip4/8.8.8.8/tcp/4001";
const GEO: PeerGeo = {
  ip: "8.8.8.8",
  city: "",
  region: "",
  countryCode: "US",
  countryName: "United States",
  timezone: "",
  latitude: 0,
  longitude: 0,
};

function newBook() {
  const clock = new FakeClock();
  const published: string[] = [];
  const book = new PeerBook({
    events: {
      publish: (topic, payload) =>
        void published.push(`${topic} ${(payload as { peerId: string }).peerId}`),
    },
    isLan,
    monotonic: () => clock.monotonic(),
  }, { selfId: SELF });
  return { book, clock, published };
}

/** What a reader sees of a peer, in short. */
function seen(book: PeerBook, peerId = "p") {
  const { addresses, isInternal, isConnected, isSelf } = book.get(peerId) ?? assert.fail(peerId);
  return { addresses: [...addresses], isInternal, isConnected, isSelf };
}

// Contract 1.5, row by row: entry absent, then entry present.

Deno.test("PeerBook.setOwnAddresses() makes the self entry", () => {
  const { book, published } = newBook();
  book.setOwnAddresses([LAN]);
  const own = { addresses: [LAN], isInternal: true, isConnected: true, isSelf: true };
  assert.deepEqual(seen(book, SELF), own);
  assert.deepEqual(published, []); // nobody was discovered
});

Deno.test("PeerBook.setOwnAddresses() adds and removes addresses of the self entry", () => {
  const { book } = newBook();
  book.setOwnAddresses([LAN, INTERNET]);
  book.setOwnAddresses([INTERNET, `${LAN}/p2p/${SELF}`, LAN]);
  assert.deepEqual(seen(book, SELF).addresses, [INTERNET, LAN]);
  book.setOwnAddresses([]);
  const none = { addresses: [], isInternal: true, isConnected: true, isSelf: true };
  assert.deepEqual(seen(book, SELF), none);
});

Deno.test("PeerBook.connectionOpened() makes an entry, internal when the remote is on the LAN", () => {
  const table: [remote: string, isInternal: boolean][] = [
    [LAN, true],
    ["/ip4/10.1.2.3/tcp/1", true],
    ["/ip6/fe80::1/tcp/1", true],
    ["/ip6/fd00::1/tcp/1", true],
    ["/ip4/127.0.0.1/tcp/1", true],
    [INTERNET, false],
    ["/ip4/172.32.0.1/tcp/1", false],
    ["/ip6/2001:4860:4860::8888/tcp/1", false],
    ["/dns4/example.org/tcp/1", false],
  ];
  for (const [remote, isInternal] of table) {
    const { book } = newBook();
    book.connectionOpened("p", `${remote}/p2p/p`);
    const expected = { addresses: [remote], isInternal, isConnected: true, isSelf: false };
    assert.deepEqual(seen(book), expected);
  }
});

Deno.test("PeerBook.connectionOpened() adds the remote and counts connections", () => {
  const { book, published } = newBook();
  book.connectionOpened("p", INTERNET);
  book.connectionOpened("p", INTERNET);
  book.connectionOpened("p", LAN);
  const both = { addresses: [INTERNET, LAN], isInternal: true, isConnected: true, isSelf: false };
  assert.deepEqual(seen(book), both);
  book.connectionClosed("p");
  book.connectionClosed("p");
  assert.equal(book.isConnected("p"), true);
  book.connectionClosed("p");
  assert.equal(book.isConnected("p"), false);
  const topics = ["peer.discovered p", "peer.connected p", "peer.disconnected p"];
  assert.deepEqual(published, topics);
});

Deno.test("PeerBook.connectionOpened() keeps an earlier proof of the LAN while it is valid", () => {
  const { book } = newBook();
  book.mdnsDiscovered("p", [LAN]);
  book.connectionOpened("p", INTERNET);
  assert.equal(seen(book).isInternal, true); // mDNS still hears it
  book.connectionClosed("p");
  book.mdnsExpired("p");
  book.connectionOpened("p", INTERNET);
  assert.equal(seen(book).isInternal, false); // it has moved away
  book.connectionOpened("p", LAN);
  book.connectionOpened("p", INTERNET);
  assert.equal(seen(book).isInternal, true); // one of its connections is local
});

Deno.test("PeerBook.connectionClosed() ignores strangers and surplus closes, and keeps the entry", () => {
  const { book, published } = newBook();
  book.connectionClosed("p");
  assert.equal(book.get("p"), undefined);
  book.connectionOpened("p", LAN);
  book.connectionClosed("p");
  book.connectionClosed("p");
  const kept = { addresses: [LAN], isInternal: true, isConnected: false, isSelf: false };
  assert.deepEqual(seen(book), kept);
  assert.equal(published.filter((line) => line === "peer.disconnected p").length, 1);
});

Deno.test("PeerBook.mdnsDiscovered() makes an internal entry that is not connected", () => {
  const { book, published } = newBook();
  book.mdnsDiscovered("p", [`${INTERNET}/p2p/p`, LAN, LAN]);
  const found = {
    addresses: [INTERNET, LAN],
    isInternal: true,
    isConnected: false,
    isSelf: false,
  };
  assert.deepEqual(seen(book), found);
  assert.deepEqual(published, ["peer.discovered p"]);
});

Deno.test("PeerBook.mdnsDiscovered() adds addresses and makes the entry internal", () => {
  const { book, published } = newBook();
  book.connectionOpened("p", INTERNET);
  book.mdnsDiscovered("p", [LAN]);
  const both = { addresses: [INTERNET, LAN], isInternal: true, isConnected: true, isSelf: false };
  assert.deepEqual(seen(book), both);
  assert.equal(published.filter((line) => line.startsWith("peer.discovered")).length, 1);
});

Deno.test("PeerBook.mdnsExpired() ignores strangers", () => {
  const { book } = newBook();
  book.mdnsExpired("p");
  assert.equal(book.size, 0);
});

Deno.test("PeerBook.mdnsExpired() drops what mDNS alone told, and keeps entry and connection", () => {
  const { book } = newBook();
  book.mdnsDiscovered("p", [LAN, "/ip4/192.168.1.5/tcp/5"]);
  book.connectionOpened("p", INTERNET);
  book.connectionOpened("p", LAN);
  book.mdnsExpired("p");
  const kept = { addresses: [LAN, INTERNET], isInternal: true, isConnected: true, isSelf: false };
  assert.deepEqual(seen(book), kept);
});

Deno.test("PeerBook.mdnsExpired() leaves a peer that was never connected without address", () => {
  const { book } = newBook();
  book.mdnsDiscovered("p", [LAN]);
  book.mdnsExpired("p");
  assert.deepEqual(seen(book).addresses, []);
  assert.equal(book.isConnected("p"), false);
});

Deno.test("PeerBook.geoReceived() sets the location of a known peer", () => {
  const { book } = newBook();
  book.geoReceived("p", GEO);
  assert.equal(book.get("p"), undefined);
  book.connectionOpened("p", INTERNET);
  assert.equal("geo" in book.get("p")!, false);
  book.geoReceived("p", GEO);
  assert.deepEqual(book.get("p")!.geo, GEO);
});

Deno.test("PeerBook ignores news about its own peer id", () => {
  const { book, published } = newBook();
  book.setOwnAddresses([LAN]);
  book.connectionOpened(SELF, INTERNET);
  book.mdnsDiscovered(SELF, [INTERNET]);
  book.mdnsExpired(SELF);
  book.connectionClosed(SELF);
  const own = { addresses: [LAN], isInternal: true, isConnected: true, isSelf: true };
  assert.deepEqual(seen(book, SELF), own);
  assert.deepEqual(published, []);
});

Deno.test("PeerBook.list() is self first, then connected peers, then by peer id", () => {
  const { book } = newBook();
  for (const peerId of ["d", "b", "a", "c"]) book.mdnsDiscovered(peerId, [LAN]);
  book.connectionOpened("c", LAN);
  book.connectionOpened("b", LAN);
  book.setOwnAddresses([LAN]);
  assert.deepEqual(book.list().map(({ peerId }) => peerId), [SELF, "b", "c", "a", "d"]);
  const ids = (connected: boolean) => book.list({ connected }).map(({ peerId }) => peerId);
  assert.deepEqual(ids(true), [SELF, "b", "c"]);
  assert.deepEqual(ids(false), ["a", "d"]);
  assert.deepEqual([book.size, book.connectedCount], [5, 2]);
});

Deno.test("PeerBook.list() is the same list until something changes, and never an old one", () => {
  const steps: Record<string, (book: PeerBook, peer: string) => void> = {
    opened: (book, peer) => book.connectionOpened(peer, LAN),
    openedAbroad: (book, peer) => book.connectionOpened(peer, INTERNET),
    closed: (book, peer) => book.connectionClosed(peer),
    heard: (book, peer) => book.mdnsDiscovered(peer, [LAN]),
    expired: (book, peer) => book.mdnsExpired(peer),
    located: (book, peer) => book.geoReceived(peer, GEO),
    moved: (book) => book.setOwnAddresses([INTERNET]),
  };
  const step = fc.record({
    what: fc.constantFrom(...Object.keys(steps)),
    peer: fc.constantFrom("a", "b"),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 30 }), (taken) => {
    const { book } = newBook();
    for (const { what, peer } of taken) {
      steps[what]?.(book, peer);
      for (const one of book.list()) assert.deepEqual(one, book.get(one.peerId));
      assert.equal(book.list().length, book.size);
      const connected = book.list({ connected: true });
      assert.deepEqual(connected, book.list().filter(({ isConnected }) => isConnected));
      assert.equal(book.list({ connected: true }), connected);
    }
  }));
  const { book } = newBook();
  book.mdnsDiscovered("a", [LAN]);
  const before = book.list();
  book.mdnsDiscovered("a", [LAN]);
  assert.equal(book.list(), before, "an announcement without news");
});

Deno.test("PeerBook keeps 32 addresses a peer, the latest", () => {
  const { book } = newBook();
  const addresses = Array.from({ length: 100 }, (_, n) => `/ip4/10.0.0.${n}/tcp/1`);
  book.mdnsDiscovered("p", addresses);
  assert.equal(MAX_ADDRESSES_PER_PEER, 32);
  assert.deepEqual(seen(book).addresses, addresses.slice(-32));
});

Deno.test("PeerBook keeps 4,096 entries and drops the longest disconnected first", async () => {
  const { book, clock } = newBook();
  book.setOwnAddresses([LAN]);
  book.connectionOpened("connected", LAN);
  for (let n = 0; n < MAX_PEERS - 2; n++) book.mdnsDiscovered(`stranger${n}`, [LAN]);
  assert.deepEqual([MAX_PEERS, book.size, book.dropped], [4_096, 4_096, 0]);
  await clock.advance(1_000);
  book.connectionOpened("stranger0", LAN);
  book.connectionClosed("stranger0"); // no longer the longest disconnected
  for (let n = 0; n < 3; n++) book.mdnsDiscovered(`new${n}`, [LAN]);
  assert.deepEqual([book.size, book.dropped], [4_096, 3]);
  const gone = ["stranger1", "stranger2", "stranger3"];
  for (const peerId of gone) assert.equal(book.get(peerId), undefined, peerId);
  for (const peerId of [SELF, "connected", "stranger0", "stranger4", "new2"]) {
    assert.ok(book.get(peerId), peerId);
  }
});

Deno.test("PeerBook hands out snapshots that nobody can change and that do not change", () => {
  const { book } = newBook();
  book.connectionOpened("p", LAN);
  const before = book.get("p")!;
  assert.throws(() => (before as { isConnected: boolean }).isConnected = false, TypeError);
  assert.throws(() => (before.addresses as string[]).push("x"), TypeError);
  book.connectionClosed("p");
  book.mdnsDiscovered("p", [INTERNET]);
  assert.deepEqual([before.isConnected, before.addresses], [true, [LAN]]);
});

Deno.test("PeerBook.list() shows no torn entry in 1,000 reads during 1,000 events", async () => {
  const { book } = newBook();
  // In every state that stands still the geo tells how many addresses a peer has.
  const change = async (n: number) => {
    await Promise.resolve();
    const peerId = `p${n % 10}`;
    book.connectionOpened(peerId, `/ip4/10.0.${n % 7}.1/tcp/${n + 1}`);
    const { addresses } = book.get(peerId)!;
    book.geoReceived(peerId, {
      ...GEO,
      city: String(addresses.length),
      latitude: addresses.length,
    });
    if (n % 3 === 0) book.connectionClosed(peerId);
  };
  const read = async () => {
    await Promise.resolve();
    for (const { geo, addresses, peerId } of book.list()) {
      assert.equal(geo?.city, String(addresses.length), peerId);
      assert.equal(geo?.latitude, addresses.length);
    }
  };
  await Promise.all(
    Array.from({ length: 1_000 }, (_, n) => n).flatMap((n) => [change(n), read()]),
  );
});

Deno.test("PeerBook counts connections right whatever happens in whatever order", () => {
  const action = fc.tuple(
    fc.constantFrom("open", "close", "found", "expired", "geo"),
    fc.constantFrom("a", "b", SELF),
  );
  fc.assert(fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
    const { book } = newBook();
    const open = new Map<string, number>();
    for (const [what, peerId] of actions) {
      const count = open.get(peerId) ?? 0;
      if (what === "open") {
        book.connectionOpened(peerId, LAN);
        if (peerId !== SELF) open.set(peerId, count + 1);
      } else if (what === "close") {
        book.connectionClosed(peerId);
        open.set(peerId, Math.max(0, count - 1));
      } else if (what === "found") book.mdnsDiscovered(peerId, [INTERNET]);
      else if (what === "expired") book.mdnsExpired(peerId);
      else book.geoReceived(peerId, GEO);
    }
    for (const [peerId, count] of open) assert.equal(book.isConnected(peerId), count > 0);
    assert.equal(book.get(SELF), undefined);
  }));
});

Deno.test("PeerBook tells who is reached over a relay alone, and learns no host from that", () => {
  const { book } = newBook();
  const relayed = "/ip4/203.0.113.9/tcp/4001/p2p/relay/p2p-circuit";
  book.connectionOpened("far", relayed);
  assert.equal(book.get("far")?.isRelayed, true);
  assert.equal(book.knowsHost("203.0.113.9"), false);
  book.connectionOpened("far", "/ip4/198.51.100.3/tcp/4001");
  assert.equal(book.get("far")?.isRelayed, undefined);
  book.connectionClosed("far", relayed);
  assert.equal(book.get("far")?.isRelayed, undefined);
  book.connectionOpened("far", relayed);
  book.connectionClosed("far", "/ip4/198.51.100.3/tcp/4001");
  assert.equal(book.get("far")?.isRelayed, true);
  book.connectionClosed("far", relayed);
  assert.equal(book.get("far")?.isRelayed, undefined);
});
