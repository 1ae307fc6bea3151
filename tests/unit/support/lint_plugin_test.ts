import assert from "node:assert/strict";
import plugin, { MAX_FUNCTION_LINES } from "../../support/lint_plugin.ts";

function rulesBroken(file: string, source: string): string[] {
  return Deno.lint.runPlugin(plugin, file, source).map(({ id }) => id);
}

function functionOf(lines: number): string {
  return `function long() {\n${"  work();\n".repeat(lines - 2)}}\n`;
}

Deno.test("almenad/short-functions refuses a function over the limit, in every form", () => {
  const tooLong = functionOf(MAX_FUNCTION_LINES + 1);
  const forms = [
    tooLong,
    `const long = ${tooLong}`,
    tooLong.replace("function long()", "const long = () =>"),
    `class A {\n  ${tooLong.replace("function ", "")}}`,
  ];
  for (const source of forms) {
    assert.deepEqual(rulesBroken("tests/a.ts", source), ["almenad/short-functions"], source);
  }
});

Deno.test("almenad/short-functions allows a function of the limit", () => {
  assert.deepEqual(rulesBroken("src/a.ts", functionOf(MAX_FUNCTION_LINES)), []);
});

Deno.test("almenad/no-bare-error refuses Error in src, thrown or not", () => {
  for (
    const source of ['throw new Error("no");', 'reject(new Error("no"));', 'throw Error("no");']
  ) {
    assert.deepEqual(rulesBroken("src/core/a.ts", source), ["almenad/no-bare-error"], source);
  }
});

Deno.test("almenad/no-bare-error allows errors that tell what they are, and tests to throw any", () => {
  const told = 'throw new DaemonError("internal", "no"); throw new TypeError("no");';
  assert.deepEqual(rulesBroken("src/core/a.ts", told), []);
  assert.deepEqual(rulesBroken("src/a.ts", 'import { Error } from "./b.ts"; type E = Error;'), []);
  assert.deepEqual(rulesBroken("tests/a.ts", 'throw new Error("no");'), []);
});
