import assert from "node:assert/strict";
import { exitCodeOf } from "../../../src/cli/mod.ts";
import { ControlError, NotRunningError } from "../../../src/client/mod.ts";
import { DaemonError } from "../../../src/core/mod.ts";

Deno.test("exitCodeOf() gives the codes of contract 2.7", () => {
  const refused = (errorClass: ConstructorParameters<typeof ControlError>[1]) =>
    new ControlError("unknown", errorClass, "no");
  const table: [failure: unknown, code: number][] = [
    [new DaemonError("unavailable", "no"), 1],
    [new DaemonError("invalid_argument", "no"), 2],
    [new DaemonError("already_exists", "no"), 3],
    [new NotRunningError("no"), 4],
    [new DaemonError("permission_denied", "no"), 5],
    [new ControlError("permission_denied", "ConnectionFailed", "no"), 5],
    [new DaemonError("data_loss", "no"), 6],
    [new TypeError("unforeseen"), 70],
    [refused("ValidationError"), 2],
    [refused("DeserializationError"), 2],
    [refused("HandlerNotFound"), 2],
    [refused("SecurityError"), 5],
    [refused("OperationFailed"), 1],
    [refused("CoreUnavailable"), 1],
    [refused("InternalError"), 1], // the daemon's, not this process's
  ];
  for (const [failure, code] of table) assert.equal(exitCodeOf(failure), code, String(failure));
});
