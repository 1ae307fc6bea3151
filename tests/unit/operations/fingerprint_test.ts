import assert from "node:assert/strict";
import { fingerprintWords } from "../../../src/operations/fingerprint.ts";

Deno.test("fingerprintWords() are six words of the list, by SHA-256 of the peer id", async () => {
  const peer = "12D3KooWGRYZDHBembyGJQqMbYDbLAEbkSBFGkLkZpJxSfE5oyjL";
  const words = await fingerprintWords(peer);
  // printf %s PEER | sha256sum, its first 66 bits by eleven, as line numbers of english.txt less 1
  assert.deepEqual(words, ["olive", "oxygen", "useful", "father", "rebel", "equip"]);
  assert.deepEqual(await fingerprintWords(peer), words);
  assert.notDeepEqual(await fingerprintWords(`${peer}x`), words);
});
