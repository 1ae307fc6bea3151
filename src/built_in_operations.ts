/** The operations as the command line shows them without a daemon. Loaded on demand. */
import type { KnownOperation } from "./cli/mod.ts";
import { describeOperations, operations } from "./operations/mod.ts";

/** Every operation that is built in. */
export function builtInOperations(): readonly KnownOperation[] {
  return describeOperations(operations);
}
