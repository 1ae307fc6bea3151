import assert from "node:assert/strict";
import {
  addCounts,
  countsAfterRetry,
  countsOf,
  durationText,
  failedFile,
  failuresOf,
  failureText,
  summary,
} from "../../support/test_report.ts";

const REPORT = `<?xml version="1.0"?>
<testsuites name="deno test" tests="4" failures="1" errors="0" time="0.1">
  <testsuite name="a" tests="4" disabled="1" errors="0" failures="1">
    <testcase name="passes" classname="a" time="0.1">
    </testcase>
    <testcase name="also passes" classname="a" time="0.1"/>
    <testcase name="fails" classname="a" time="0.1">
      <failure message="no">Error: &lt;skipped/&gt;</failure>
    </testcase>
    <testcase name="is skipped" classname="a" time="0.1">
      <skipped/>
    </testcase>
  </testsuite>
</testsuites>`;

Deno.test("countsOf() counts passed, failed and skipped test cases", () => {
  assert.deepEqual(countsOf(REPORT), { passed: 2, failed: 1, skipped: 1 });
  assert.deepEqual(countsOf(""), { passed: 0, failed: 0, skipped: 0 });
});

Deno.test("summary() is one line of sums", () => {
  const counts = addCounts(countsOf(REPORT), { passed: 10, failed: 0, skipped: 2 });
  assert.equal(summary(counts), "12 passed, 1 failed, 3 skipped");
});

Deno.test("durationText() begins with the longest", () => {
  const durations = [{ name: "a_test.ts", seconds: 0.04 }, { name: "b_test.ts", seconds: 61.26 }];
  assert.equal(durationText(durations), "   61.3 s  b_test.ts\n    0.0 s  a_test.ts\n");
});

Deno.test("failuresOf() tells name and message of each failed test case", () => {
  assert.deepEqual(failuresOf(REPORT), [{
    file: "a",
    test: "fails",
    message: "Error: <skipped/>",
  }]);
  assert.deepEqual(failuresOf(""), []);
});

Deno.test("failureText() indents the message below the name", () => {
  const text = failureText({ file: "a_test.ts", test: "fails", message: "Error: no\nat b" });
  assert.equal(text, "a_test.ts: fails\n    Error: no\n    at b\n");
});

Deno.test("countsAfterRetry() counts as passed what failed at first alone", () => {
  const first = { passed: 10, failed: 3, skipped: 1 };
  const second = { passed: 5, failed: 1, skipped: 0 };
  assert.deepEqual(countsAfterRetry(first, second), { passed: 12, failed: 1, skipped: 1 });
});

Deno.test("failedFile() finds the file in the lines that say FAILED", () => {
  assert.equal(
    failedFile("\x1b[0m./a/b_test.ts => \x1b[0mdoes it ... \x1b[31mFAILED\x1b[0m (1s)"),
    "./a/b_test.ts",
  );
  assert.equal(failedFile("Uncaught error from ./a/c_test.ts FAILED"), "./a/c_test.ts");
  assert.equal(failedFile("./a/b_test.ts => tells of what FAILED ... ok (1s)"), undefined);
});
