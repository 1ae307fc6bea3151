import { spawn } from "node:child_process";
import process from "node:process";
import { pause } from "../core/mod.ts";

/** A program that ends with an error does so by then; one that goes on has opened something. */
const SETTLE_MS = 3_000;

/** What the choice of a program depends on. */
export interface BrowserInput {
  /** `process.platform` of the system. */
  platform: string;
  env: Readonly<Record<string, string | undefined>>;
}

/**
 * The programs that open an address in the user's browser, best first; none on a Unix system
 * without a display, where a browser of text would want the terminal.
 */
export function browserCommands(url: string, { platform, env }: BrowserInput): string[][] {
  if (platform === "win32") return [["rundll32", "url.dll,FileProtocolHandler", url]];
  if (platform === "darwin") return [["open", url]];
  // The Windows side of WSL has the browser.
  if (env["WSL_DISTRO_NAME"]) return [["wslview", url], ["xdg-open", url]];
  if (!env["DISPLAY"] && !env["WAYLAND_DISPLAY"]) return [];
  return [["xdg-open", url], ["gio", "open", url], ["x-www-browser", url]];
}

/**
 * Opens an address in the user's browser, if there is one.
 *
 * @returns Whether a program took it; never rejects.
 */
export async function openInBrowser(
  url: string,
  input: BrowserInput = { platform: process.platform, env: process.env },
): Promise<boolean> {
  for (const command of browserCommands(url, input)) {
    if (await isTaken(command)) return true;
  }
  return false;
}

async function isTaken([program = "", ...args]: readonly string[]): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const settled = new AbortController();
  try {
    // Out of our group and without our terminal: a browser outlives the command.
    const child = spawn(program, args, { detached: true, stdio: "ignore" });
    child.once("error", () => resolve(false));
    child.once("exit", (code) => resolve(code === 0));
    child.unref();
  } catch {
    return false;
  }
  const waited = pause(SETTLE_MS, settled.signal).then(() => true);
  const isOpen = await Promise.race([promise, waited]);
  settled.abort();
  return isOpen;
}
