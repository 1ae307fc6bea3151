import { createHash } from "node:crypto";

/** Words of a fingerprint: 66 bits, too many to find a second peer id with the same ones. */
export const FINGERPRINT_WORDS = 6;
/** Bits that one of the list's 2,048 words stands for, BIP-39. */
const WORD_BITS = 11;

/**
 * Words that two people can read to each other to make sure that they mean one peer: the first 66
 * bits of SHA-256 over the text of the peer id, 11 bits a word, from the English list of BIP-39,
 * of which the first four letters tell every word from all others.
 */
export async function fingerprintWords(peerId: string): Promise<string[]> {
  const { wordlist } = await import("@scure/bip39/wordlists/english.js");
  const bits = [...createHash("sha256").update(peerId).digest()]
    .map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return Array.from({ length: FINGERPRINT_WORDS }, (_, n) => {
    const index = parseInt(bits.slice(n * WORD_BITS, (n + 1) * WORD_BITS), 2);
    return wordlist[index] ?? "";
  });
}
