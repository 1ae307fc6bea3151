import assert from "node:assert/strict";
import { logger } from "../../../src/core/mod.ts";
import { configureLogging, endLogging } from "../../../src/system/logging.ts";
import { parseLogFilter } from "../../../src/config/mod.ts";

/** What arrives at file and terminal under a filter. */
function logged(filter: string, work: () => void): { file: string[]; terminal: string[] } {
  const file: string[] = [];
  const terminal: string[] = [];
  configureLogging(parseLogFilter(filter), {
    file: { write: (line) => void file.push(line) },
    terminal: { write: (line) => void terminal.push(line) },
  });
  try {
    work();
  } finally {
    endLogging();
  }
  return { file, terminal };
}

function speak(): void {
  for (const folder of ["network", "api"]) {
    const log = logger(folder);
    log.trace("a trace");
    log.debug("a debug");
    log.info("an info");
    log.warn("a warning");
    log.error("an error");
  }
}

function heard(filter: string): string[] {
  return logged(filter, speak).file.map((line) => {
    const { target, level } = JSON.parse(line);
    return `${target} ${level}`;
  });
}

Deno.test("configureLogging() lets through what the filter says", () => {
  assert.deepEqual(heard("error"), ["network error", "api error"]);
  assert.deepEqual(heard("off"), []);
  assert.equal(heard("trace").length, 10);
  assert.deepEqual(heard("network=warn"), ["network warn", "network error"]);
  assert.deepEqual(heard("error,network=warn"), ["network warn", "network error", "api error"]);
  assert.deepEqual(heard("error,api=off"), ["network error"]);
  const traces = ["trace", "debug", "info", "warn", "error"].map((level) => `network ${level}`);
  assert.deepEqual(heard("network=trace"), traces);
});

Deno.test("configureLogging() writes one line of JSON a record", () => {
  const { file, terminal } = logged("info", () => {
    logger("network").info("Peer connected", { peerId: "12D3", count: 2, size: 5n });
  });
  assert.equal(file.length, 1);
  assert.ok(file[0]!.endsWith("}\n") && !file[0]!.slice(0, -1).includes("\n"));
  const { timestamp, ...rest } = JSON.parse(file[0]!);
  assert.deepEqual(rest, {
    level: "info",
    target: "network",
    message: "Peer connected",
    peerId: "12D3",
    count: 2,
    size: "5",
  });
  assert.match(timestamp, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  assert.match(terminal[0]!, /^\S+Z INFO {2}network: Peer connected peerId='12D3' count=2/);
});

Deno.test("configureLogging() shows the message of an error, not its stack", () => {
  const { file } = logged("info", () => {
    logger("core").error("It failed", { error: new TypeError("because\nof this") });
  });
  assert.equal(JSON.parse(file[0]!).error, "because\nof this");
  assert.ok(!file[0]!.includes("logging_test.ts"));
});

Deno.test("configureLogging() never writes a secret", () => {
  const { file, terminal } = logged("info", () => {
    const secrets = { adminToken: "s3cr3t", nested: { password: "s3cr3t" }, privateKey: "s3cr3t" };
    logger("core").info("Started", { ...secrets, authorization: "Bearer s3cr3t", port: 1 });
  });
  assert.ok(!file.join().includes("s3cr3t"), file.join());
  assert.ok(!terminal.join().includes("s3cr3t"), terminal.join());
  assert.ok(file.join().includes('"port":1'));
});

Deno.test("configureLogging() may change the filter at any time; endLogging() silences all", () => {
  const lines: string[] = [];
  const file = { write: (line: string) => void lines.push(line) };
  const log = logger("core");
  configureLogging(parseLogFilter("error"), { file });
  log.info("not heard");
  configureLogging(parseLogFilter("debug"), { file });
  log.debug("heard");
  endLogging();
  log.error("too late");
  assert.deepEqual(lines.map((line) => JSON.parse(line).message), ["heard"]);
});

Deno.test("configureLogging() keeps a line of text from a peer on one line of JSON", () => {
  const { file, terminal } = logged("info", () => {
    logger("network").info("Peer says", { text: 'a\n{"level":"error"}\u001b[31m' });
  });
  assert.equal(file[0]!.split("\n").length, 2);
  assert.equal(terminal[0]!.split("\n").length, 2);
  assert.ok(!terminal[0]!.includes("\u001b"));
});
