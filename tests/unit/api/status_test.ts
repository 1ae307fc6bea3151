import assert from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import { toStatus } from "../../../src/api/grpc/status.ts";
import { toHttpStatus } from "../../../src/api/rest/status.ts";
import { DaemonError, ERROR_CODES, type ErrorCode } from "../../../src/core/mod.ts";

// google.rpc.Code: number and HTTP mapping.
const TABLE: Readonly<Record<ErrorCode, readonly [grpc: number, http: number]>> = {
  cancelled: [1, 499],
  unknown: [2, 500],
  invalid_argument: [3, 400],
  deadline_exceeded: [4, 504],
  not_found: [5, 404],
  already_exists: [6, 409],
  permission_denied: [7, 403],
  resource_exhausted: [8, 429],
  failed_precondition: [9, 400],
  aborted: [10, 409],
  out_of_range: [11, 400],
  unimplemented: [12, 501],
  internal: [13, 500],
  unavailable: [14, 503],
  data_loss: [15, 500],
  unauthenticated: [16, 401],
};

Deno.test("toStatus() and toHttpStatus() translate every code as google.rpc.Code does", () => {
  for (const code of ERROR_CODES) {
    const [grpc, http] = TABLE[code];
    const { code: number, details } = toStatus(new DaemonError(code, `about ${code}`));
    assert.deepEqual([number, details, toHttpStatus(code)], [grpc, `about ${code}`, http]);
    assert.equal(status[number], code.toUpperCase());
  }
});

Deno.test("toStatus() calls anything uncaught internal", () => {
  assert.equal(toStatus(new RangeError("a slip")).code, status.INTERNAL);
  assert.equal(toStatus("text").details, "text");
});
