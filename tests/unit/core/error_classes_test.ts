import assert from "node:assert/strict";
import { toErrorAnswer } from "../../../src/api/control/status.ts";
import { errorIn } from "../../../src/client/errors.ts";
import { DaemonError, ERROR_CLASS_CODES, ERROR_CODES } from "../../../src/core/mod.ts";

/** Codes that have a class of their own; what fails with another is an operation that failed. */
const TOLD = ["invalid_argument", "permission_denied", "unavailable"];

Deno.test("a failure keeps its class and its words on the way through the socket", () => {
  for (const code of ERROR_CODES) {
    const answer = JSON.parse(JSON.stringify(toErrorAnswer(new DaemonError(code, "no such luck"))));
    const [errorClass = ""] = Object.keys(answer.Error);
    assert.ok(Object.hasOwn(ERROR_CLASS_CODES, errorClass), `${code} became ${errorClass}`);
    const error = errorIn(answer);
    assert.deepEqual([error?.errorClass, error?.message], [errorClass, "no such luck"]);
    if (TOLD.includes(code)) assert.equal(error?.code, code);
  }
});

Deno.test("every class of the daemon is known to its clients, with its code", () => {
  for (const [errorClass, code] of Object.entries(ERROR_CLASS_CODES)) {
    const error = errorIn({ Error: { [errorClass]: "why" } });
    assert.deepEqual([error?.errorClass, error?.code], [errorClass, code]);
  }
  assert.equal(errorIn({ Error: { toString: "why" } })?.errorClass, "InternalError");
});
