import assert from "node:assert/strict";
import type { CommandContext } from "../../../src/cli/mod.ts";
import * as commands from "../../../src/cli/commands/shared_items.ts";
import { ProgressLine } from "../../../src/cli/progress_line.ts";
import { bytes, paintFor } from "../../../src/cli/terminal.ts";

const ITEM = {
  ...{ id: "film", name: "The Film", version: "2", size: 5_242_880, peers: 3 },
  ...{ downloaded: true, installed: true, local_version: "1", can_update: true },
};

/** A daemon that answers as told, and what was asked of it. */
function fake(answers: Record<string, unknown>, states: readonly object[] = [], format = "human") {
  const out: string[] = [];
  const asked: [name: string, input: unknown][] = [];
  const answer = (name: string, input: unknown) => {
    asked.push([name, input]);
    return Promise.resolve(answers[name]);
  };
  const context = {
    client: {
      query: answer,
      action: answer,
      stream: async function* (name: string, input: unknown) {
        asked.push([name, input]);
        yield* await Promise.resolve(states);
      },
    },
    flags: { format, dev: false },
    output: { out: (text: string) => void out.push(text), error: () => undefined },
    terminal: { isTerminal: false, isErrorTerminal: false, hasColour: false, columns: 80 },
    paint: paintFor({ hasColour: false }),
    interrupted: () => new AbortController().signal,
  } as unknown as CommandContext;
  return { context, out, asked };
}

Deno.test("listItems() is a table of what peers and this machine have", async () => {
  const here = { ...ITEM, id: "here", name: "Here", peers: 0, can_update: false };
  const busy = { ...here, id: "busy", activity: "downloading" };
  const bad = { ...here, id: "bad", problem: "its log\ncannot be read" };
  const long = { ...here, id: "long", not_listed: "it is too long" };
  const { context, out } = fake({
    "library.items": { dir: "/library", peers: 1, items: [ITEM, here, busy, bad, long] },
  });
  assert.equal(await commands.listItems(context, []), 0);
  assert.deepEqual(out[0]?.split("\n"), [
    "/library  (1 peer shares a library)",
    "ID    NAME      VERSION  SIZE     PEERS  STATE",
    "film  The Film  2        5.0 MiB  3      installed 1, update",
    "here  Here      2        5.0 MiB  0      installed",
    "busy  Here      2        5.0 MiB  0      downloading",
    "bad   Here      2        5.0 MiB  0      blocked: its log cannot be read",
    "long  Here      2        5.0 MiB  0      installed, not shared: it is too long",
  ]);
});

Deno.test("listItems() says what of an item peers do not get, and why", async () => {
  const link = { path: "a\nlink", reason: "it is no regular file" };
  const one = { ...ITEM, can_update: false, not_shared: { count: 1, files: [link] } };
  const many = { ...one, id: "many", not_shared: { count: 9, files: [link, link] } };
  const items = [one, ...Array.from({ length: 11 }, () => many)];
  const { context, out } = fake({ "library.items": { dir: "/library", peers: 1, items } });
  await commands.listItems(context, []);
  const reason = "a link (it is no regular file)";
  const lines = out[0]?.split("\n").slice(items.length + 2) ?? [];
  assert.deepEqual([lines.length, lines.at(0), lines.at(1), lines.at(-1)], [
    ...[11, `film: 1 file is not shared: ${reason}`],
    `many: 9 files are not shared: ${reason}, ${reason}, …`,
    "and files of 2 more items are not shared",
  ]);
});

Deno.test("listItems() prints JSON for programs, and asks for what is searched", async () => {
  const answer = { dir: "/library", peers: 0, items: [] };
  const { context, out, asked } = fake({ "library.items": answer }, [], "json");
  await commands.listItems(context, ["fi"]);
  assert.deepEqual(asked, [["library.items", { search: "fi" }]]);
  assert.deepEqual(JSON.parse(out[0] ?? ""), answer);
});

Deno.test("getItem() begins, follows to the end and says so", async () => {
  const states = [
    { id: "film", status: "Running", activity: "downloading", done_bytes: 1, total_bytes: 2 },
    { id: "film", status: "Completed", activity: "installing" },
  ];
  const { context, out, asked } = fake({}, states);
  assert.equal(await commands.getItem(context, ["film"], {}), 0);
  assert.deepEqual(asked, [
    ["library.download", { id: "film", install: true }],
    ["library.watch", { id: "film" }],
  ]);
  assert.deepEqual(out, ['"film" is here and installed']);
});

