/** The page of real daemons, in a real browser: from the printed address to a restart. */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { act, ask } from "../support/control_calls.ts";
import { type DaemonProcess, runAlmenad, startDaemon } from "../support/daemon.ts";
import { type Need, testNeeding } from "../support/needs.ts";
import { Lan, requireNetns } from "../support/netns.ts";
import { chromiumNeed, PageBrowser } from "../support/page_browser.ts";
import { pageCode } from "../support/page_session.ts";
import { writeTree } from "../support/sharing/item_folder.ts";
import { LibraryDaemon } from "../support/sharing/library_daemon.ts";
import { noiseBytes } from "../support/sharing/library_node.ts";
import { tempFolder } from "../support/temp_folder.ts";
import { waitFor } from "../support/wait.ts";

const MIB = 1_024 * 1_024;
/** Slow enough that a bar is seen to move. */
const SLOWLY = `[geolocation]\nurl = "http://127.0.0.1:9/"\n[library]\nupload_limit = ${8 * MIB}\n`;
const REST = "127.0.0.1:7701";
const NO_DISPLAY = { DISPLAY: "", WAYLAND_DISPLAY: "", WSL_DISTRO_NAME: "" };

const TITLE = "Page: two peers, an approval, an item, a denial, a log filter and a restart";
const namespaces: Need = { name: "netns", isMet: requireNetns(TITLE) };

testNeeding([chromiumNeed(), namespaces], TITLE, async () => {
  await using stack = new AsyncDisposableStack();
  const lan = stack.use(await Lan.create(["ada", "bob", "carol"]));
  const netns = (name: string) => lan.host(name).namespace;
  const home = stack.use(await tempFolder());
  const [bob, carol] = await Promise.all(
    ["bob", "carol"].map((name) => LibraryDaemon.start({ netns: netns(name), config: SLOWLY })),
  ) as [LibraryDaemon, LibraryDaemon];
  stack.use(bob);
  stack.use(carol);
  await Promise.all([bob, carol].map(share));
  const init = { netns: netns("ada"), dataDir: home.path, args: ["--rest-addr", REST] };
  const ada = await startDaemon(init);
  let running = ada;
  stack.defer(async () => void await running.stop());
  const browser = stack.use(await PageBrowser.start({ netns: netns("ada") }));

  const page = await browser.open(await printedAddress(ada, netns("ada")));
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  await firstVisit(page);
  await twoPeers(page, [bob.daemon, carol.daemon]);
  await approvedByKeyboard(page, ada, carol.daemon);
  await acceptedByClick(page, bob.daemon);
  await fetched(page);
  await explained(page, carol.daemon);
  await filtered(page);
  running = await restarted(page, ada, () => startDaemon(init));
  assert.deepEqual(problems, []);
});

async function share(daemon: LibraryDaemon): Promise<void> {
  const content = noiseBytes(32 * MIB, 5);
  await writeTree(join(daemon.dir, "winter"), { "version.ini": "version=7\n", "a.bin": content });
  await daemon.scan();
}

async function printedAddress({ dataDir }: DaemonProcess, netns: string): Promise<string> {
  const words = ["--data-dir", dataDir, "dashboard", "--no-open"];
  const { code, stdout, stderr } = await runAlmenad(words, { env: NO_DISPLAY, netns });
  assert.equal(code, 0, stderr);
  return stdout.trim();
}

async function go(page: Page, section: string): Promise<void> {
  await page.getByRole("link", { name: section, exact: false }).first().click();
  await page.getByRole("heading", { level: 1, name: section }).waitFor();
}

