/** The operations as the command line shows them without a daemon. Loaded on demand. */
import type { KnownOperation } from "./cli/mod.ts";
import { operations } from "./operations/mod.ts";

/** Every operation that is built in. */
export async function builtInOperations(): Promise<readonly KnownOperation[]> {
  const catalogue = operations.find(({ name }) => name === "core.operations");
  const components = { listOperations: () => operations };
  const { signal } = new AbortController();
  const answer = await catalogue?.run({} as never, components as never, { signal });
  return (answer as { operations: readonly KnownOperation[] }).operations;
}
