/** What the page shows, in a real browser in front of scenes: for everybody, and whatever they say. */
/// <reference lib="dom" />
import assert from "node:assert/strict";
import axe from "axe-core";
import type { Page } from "playwright-core";
import { testNeeding } from "../support/needs.ts";
import { chromiumNeed, PageBrowser } from "../support/page_browser.ts";
import { PageScene } from "../support/page_scene.ts";
import { sceneAnswers, scenePeer } from "../support/page_scenes.ts";
import { waitFor } from "../support/wait.ts";

const SECTIONS = [
  "overview",
  "network",
  "throughput",
  "library",
  "trust",
  "rules",
  "logs",
] as const;
const VIEWS = [...SECTIONS, `network/${scenePeer(0)}`];
const AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
/** Everything that has ever been a trick: markup, control characters, directions, sheer length. */
const HOSTILE = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>' +
  "\u0000\u0007\u001b[31m\u202e\u2066\u200f\u2029\ud800 ${7*7} javascript:window.hacked=1 " +
  "W".repeat(10_000);

async function show(page: Page, url: string, view: string): Promise<void> {
  await page.goto(`${url}#/${view}`);
  await page.locator("main h1").waitFor();
  await waitFor("everything to be loaded", async () => {
    return await page.locator("main [aria-busy=true]").count() === 0;
  });
}

/** What axe finds that keeps somebody out. */
async function findings(page: Page): Promise<string[]> {
  const found = await page.evaluate(async (tags) => {
    const { axe } = globalThis as unknown as { axe: typeof import("axe-core") };
    const { violations } = await axe.run({ runOnly: tags, resultTypes: ["violations"] });
    return violations.filter(({ impact }) => impact === "serious" || impact === "critical")
      .flatMap(({ id, nodes }) =>
        nodes.map(({ html, failureSummary }) => {
          return `${id}: ${html.slice(0, 200)} ${failureSummary}`;
        })
      );
  }, AXE_TAGS);
  return found;
}

testNeeding(
  [chromiumNeed()],
  "Page: axe finds nothing serious in any section, light or dark",
  async () => {
    await using scene = await PageScene.open(sceneAnswers());
    await using browser = await PageBrowser.start();
    const page = await browser.open(scene.url);
    const found: string[] = [];
    for (const view of VIEWS) {
      await show(page, scene.url, view);
      await page.evaluate(axe.source);
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
        found.push(...(await findings(page)).map((one) => `${view}, ${colorScheme}: ${one}`));
      }
    }
    assert.deepEqual(found, []);
  },
);

testNeeding(
  [chromiumNeed()],
  "Page: hostile names, reasons and log lines show as text and break nothing",
  async () => {
    await using scene = await PageScene.open(sceneAnswers({ text: HOSTILE }));
    await using browser = await PageBrowser.start();
    const page = await browser.open(scene.url);
    const problems: string[] = [];
    page.on("pageerror", (error) => problems.push(String(error)));
    for (const view of VIEWS) {
      await show(page, scene.url, view);
      if (view === "logs") await sayHostile(scene, page);
      const shown = await page.evaluate(() => ({
        hacked: "hacked" in globalThis,
        strange: document.querySelectorAll("main img, main script").length,
        wide: document.documentElement.scrollWidth - innerWidth,
        tall: document.documentElement.scrollHeight,
        marks: /[\p{Cf}]|(?![\n\t])\p{Cc}/u.test(document.body.innerText),
      }));
      assert.deepEqual({ hacked: shown.hacked, strange: shown.strange, marks: shown.marks }, {
        ...{ hacked: false, strange: 0, marks: false },
      }, view);
      assert.ok(shown.wide <= 0, `${view} is ${shown.wide} px too wide`);
      assert.ok(shown.tall < 6_000, `${view} is ${shown.tall} px high`);
    }
    await show(page, scene.url, "trust");
    assert.match(await page.locator("main").innerText(), /<img src=x onerror=/);
    assert.deepEqual(problems, []);
  },
);

async function sayHostile(scene: PageScene, page: Page): Promise<void> {
  const line = { timestamp: new Date().toISOString(), level: "info", target: HOSTILE };
  await waitFor("the line", async () => {
    scene.send("logs", { LogMessage: { ...line, message: HOSTILE } });
    scene.send("events", { Custom: { event_type: HOSTILE, data: { reason: HOSTILE } } });
    return await page.getByText("<img src=x").count() > 0;
  });
  await page.getByRole("button", { name: "<img src=x" }).first().click();
  await page.getByRole("dialog").locator("pre").getByText("<img src=x").waitFor();
  await page.keyboard.press("Escape");
}

