import type { z } from "zod";

/** What kind of question an operation is; doors map it to their own verbs. */
export type OperationKind = "query";

/** What an operation learns about the call besides its input. */
export interface CallContext {
  /** Aborts when the caller went away or the deadline passed. */
  readonly signal: AbortSignal;
}

/** One thing a caller can ask, defined once and served by every front door. */
export interface Operation<
  Components = never,
  Input extends z.ZodType = z.ZodType,
  Output extends z.ZodType = z.ZodType,
> {
  readonly kind: OperationKind;
  /** `noun.verb` in snake case, such as `network.peers`. */
  readonly name: string;
  /** One sentence that help texts, OpenAPI and schemas show. */
  readonly summary: string;
  /** The method of `almena.daemon.v1.DaemonService` that serves it, if one does. */
  readonly rpc?: string;
  /** Further REST paths that answer the same, such as `/status`. */
  readonly aliases?: readonly string[];
  readonly input: Input;
  readonly output: Output;
  run(
    input: z.output<Input>,
    components: Components,
    context: CallContext,
  ): z.input<Output> | Promise<z.input<Output>>;
}

/**
 * Declares an operation that changes nothing.
 *
 * The input schema is closed: unknown fields are refused by the registry.
 */
export function query<Components, Input extends z.ZodType, Output extends z.ZodType>(
  definition: Omit<Operation<Components, Input, Output>, "kind">,
): Operation<Components, Input, Output> {
  return { kind: "query", ...definition };
}

/**
 * The name of an operation on every wire, contract 2.4.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(wireName({ kind: "query", name: "network.peers" }), "query:network.peers.v1");
 * ```
 */
export function wireName({ kind, name }: Pick<Operation, "kind" | "name">): string {
  return `${kind}:${name}.v1`;
}
