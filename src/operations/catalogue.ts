import * as z from "zod";
import { once, type Operation, query, wireName } from "../core/mod.ts";
import type { Components } from "./components.ts";

const JsonSchema = once(() => z.record(z.string(), z.unknown()));

const Description = once(() =>
  z.object({
    method: z.string(),
    kind: z.enum(["query", "action", "stream"]),
    scope: z.enum(["core", "library"]),
    summary: z.string(),
    positional: z.array(z.string()),
    input: JsonSchema(),
    output: JsonSchema(),
  })
);

/** Every operation with its schemas. */
export const listOperations = query({
  name: "core.operations",
  summary: "Every operation: its name on the wire, scope, input and output as JSON Schema",
  input: () => z.strictObject({}),
  output: () => z.object({ operations: z.array(Description()) }),
  run: (_input, { listOperations }: Pick<Components, "listOperations">) => ({
    operations: describeOperations(listOperations()),
  }),
});

/** What the catalogue says of operations. */
export function describeOperations(
  operations: readonly Operation[],
): z.input<ReturnType<typeof Description>>[] {
  return operations.map((operation) => ({
    method: wireName(operation),
    kind: operation.kind,
    scope: operation.scope,
    summary: operation.summary,
    positional: [...operation.positional ?? []],
    input: z.toJSONSchema(operation.input, { io: "input", unrepresentable: "any" }),
    output: z.toJSONSchema(operation.output, { io: "output", unrepresentable: "any" }),
  }));
}