testNeeding(
  [chromiumNeed()],
  "Page: nothing is wider than the screen from 320 px to 4K, and nothing jumps while figures change",
  async () => {
    await using scene = await PageScene.open(sceneAnswers({ peers: 60, transfers: 12 }));
    await using browser = await PageBrowser.start();
    const page = await browser.open(scene.url);
    for (const [width, height] of [[320, 640], [3_840, 2_160]] as const) {
      await page.setViewportSize({ width, height });
      for (const view of VIEWS) {
        await show(page, scene.url, view);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(wide <= 0, `${view} is ${wide} px wider than ${width}`);
      }
    }
    await page.setViewportSize({ width: 1_280, height: 860 });
    for (const view of ["network", "library", "throughput"]) {
      await show(page, scene.url, view);
      await page.evaluate(() => {
        const moved: number[] = [];
        Object.assign(globalThis, { moved });
        new PerformanceObserver((list) => {
          for (const entry of list.getEntries()) moved.push((entry as never)["value"]);
        }).observe({ type: "layout-shift" });
      });
      const before = await page.locator("main").innerText();
      await waitFor("other figures", async () => {
        const time = { time_ms: Date.now(), step_ms: 1_000, peers: [] };
        scene.send("network.throughput_live", { ...time, in_bytes: 5e6, out_bytes: 3e6 });
        return await page.locator("main").innerText() !== before;
      });
      const moved = await page.evaluate(() => (globalThis as unknown as { moved: number[] }).moved);
      const sum = moved.reduce((total, one) => total + one, 0);
      assert.ok(sum < 0.01, `${view} jumps by ${sum}`);
    }
  },
);

testNeeding(
  [chromiumNeed()],
  "Page: a hidden page holds no stream, counts requests in its title, and is up to date when shown",
  async () => {
    const answers = sceneAnswers({ peers: 0 });
    await using scene = await PageScene.open(answers);
    await using browser = await PageBrowser.start();
    const page = await browser.open(scene.url);
    await waitFor("the stream", () => scene.readers("events") === 1);
    await hide(page, true);
    await waitFor("the end of the stream", () => scene.readers("events") === 0);
    Object.assign(answers, sceneAnswers({ peers: 2 }));
    await waitFor("the count", async () => (await page.title()).startsWith("(2) "), 25_000);
    await hide(page, false);
    await waitFor("the stream", () => scene.readers("events") === 1);
    await page.getByText("peers connected").locator("..").getByText("2").waitFor();
  },
);

/** Makes the page believe that its window is hidden: a browser without a screen never hides one. */
async function hide(page: Page, hidden: boolean): Promise<void> {
  await page.evaluate((hidden) => {
    Object.defineProperty(document, "hidden", { configurable: true, value: hidden });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);
}

testNeeding(
  [chromiumNeed()],
  "Page: buttons call the operations that they name, with the token of the session",
  async () => {
    await using scene = await PageScene.open(sceneAnswers());
    await using browser = await PageBrowser.start();
    const page = await browser.open(scene.url);
    await show(page, scene.url, "trust");
    await waitFor("the count", async () => (await page.title()).startsWith("(2) Trust"));
    const first = page.locator(".request").first();
    for (const label of ["Approve", "Reject", "Decide on", "Ignore"]) {
      await first.getByRole("button", { name: label }).click();
      await waitFor(label, () => scene.called.length > 0);
      const [call] = scene.called.splice(0);
      const verb = label === "Decide on" ? "later" : label.toLowerCase();
      assert.deepEqual(call, { name: `trust.${verb}`, input: { peer: scenePeer(0) } });
    }
    await show(page, scene.url, "library");
    const left = page.getByText("2 files are not shared");
    assert.match(await left.getAttribute("title") ?? "", /^link .*\(a symbolic link\), …$/s);
    for (
      const [label, name] of [["Update atlas", "download"], ["Uninstall atlas", "uninstall"], [
        "Get winter",
        "download",
      ], ["Repair blocked", "repair"]] as const
    ) {
      await page.getByRole("button", { name: label }).click();
      await waitFor(label, () => scene.called.length > 0);
      const [call] = scene.called.splice(0);
      assert.deepEqual(call, { name: `library.${name}`, input: { id: label.split(" ")[1] } });
    }
  },
);
