import { readFileSync } from "node:fs";
import { basename } from "node:path";
import process from "node:process";

/** Whether the program was started under the name `p2pd`, by a copy or by a link. */
export function isNamedP2pd(): boolean {
  const names = [process.execPath, process.argv0];
  if (process.platform === "linux") {
    try {
      names.push(readFileSync("/proc/self/cmdline", "utf8").split("\0")[0] ?? "");
    } catch {
      // then the other names must do
    }
  }
  return names.some((name) => /^p2pd(\.exe)?$/.test(basename(name)));
}
