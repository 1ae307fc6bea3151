/** What a JUnit report of `deno test` says, in three numbers. */

/** How tests fared. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Counts the test cases of a report; an unreadable one has none. */
export function countsOf(xml: string): Counts {
  const cases = xml.match(/<testcase\b(?:[^>]*\/>|[\s\S]*?<\/testcase>)/g) ?? [];
  const failed = cases.filter((one) => /<(?:failure|error)\b/.test(one)).length;
  const skipped = cases.filter((one) => /<skipped\b/.test(one)).length;
  return { passed: cases.length - failed - skipped, failed, skipped };
}

/** A test case that failed, and the beginning of what it said. */
export interface Failure {
  /** Path of its file as the report has it, such as `./tests/unit/a_test.ts`. */
  readonly file: string;
  readonly test: string;
  readonly message: string;
}

const MESSAGE_CHARS = 600;

const ENTITIES: Readonly<Record<string, string>> = {
  "&lt;": "<",
  "&gt;": ">",
  "&quot;": '"',
  "&apos;": "'",
  "&#39;": "'",
  "&amp;": "&",
};

function unescaped(xml: string): string {
  return xml.replace(/&(?:lt|gt|quot|apos|#39|amp);/g, (entity) => ENTITIES[entity] ?? entity);
}

/** The failed test cases of a report. */
export function failuresOf(xml: string): Failure[] {
  const cases = xml.match(/<testcase\b(?:[^>]*\/>|[\s\S]*?<\/testcase>)/g) ?? [];
  return cases.filter((one) => /<(?:failure|error)\b/.test(one)).map((one) => {
    const file = /\bclassname="([^"]*)"/.exec(one)?.[1] ?? "";
    const test = /<testcase name="([^"]*)"/.exec(one)?.[1] ?? "";
    const body = /<(?:failure|error)\b[^>]*>([\s\S]*?)<\/(?:failure|error)>/.exec(one)?.[1] ?? "";
    return { file, test: unescaped(test), message: unescaped(body).trim().slice(0, MESSAGE_CHARS) };
  });
}

/** Where it was, with what it said below. */
export function failureText({ file, test, message }: Failure): string {
  return `${file}: ${test}\n${message.replaceAll(/^/gm, "    ")}\n`;
}

// deno-lint-ignore no-control-regex -- colours begin with the escape character
const COLOURS = /\x1b\[[0-9;]*m/g;

/**
 * The test file that a line of a parallel `deno test` calls failed; a report names the file that
 * registered the test, which may be a helper.
 */
export function failedFile(line: string): string | undefined {
  const [, path] = /^(?:Uncaught error from )?(\.\/\S+_test\.ts)(?: => .* \.\.\.)? FAILED/.exec(
    line.replace(COLOURS, ""),
  ) ?? [];
  return path;
}

/** How long some tests took. */
export interface Duration {
  readonly name: string;
  readonly seconds: number;
}

/** One line each, the longest first. */
export function durationText(durations: readonly Duration[]): string {
  return [...durations].sort((a, b) => b.seconds - a.seconds)
    .map(({ name, seconds }) => `${seconds.toFixed(1).padStart(7)} s  ${name}\n`).join("");
}

/** Of files that ran once more because of failures: what failed at first and not again has passed. */
export function countsAfterRetry(first: Counts, second: Counts): Counts {
  const cured = Math.max(0, first.failed - second.failed);
  return { passed: first.passed + cured, failed: second.failed, skipped: first.skipped };
}

/** Both together. */
export function addCounts(a: Counts, b: Counts): Counts {
  return {
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    skipped: a.skipped + b.skipped,
  };
}

/** The last line of a run. */
export function summary({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
