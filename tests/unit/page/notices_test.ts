import assert from "node:assert/strict";
import { noticeOf } from "../../../src/page/state/notices.ts";
import { topicsOf } from "../../../src/page/state/resources.ts";

Deno.test("noticeOf() tells how downloads end, and no other job", () => {
  const job = (status: string, message = "no room on the disk", job_id = "download:a-game") =>
    noticeOf("JobUpdate", { job_id, status, message });
  assert.deepEqual(job("Completed"), { text: "a-game is here", tone: "good" });
  assert.deepEqual(job("Failed"), {
    text: "a-game could not be fetched: no room on the disk",
    tone: "bad",
  });
  assert.deepEqual(job("Cancelled"), { text: "a-game is fetched no longer", tone: "plain" });
  for (const status of ["Running", "Queued"]) assert.equal(job(status), undefined);
  assert.equal(job("Completed", "", "1f0c"), undefined);
  const custom = { event_type: "library.game-install-finished", data: { id: "a-game" } };
  assert.equal(noticeOf("Custom", custom)?.text, "a-game is installed");
});

Deno.test("topicsOf() makes the library fresh when a download gets on", () => {
  assert.deepEqual(topicsOf("JobUpdate", { job_id: "download:x" }), ["items", "transfers"]);
  assert.deepEqual(topicsOf("JobUpdate", { job_id: "1f0c" }), []);
});
