/** Debian's Chromium in front of the page, on any host of a test network. */
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { findProgram, type Need } from "./needs.ts";
import { tempFolder } from "./temp_folder.ts";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-dev-shm-usage",
];

/** A browser that tests can drive. */
export function chromiumNeed(): Need {
  return { name: "chromium", isMet: findProgram("chromium") !== undefined };
}

/** A browser with a profile of its own; dispose of it. */
export class PageBrowser implements AsyncDisposable {
  readonly #browser: Browser;
  readonly #folder: AsyncDisposable;

  private constructor(browser: Browser, folder: AsyncDisposable) {
    this.#browser = browser;
    this.#folder = folder;
  }

  /** Starts one. @param netns Network namespace it lives in. */
  static async start(
    init: { netns?: string; flags?: readonly string[] } = {},
  ): Promise<PageBrowser> {
    const folder = await tempFolder();
    const program = join(folder.path, "chromium");
    const within = init.netns ? `ip netns exec ${init.netns} ` : "";
    await writeFile(program, `#!/bin/sh\nexec ${within}${findProgram("chromium")} "$@"\n`);
    await chmod(program, 0o700);
    const browser = await chromium.launch({
      executablePath: program,
      args: [...FLAGS, ...init.flags ?? []],
      timeout: 30_000,
      env: { HOME: folder.path, PATH: Deno.env.get("PATH") ?? "" },
    });
    return new PageBrowser(browser, folder);
  }

  /** Opens an address in a window of its own, with cookies of its own. */
  async open(url: string, options: BrowserContextOptions = {}): Promise<Page> {
    const context = await this.#browser.newContext({
      viewport: { width: 1_280, height: 860 },
      locale: "en-GB",
      ...options,
    });
    const page = await context.newPage();
    page.setDefaultTimeout(15_000);
    await page.goto(url);
    return page;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
    await this.#folder[Symbol.asyncDispose]();
  }
}
