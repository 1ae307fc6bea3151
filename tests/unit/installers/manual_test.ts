import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { MANUAL_PATH, manualPage, troff } from "../../../installers/debian/manual.ts";
import { EXIT } from "../../../src/cli/mod.ts";
import { program, testNeeding } from "../../support/needs.ts";

Deno.test("almenad.1 is what the command line says now; else: deno task man", async () => {
  assert.equal(await readFile(MANUAL_PATH, "utf8"), await manualPage());
});

Deno.test("manualPage() tells every command, option and exit code", async () => {
  const page = (await manualPage()).replaceAll("\\-", "-");
  const commands = [
    "run",
    "trust accept",
    "library get",
    "policy explain",
    "dashboard",
    "bugreport",
  ];
  for (const command of commands) assert.match(page, new RegExp(`^\\.B ${command}( |$)`, "m"));
  for (const option of ["--data-dir", "--no-open", "-o, --output", "--foreground"]) {
    assert.ok(page.includes(`.B ${option}`), option);
  }
  for (const code of Object.values(EXIT)) {
    assert.match(page, new RegExp(`^\\.B ${code}$`, "m"), String(code));
  }
  for (const hidden of ["service-run", "library-cli", "complete"]) {
    assert.doesNotMatch(page, new RegExp(`^\\.B ${hidden}( |$)`, "m"));
  }
});

Deno.test("troff() leaves nothing that groff would take for something else", () => {
  assert.equal(troff("a-b \\n"), "a\\-b \\en");
  assert.equal(troff(".SH x\n'y"), "\\&.SH x\n\\&'y");
  assert.equal(troff("…"), "\\[u2026]");
});

testNeeding([program("man")], "almenad.1 is shown without a warning", async () => {
  const { code, stdout, stderr } = await new Deno.Command("man", {
    args: ["--warnings", "-E", "UTF-8", "-Tutf8", "-l", MANUAL_PATH],
    env: { MANWIDTH: "80", LC_ALL: "C.UTF-8" },
  }).output();
  assert.deepEqual([code, new TextDecoder().decode(stderr)], [0, ""]);
  // A letter is made bold by printing it twice, with a backspace in between.
  const plain = new TextDecoder().decode(stdout).replaceAll(/.[\b]/g, "");
  assert.match(plain, /^EXIT STATUS$/m);
});
