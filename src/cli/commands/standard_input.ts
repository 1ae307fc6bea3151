import { buffer } from "node:stream/consumers";
import process from "node:process";

/** A value as typed, or as base64 what standard input has where `-` is typed. */
export async function valueOf(word: string): Promise<{ text: string; base64: boolean }> {
  if (word !== "-") return { text: word, base64: false };
  return { text: (await buffer(process.stdin)).toString("base64"), base64: true };
}