async function firstVisit(page: Page): Promise<void> {
  await page.getByText("Signed in").waitFor();
  await page.locator("main").getByText("All is well").waitFor();
  assert.match(page.url(), /^http:\/\/127\.0\.0\.1:7701\/#\/overview$/, "the code stays nowhere");
  await page.getByRole("img", { name: "The peer id as a QR code" }).waitFor();
  assert.match(await page.title(), /^Overview – almenad/);
}

async function twoPeers(page: Page, peers: readonly DaemonProcess[]): Promise<void> {
  await go(page, "Network");
  for (const { ready } of peers) {
    const mark = ready.peer_id.slice(-6);
    const node = page.getByRole("link", {
      name: new RegExp(`^…${mark}, connected, local network`),
    });
    await node.waitFor();
    await page.getByRole("cell").getByRole("link", { name: mark }).waitFor(); // the table says so too
  }
  const [{ ready }] = peers as [DaemonProcess];
  await page.locator(".map").getByRole("link", { name: ready.peer_id.slice(-6) }).click();
  await page.getByText(/It was dialled and answered|It connected to us/).first().waitFor();
  await page.getByText(ready.peer_id, { exact: true }).waitFor();
}

/** Presses a key until what has the focus is called so. */
async function tabTo(page: Page, name: RegExp): Promise<void> {
  for (let presses = 0; presses < 80; presses++) {
    const focused = await page.evaluate(() => {
      const { document } = globalThis as unknown as {
        document: {
          activeElement: { ariaLabel: string | null; textContent: string | null } | null;
        };
      };
      const { activeElement: element } = document;
      return element?.ariaLabel ?? element?.textContent?.trim() ?? "";
    });
    if (name.test(focused)) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`nothing called ${name} is reached by Tab`);
}

async function approvedByKeyboard(
  page: Page,
  ada: DaemonProcess,
  carol: DaemonProcess,
): Promise<void> {
  const { ticket } = await ask(ada.dataDir, "trust.invite");
  await act(carol.dataDir, "trust.accept", { ticket, justification: "it is me, Carol" });
  await waitFor("the count in the title", async () => (await page.title()).startsWith("(1) "));
  await page.keyboard.press("Home");
  await tabTo(page, /^Trust/);
  await page.keyboard.press("Enter");
  await page.getByText("it is me, Carol").waitFor();
  await tabTo(page, /^Approve/);
  await page.keyboard.press("Enter");
  await page.getByText("Nobody waits for an answer.").waitFor();
  await page.getByRole("cell").getByRole("link", { name: carol.ready.peer_id.slice(-6) }).waitFor();
  await waitFor("no count in the title", async () => (await page.title()).startsWith("Trust"));
  const { trusted } = await ask(carol.dataDir, "trust.wait", { peer: ada.ready.peer_id });
  assert.equal(trusted, true);
}

async function acceptedByClick(page: Page, bob: DaemonProcess): Promise<void> {
  const { ticket } = await ask(bob.dataDir, "trust.invite");
  await page.getByLabel("Ticket", { exact: true }).fill(String(ticket));
  await page.getByLabel("Why, for whoever decides there").fill("hello from Ada's page");
  await page.getByRole("button", { name: "Ask for trust" }).click();
  await page.getByText("Asked; the other machine has to approve").waitFor();
  const requests = await waitFor("Ada's request", async () => {
    const { requests } = await ask(bob.dataDir, "trust.pending") as { requests: unknown[] };
    return requests.length > 0 && requests;
  }) as { justification: string }[];
  assert.deepEqual(requests.map(({ justification }) => justification), ["hello from Ada's page"]);
}

async function fetched(page: Page): Promise<void> {
  await go(page, "Library");
  await page.getByRole("button", { name: "Get winter" }).click();
  const bar = page.getByRole("progressbar", { name: "Pieces of winter" });
  await bar.waitFor();
  const seen = new Set<string>();
  await waitFor("the bar to move", async () => {
    seen.add(await bar.getAttribute("aria-valuetext", { timeout: 1_000 }).catch(() => "") ?? "");
    return [...seen].filter((text) => / piece.* from /.test(text)).length >= 2;
  });
  await page.getByText("winter is installed").waitFor();
  await page.getByRole("row", { name: /winter/ }).getByText("installed", { exact: true }).waitFor();
  await page.getByText("Nothing is being fetched.").waitFor();
}

async function explained(page: Page, carol: DaemonProcess): Promise<void> {
  const rule = { name: "no web", on: "connect", match: "port == 80", actions: [{ type: "deny" }] };
  await go(page, "Rules");
  await page.getByText("No policy runs").waitFor(); // nothing moves under the mouse any more
  await page.getByText("Start or try a policy").click();
  await page.getByLabel("Document, as JSON").fill(JSON.stringify({ version: 1, rules: [rule] }));
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await page.getByText("The policy runs").waitFor();
  await page.getByRole("combobox", { name: "Peer" }).fill(carol.ready.peer_id);
  await page.getByRole("spinbutton", { name: "Port" }).fill("80");
  await page.getByRole("button", { name: "Explain" }).click();
  const verdict = page.locator(".verdict");
  await verdict.getByText("denied", { exact: true }).waitFor();
  await verdict.getByText("no web").first().waitFor();
  await verdict.getByText("port == 80").waitFor();
}

async function filtered(page: Page): Promise<void> {
  await go(page, "Logs");
  const rows = page.getByRole("row").filter({ hasNot: page.getByRole("columnheader") });
  await rows.getByText("PairingRequested").first().waitFor();
  await page.getByLabel("Target or event").fill("PairingRequested");
  await waitFor("one entry", async () => await rows.count() === 1);
  await page.getByRole("combobox", { name: "Type" }).selectOption("log");
  await page.getByText("Nothing yet that passes the filters.").waitFor();
  await page.getByLabel("Target or event").fill("");
  await page.getByRole("combobox", { name: "Type" }).selectOption("all");
}

async function restarted(
  page: Page,
  ada: DaemonProcess,
  start: () => Promise<DaemonProcess>,
): Promise<DaemonProcess> {
  await go(page, "Network");
  await ada.kill();
  await page.getByText("almenad does not answer.").waitFor();
  await page.getByText("Not answering").waitFor();
  const daemon = await start();
  await page.getByText("almenad was restarted; this page is up to date again").waitFor();
  await page.getByText("almenad does not answer.").waitFor({ state: "hidden" });
  await page.getByText("2 of 2 peers connected").waitFor();
  // The session was the other process's; a new code brings a new one, in the same window.
  await page.getByText("Looking only").waitFor();
  await page.goto((await pageCode(daemon.dataDir)).url);
  await page.getByText("Signed in").waitFor();
  return daemon;
}
