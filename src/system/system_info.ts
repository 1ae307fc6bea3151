import { readFile } from "node:fs/promises";
import os from "node:os";
import process from "node:process";

/** Name and version of the operating system, contract 1.1. */
export interface SystemInfo {
  readonly osName: string;
  readonly osVersion: string;
}

/** Reads what the system says of itself; unknown parts come from the kernel. */
export async function systemInfo(): Promise<SystemInfo> {
  if (process.platform === "win32") return { osName: "Windows", osVersion: os.release() };
  if (process.platform === "darwin") return { osName: "macOS", osVersion: await macVersion() };
  const text = await readFile("/etc/os-release", "utf8").catch(() => "");
  return parseOsRelease(text, { osName: os.type(), osVersion: os.release() });
}

/**
 * NAME and VERSION_ID of an os-release file (freedesktop os-release(5)).
 *
 * @param fallback Taken for what the file lacks.
 */
export function parseOsRelease(text: string, fallback: SystemInfo): SystemInfo {
  const value = (key: string) => {
    const match = new RegExp(`^${key}=(?:"((?:[^"\\\\]|\\\\.)*)"|'([^']*)'|(\\S*))$`, "m").exec(
      text,
    );
    return (match?.[1]?.replace(/\\(.)/g, "$1") ?? match?.[2] ?? match?.[3]) || undefined;
  };
  return {
    osName: value("NAME") ?? fallback.osName,
    osVersion: value("VERSION_ID") ?? fallback.osVersion,
  };
}

async function macVersion(): Promise<string> {
  const plist = "/System/Library/CoreServices/SystemVersion.plist";
  const text = await readFile(plist, "utf8").catch(() => "");
  const match = /<key>ProductVersion<\/key>\s*<string>([^<]+)<\/string>/.exec(text);
  return match?.[1] ?? os.release();
}
