import assert from "node:assert/strict";
import { generateKeyPair, privateKeyToProtobuf } from "@libp2p/crypto/keys";
import { chmod, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { DamagedIdentityError, loadIdentity } from "../../../src/network/identity.ts";
import { tempFolder } from "../../support/temp_folder.ts";

/** A folder with an identity, and the path of its file. */
async function withIdentity(
  run: (
    parts: { folder: string; path: string; peerId: string; bytes: Uint8Array },
  ) => Promise<void>,
): Promise<void> {
  await using temp = await tempFolder();
  const { peerId } = await loadIdentity(temp.path);
  const path = join(temp.path, "identity.key");
  await run({ folder: temp.path, path, peerId, bytes: new Uint8Array(await readFile(path)) });
}

/** Loading is refused, names file and remedy, and changes nothing. */
async function assertRefused(folder: string, reason: RegExp): Promise<void> {
  const path = join(folder, "identity.key");
  const before = new Uint8Array(await readFile(path));
  await assert.rejects(loadIdentity(folder), (failure) => {
    assert.ok(failure instanceof DamagedIdentityError, String(failure));
    assert.equal(failure.code, "data_loss");
    assert.ok(failure.message.startsWith(`Cannot use identity ${path}: `), failure.message);
    assert.match(failure.message, reason);
    assert.match(failure.message, /; (run: chmod 600|restore it from a backup, or move it away)/);
    return true;
  });
  assert.deepEqual(new Uint8Array(await readFile(path)), before);
  assert.deepEqual(await readdir(folder), ["identity.key"]);
}

Deno.test("loadIdentity() makes an Ed25519 key once, mode 0600, and then keeps it", () =>
  withIdentity(async ({ folder, path, peerId, bytes }) => {
    assert.match(peerId, /^12D3KooW/); // Ed25519
    assert.equal(bytes.length, 68); // libp2p protobuf: type, length, 64 bytes
    assert.deepEqual([...bytes.subarray(0, 4)], [0x08, 0x01, 0x12, 0x40]);
    if (process.platform !== "win32") assert.equal((await stat(path)).mode & 0o777, 0o600);
    const again = await loadIdentity(folder);
    assert.equal(again.peerId, peerId);
    assert.equal(again.privateKey.type, "Ed25519");
    assert.deepEqual(await readdir(folder), ["identity.key"]);
  }));

Deno.test("loadIdentity() makes another key in another folder", () =>
  withIdentity(async ({ peerId }) => {
    await withIdentity(({ peerId: other }) => Promise.resolve(assert.notEqual(other, peerId)));
  }));

Deno.test("loadIdentity() refuses a file that was cut off, at every length", () =>
  withIdentity(async ({ folder, path, bytes }) => {
    for (let length = 0; length < bytes.length; length++) {
      await writeFile(path, bytes.subarray(0, length));
      await assertRefused(folder, /it is not a private key|does not belong/);
    }
  }));

Deno.test("loadIdentity() refuses a file of zeros, of noise and of too many bytes", () =>
  withIdentity(async ({ folder, path, bytes }) => {
    await writeFile(path, new Uint8Array(bytes.length));
    await assertRefused(folder, /it is not a private key|it holds/);
    await writeFile(path, crypto.getRandomValues(new Uint8Array(68)));
    await assertRefused(folder, /it is not a private key|it holds|does not belong/);
    await writeFile(path, new Uint8Array(5_000));
    await assertRefused(folder, /it has 5000 bytes/);
  }));

Deno.test("loadIdentity() refuses a file with any one bit flipped, or gives the same peer id", () =>
  withIdentity(async ({ folder, path, peerId, bytes }) => {
    for (let bit = 0; bit < bytes.length * 8; bit += 3) {
      const damaged = bytes.slice();
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      await writeFile(path, damaged);
      const outcome = await loadIdentity(folder).catch((failure) => failure);
      if (outcome instanceof DamagedIdentityError) continue;
      assert.equal(outcome.peerId, peerId, `bit ${bit}: ${outcome}`);
    }
  }));

Deno.test("loadIdentity() refuses a key whose halves do not belong together", () =>
  withIdentity(async ({ folder, path, bytes }) => {
    await withIdentity(async ({ bytes: other }) => {
      const mixed = bytes.slice();
      mixed.set(other.subarray(36), 36);
      await writeFile(path, mixed);
      await assertRefused(folder, /its public key does not belong to its private key/);
    });
  }));

Deno.test("loadIdentity() refuses keys of other types", () =>
  withIdentity(async ({ folder, path }) => {
    for (const type of ["RSA", "secp256k1"] as const) {
      const key = type === "RSA"
        ? await generateKeyPair("RSA", 2_048)
        : await generateKeyPair(type);
      await writeFile(path, privateKeyToProtobuf(key));
      await assertRefused(folder, new RegExp(`it holds a ${type} key, not Ed25519`));
    }
  }));

Deno.test({
  name: "loadIdentity() refuses a file that others can read, and names the fix",
  ignore: process.platform === "win32",
  fn: () =>
    withIdentity(async ({ folder, path, peerId }) => {
      for (const mode of [0o604, 0o640, 0o644, 0o666, 0o602, 0o610]) {
        await chmod(path, mode);
        const rights = mode.toString(8);
        await assertRefused(
          folder,
          new RegExp(`mode ${rights}\\); run: chmod 600 ".*identity.key"`),
        );
      }
      await chmod(path, 0o400);
      assert.equal((await loadIdentity(folder)).peerId, peerId);
    }),
});

Deno.test("loadIdentity() says which file it cannot read or write", async () => {
  await using temp = await tempFolder();
  const message = /identity.key: .*; make/;
  await mkdir(join(temp.path, "identity.key"));
  await assert.rejects(loadIdentity(temp.path), (failure: Error) => {
    assert.match(failure.message, /identity\.key/);
    return true;
  });
  const absent = loadIdentity(join(temp.path, "absent"));
  await assert.rejects(absent, { code: "permission_denied", message });
});