Deno.test("getItem() gives programs a line for each state, the end last", async () => {
  const states = [
    { id: "film", status: "Waiting", activity: "downloading", reason: "nobody has it" },
    { id: "film", status: "Running", activity: "downloading", done_bytes: 1, total_bytes: 2 },
    { id: "film", status: "Completed", activity: "installing" },
  ];
  const { context, out } = fake({}, states, "json");
  assert.equal(await commands.getItem(context, ["film"], {}), 0);
  assert.deepEqual(out.map((line) => JSON.parse(line)), states);
});

Deno.test("getItem() with --no-wait only begins", async () => {
  const { context, asked } = fake({});
  assert.equal(await commands.getItem(context, ["film"], { wait: false, install: false }), 0);
  assert.deepEqual(asked, [["library.download", { id: "film", install: false }]]);
});

Deno.test("getItem() follows what is being fetched already", async () => {
  const states = [{ id: "film", status: "Completed", activity: "installing" }];
  const busy = { ...ITEM, activity: "downloading" };
  for (const items of [[busy], [ITEM], []]) {
    const { context, out } = fake({ "library.items": { items } }, states);
    const action = () => Promise.reject(new TypeError("Busy"));
    Object.assign(context.client, { action });
    const got = commands.getItem(context, ["film"], {});
    if (items[0] !== busy) await assert.rejects(got, { message: "Busy" });
    else assert.equal(await got, 0);
    assert.equal(out.length, items[0] === busy ? 1 : 0);
  }
});

Deno.test("getItem() fails with the reason, and when the daemon ends", async () => {
  const failed = { id: "film", status: "Failed", activity: "downloading", reason: "no peer" };
  await assert.rejects(commands.getItem(fake({}, [failed]).context, ["film"], {}), {
    code: "failed_precondition",
    message: "no peer",
  });
  const running = { id: "film", status: "Running", activity: "downloading" };
  await assert.rejects(commands.getItem(fake({}, [running]).context, ["film"], {}), {
    code: "unavailable",
  });
});

Deno.test("updateItems() fetches what is newer, and nothing else", async () => {
  const items = [ITEM, { ...ITEM, id: "same", can_update: false }];
  const done = [{ id: "film", status: "Completed", activity: "updating" }];
  const all = fake({ "library.items": { items } }, done);
  assert.equal(await commands.updateItems(all.context, [], {}), 0);
  assert.deepEqual(all.asked[1], ["library.download", { id: "film", install: true }]);
  assert.equal(all.asked.length, 3);
  const none = fake({ "library.items": { items } }, done);
  assert.equal(await commands.updateItems(none.context, ["same"], {}), 0);
  assert.match(none.out[0] ?? "", /Nothing to update/);
  await assert.rejects(commands.updateItems(none.context, ["lost"], {}), { code: "not_found" });
});

Deno.test("verifyItem() ends with 1 and names what is damaged", async () => {
  const state = { id: "film", status: "Completed", activity: "verifying", total_bytes: 2_048 };
  const good = fake({}, [{ ...state, damaged: [] }]);
  assert.equal(await commands.verifyItem(good.context, ["film"], {}), 0);
  assert.deepEqual(good.out, ['"film" is as it was: 2.0 KiB read']);
  const bad = fake({}, [{ ...state, damaged: ["a\nb"] }]);
  assert.equal(await commands.verifyItem(bad.context, ["film"], {}), 1);
  assert.match(bad.out[0] ?? "", /damaged; .*get film":\n {2}a b$/);
});

Deno.test("ProgressLine draws on a terminal alone, within its width", () => {
  const { context } = fake({});
  const drawn: string[] = [];
  const write = (text: string) => void drawn.push(text);
  const silent = new ProgressLine(context, write);
  silent.show(0.5, "half");
  silent.end();
  assert.equal(drawn.length, 0);
  const terminal = { isTerminal: true, isErrorTerminal: true, hasColour: false, columns: 60 };
  const line = new ProgressLine({ ...context, terminal }, write);
  line.show(0.5, "downloading  " + "x".repeat(90), 65);
  line.show(undefined, "unpacking");
  line.end();
  assert.match(drawn[0] ?? "", /█{5}░{5} {2}50 % 1 min 5 s left {2}downloading/);
  assert.equal(drawn[0]?.replace("\r\x1b[K", "").length, 59);
  assert.deepEqual(drawn.slice(1), ["\r\x1b[Kunpacking", "\r\x1b[K"]);
});

Deno.test("bytes() gives the largest binary unit", () => {
  assert.deepEqual([0, 1_023, 1_024, 1_572_864, 2 ** 40 * 3_000].map(bytes), [
    "0 bytes",
    "1023 bytes",
    "1.0 KiB",
    "1.5 MiB",
    "3000.0 TiB",
  ]);
});
