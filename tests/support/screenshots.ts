/**
 * Remakes the README's pictures of the page: a daemon with three peers, each a host of a network
 * that nobody else is on, seen by a real browser.
 *
 *     deno task screenshots
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { DaemonError } from "../../src/core/mod.ts";
import { act, ask } from "./control_calls.ts";
import { type DaemonProcess, startDaemon } from "./daemon.ts";
import { Lan, requireNetns } from "./netns.ts";
import { chromiumNeed, PageBrowser } from "./page_browser.ts";
import { pageCode } from "./page_session.ts";
import { writeTree } from "./sharing/item_folder.ts";
import { LibraryDaemon } from "./sharing/library_daemon.ts";
import { noiseBytes } from "./sharing/library_node.ts";
import { waitFor } from "./wait.ts";

/** Where the pictures lie. */
export const IMAGES = fileURLToPath(new URL("../../docs/images/", import.meta.url));
const MIB = 1_024 * 1_024;
/** Slow enough that there is something to see. */
const SLOWLY = `[geolocation]\nurl = "http://127.0.0.1:9/"\n[library]\nupload_limit = ${4 * MIB}\n`;
const ITEMS = [["winter-photos", 224], ["field-recordings", 160], ["atlas", 4]] as const;
const WINDOW = { width: 1_200, height: 780 };

/** Makes all of them; gives their names. */
export async function makeScreenshots(folder: string): Promise<string[]> {
  await using stack = new AsyncDisposableStack();
  const lan = stack.use(await Lan.create(["ada", "bob", "carol", "dan"]));
  const netns = (name: string) => lan.host(name).namespace;
  const [bob, carol, dan] = await Promise.all(
    ["bob", "carol", "dan"].map((name) =>
      LibraryDaemon.start({ netns: netns(name), config: SLOWLY })
    ),
  ) as [LibraryDaemon, LibraryDaemon, LibraryDaemon];
  for (const peer of [bob, carol, dan]) stack.use(peer);
  await Promise.all([bob, carol].map(share));
  const ada = stack.use(await startDaemon({ netns: netns("ada"), hasDefaultPorts: true }));
  const browser = stack.use(await PageBrowser.start({ netns: netns("ada") }));
  await befriend(ada, bob.daemon);
  const page = await browser.open((await pageCode(ada.dataDir)).url, { viewport: WINDOW });
  await page.getByText("Signed in").waitFor();
  for (const { daemon } of [bob, carol, dan]) {
    await act(ada.dataDir, "network.ping", { peer_id: daemon.ready.peer_id });
  }
  await fetchItems(ada);
  await askForTrust(ada, [carol.daemon, dan.daemon]);
  return await takeAll(page, folder);
}

async function share(daemon: LibraryDaemon): Promise<void> {
  for (const [id, size] of ITEMS) {
    const files = { "version.ini": "version=3\n", "data.bin": noiseBytes(size * MIB, size) };
    await writeTree(join(daemon.dir, id), files);
  }
  await daemon.scan();
}

async function befriend(ada: DaemonProcess, peer: DaemonProcess): Promise<void> {
  const { ticket } = await ask(ada.dataDir, "trust.invite");
  await act(peer.dataDir, "trust.accept", { ticket, justification: "Bob's workshop" });
  await waitFor("the request", async () => {
    const { requests } = await ask(ada.dataDir, "trust.pending") as { requests: unknown[] };
    return requests.length > 0;
  });
  await act(ada.dataDir, "trust.approve", { peer: peer.ready.peer_id });
}

async function fetchItems(ada: DaemonProcess): Promise<void> {
  const begin = (id: string) =>
    waitFor(`peers that have ${id}`, async () => {
      const { items } = await ask(ada.dataDir, "library.items", { id }) as {
        items: { peers: number }[];
      };
      return items[0]?.peers === 2;
    }).then(() => act(ada.dataDir, "library.download", { id }));
  await begin("atlas");
  await begin("winter-photos");
  await begin("field-recordings");
}

async function askForTrust(ada: DaemonProcess, peers: readonly DaemonProcess[]): Promise<void> {
  const { ticket } = await ask(ada.dataDir, "trust.invite");
  const words = ["Carol's laptop, we met at the workshop", "Dan, next door: may I read along?"];
  for (const [at, { dataDir }] of peers.entries()) {
    await act(dataDir, "trust.accept", { ticket, justification: words[at] });
  }
}

async function takeAll(page: Page, folder: string): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const go = async (section: string) => {
    await page.getByRole("link", { name: section, exact: false }).first().click();
    await page.getByRole("heading", { level: 1, name: section }).waitFor();
  };
  const take = async (name: string) => {
    await page.mouse.move(0, 0);
    await page.screenshot({ path: join(folder, name), animations: "disabled" });
  };
  await go("Library");
  await waitFor(
    "pieces of two items",
    async () => await page.getByRole("progressbar").count() >= 2,
  );
  await page.getByText(/ from 2 /).first().waitFor({ timeout: 20_000 }).catch(() => undefined);
  await page.waitForTimeout(9_000); // so that there is something in the chart
  await take("page-library.png");
  await go("Network");
  await take("page-network.png");
  await go("Throughput");
  await take("page-throughput.png");
  await go("Trust");
  await take("page-trust.png");
  await page.emulateMedia({ colorScheme: "dark" });
  await go("Overview");
  await page.getByRole("img", { name: "The peer id as a QR code" }).waitFor();
  await waitFor(
    "the fingerprint",
    async () => /In words, to compare\s+[a-z]+ [a-z]+/.test(await page.locator("main").innerText()),
  );
  await take("page-overview.png");
  return ["library", "network", "throughput", "trust", "overview"].map((name) =>
    `page-${name}.png`
  );
}

if (import.meta.main) {
  if (!requireNetns("screenshots") || !chromiumNeed().isMet) {
    const message = "Cannot take screenshots: that needs root, ip and chromium; on Debian: " +
      "apt-get install iproute2 chromium, then sudo";
    throw new DaemonError("failed_precondition", message);
  }
  for (const name of await makeScreenshots(IMAGES)) {
    Deno.stdout.writeSync(new TextEncoder().encode(`docs/images/${name}\n`));
  }
}
