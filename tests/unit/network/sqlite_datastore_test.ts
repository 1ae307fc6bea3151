import { Key } from "interface-datastore";
import assert from "node:assert/strict";
import { SqliteDatastore } from "../../../src/network/dht/sqlite_datastore.ts";

/** Less than the real ones, so that they are reached at once. */
const LIMITS = { rows: 2_000, bytes: 2 ** 20 };
/** The limits are looked at with every so many writes. */
const SWEEP_EVERY = 256;

function recordKey(at: number): Key {
  return new Key(`/dht/record/${at}`);
}

async function countOf(store: SqliteDatastore, prefix: string): Promise<number> {
  let count = 0;
  for await (const _key of store.queryKeys({ prefix })) count++;
  return count;
}

Deno.test("SqliteDatastore keeps what was put, by prefix, and forgets what was deleted", async () => {
  const store = new SqliteDatastore(":memory:");
  store.put(new Key("/a/1"), Uint8Array.of(1));
  store.put(new Key("/b/1"), Uint8Array.of(2));
  store.put(new Key("/a/1"), Uint8Array.of(3));
  assert.deepEqual([...store.get(new Key("/a/1"))], [3]);
  assert.equal(await countOf(store, "/a"), 1);
  store.delete(new Key("/a/1"));
  assert.equal(store.has(new Key("/a/1")), false);
  assert.throws(() => store.get(new Key("/a/1")), { name: "NotFoundError" });
  store.close();
});

Deno.test("SqliteDatastore drops the oldest records of a peer that fills the DHT, and nothing else", async () => {
  const store = new SqliteDatastore(":memory:", LIMITS);
  store.put(new Key("/peers/one"), Uint8Array.of(1));
  const last = 3 * LIMITS.rows - 1;
  for (let at = 0; at <= last; at++) store.put(recordKey(at), Uint8Array.of(1));
  const kept = await countOf(store, "/dht/");
  assert.ok(kept < LIMITS.rows + SWEEP_EVERY && kept >= LIMITS.rows, `${kept} records`);
  assert.equal(store.has(recordKey(last)), true);
  assert.equal(store.has(recordKey(last - LIMITS.rows + 1)), true);
  assert.equal(store.has(recordKey(0)), false);
  assert.equal(store.has(new Key("/peers/one")), true);
  store.close();
});

Deno.test("SqliteDatastore bounds the bytes of records", async () => {
  const store = new SqliteDatastore(":memory:", LIMITS);
  const value = new Uint8Array(4_096);
  for (let at = 0; at < 4 * SWEEP_EVERY; at++) store.put(recordKey(at), value);
  const bytes = await countOf(store, "/dht/") * value.length;
  assert.ok(bytes <= LIMITS.bytes, `${bytes} bytes`);
  assert.equal(store.has(recordKey(4 * SWEEP_EVERY - 1)), true);
  store.close();
});
