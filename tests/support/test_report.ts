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
    const test = /\bname="([^"]*)"/.exec(one)?.[1] ?? "";
    const body = /<(?:failure|error)\b[^>]*>([\s\S]*?)<\/(?:failure|error)>/.exec(one)?.[1] ?? "";
    return { test: unescaped(test), message: unescaped(body).trim().slice(0, MESSAGE_CHARS) };
  });
}

/** One line a failure, with what it said below it. */
export function failureText(file: string, { test, message }: Failure): string {
  return `FAILED ${file}: ${test}\n${message.replaceAll(/^/gm, "    ")}\n`;
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
