import assert from "node:assert/strict";
import { parseLogFilter } from "../../../src/config/mod.ts";
import type { LogFilter } from "../../../src/core/mod.ts";

Deno.test("parseLogFilter() reads every form of RUST_LOG", () => {
  const table: [text: string, filter: LogFilter][] = [
    ["", { level: "info", targets: {} }],
    [" , ", { level: "info", targets: {} }],
    ["error", { level: "error", targets: {} }],
    ["WARN", { level: "warn", targets: {} }],
    ["off", { level: "off", targets: {} }],
    ["network=trace", { level: "off", targets: { network: "trace" } }],
    ["warn,network=debug", { level: "warn", targets: { network: "debug" } }],
    ["network=debug, warn", { level: "warn", targets: { network: "debug" } }],
    ["almenad::network=debug", { level: "off", targets: { network: "debug" } }],
    ["almenad.api=info,almenad/core=off", { level: "off", targets: { api: "info", core: "off" } }],
    ["network=debug,network=error", { level: "off", targets: { network: "error" } }],
    ["debug,info", { level: "info", targets: {} }],
  ];
  for (const [text, filter] of table) assert.deepEqual(parseLogFilter(text), filter, `"${text}"`);
});

Deno.test("parseLogFilter() refuses a word that is no level, and lists the levels", () => {
  for (const text of ["loud", "network=loud", "network=", "info=debug=error", "1"]) {
    assert.throws(() => parseLogFilter(text), {
      code: "invalid_argument",
      message: /is not one of trace, debug, info, warn, error, off$/,
    }, text);
  }
});
