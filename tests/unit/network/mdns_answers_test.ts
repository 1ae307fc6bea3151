import assert from "node:assert/strict";
import { ANSWER_INTERVAL_MS, AnswerPacer } from "../../../src/network/mdns_answers.ts";
import { FakeClock } from "../../support/fake_clock.ts";

function pacer() {
  const clock = new FakeClock();
  const given: [string, number][] = [];
  const answers = new AnswerPacer({ clock });
  const ask = (question: string) => {
    answers.answer(question, () => given.push([question, clock.monotonic()]));
  };
  return { clock, given, answers, ask };
}

Deno.test("AnswerPacer.answer() answers the first question at once", () => {
  const { given, ask } = pacer();
  ask("a");
  assert.deepEqual(given, [["a", 0]]);
});

Deno.test("AnswerPacer.answer() gives one late answer to all that came too early", async () => {
  const { clock, given, ask } = pacer();
  ask("a");
  await clock.advance(300);
  for (let index = 0; index < 1_000; index++) ask("a");
  await clock.advance(5_000);
  assert.deepEqual(given, [["a", 0], ["a", ANSWER_INTERVAL_MS]]);
});

Deno.test("AnswerPacer.answer() gives at most one answer a second under a flood", async () => {
  const { clock, given, ask } = pacer();
  for (let index = 0; index < 8_000; index++) {
    ask("a");
    await clock.advance(1);
  }
  assert.deepEqual(given.map(([, at]) => at), [0, 1, 2, 3, 4, 5, 6, 7, 8].map((s) => s * 1_000));
});

Deno.test("AnswerPacer.answer() paces every question on its own", () => {
  const { given, ask } = pacer();
  ask("a");
  ask("b");
  assert.deepEqual(given, [["a", 0], ["b", 0]]);
});

Deno.test("AnswerPacer.retain() cancels what waits for a question that is gone", async () => {
  const { clock, given, answers, ask } = pacer();
  ask("a");
  ask("a");
  answers.retain((question) => question !== "a");
  assert.equal(clock.pending, 0);
  await clock.advance(5_000);
  assert.equal(given.length, 1);
});

Deno.test("AnswerPacer.tryAnswer() refuses instead of waiting", async () => {
  const { clock, answers } = pacer();
  assert.equal(answers.tryAnswer("a"), true);
  assert.equal(answers.tryAnswer("a"), false);
  assert.equal(clock.pending, 0);
  await clock.advance(ANSWER_INTERVAL_MS);
  assert.equal(answers.tryAnswer("a"), true);
});
