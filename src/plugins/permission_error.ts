import { DaemonError } from "../core/mod.ts";

/** A privileged call came without the right word. */
export class PermissionError extends DaemonError {
  override readonly name = "PermissionError";

  constructor(what: string) {
    super("permission_denied", `Cannot ${what}: the admin token is wrong or unset`);
  }
}
