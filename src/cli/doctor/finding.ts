/** How bad it is. */
export type Severity = "ok" | "warning" | "error";

/** What one look found. */
export interface Finding {
  /** What was looked at, such as `socket`. */
  readonly check: string;
  readonly severity: Severity;
  /** What was seen. */
  readonly message: string;
  /** What to do; empty where nothing needs to be done. */
  readonly remedy: string;
}

/** All is well. */
export function ok(check: string, message: string): Finding {
  return { check, severity: "ok", message, remedy: "" };
}

/** It works, but not as well as it should. */
export function warning(check: string, message: string, remedy: string): Finding {
  return { check, severity: "warning", message, remedy };
}

/** Something does not work. */
export function error(check: string, message: string, remedy: string): Finding {
  return { check, severity: "error", message, remedy };
}
