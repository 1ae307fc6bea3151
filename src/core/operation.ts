import type { z } from "zod";
import { once } from "./once.ts";

/** Whether an operation concerns the daemon as a whole or one library. */
export type OperationScope = "core" | "library";

/** What an operation learns about the call besides its input. */
export interface CallContext {
  /** Aborts when the caller went away or the deadline passed. */
  readonly signal: AbortSignal;
  /** Made by the client, at most 64 characters; stands in log lines and job events. */
  readonly requestId?: string;
  /** The library a library operation concerns. */
  readonly libraryId?: string;
}

/** What every declaration has. */
export interface OperationBase<Input extends z.ZodType, Output extends z.ZodType> {
  /** `noun.verb` in snake case, such as `network.peers`. */
  readonly name: string;
  /** One sentence that help texts, OpenAPI and schemas show. */
  readonly summary: string;
  readonly scope: OperationScope;
  /** The method of `almena.daemon.v1.DaemonService` that serves it, if one does. */
  readonly rpc?: string;
  /** Further REST paths that answer the same, such as `/status`. */
  readonly aliases?: readonly string[];
  /** Refused to a page in a browser, which holds less than its owner's rights. @default {false} */
  readonly isOwnersAlone?: boolean;
  /** Fields that a command line takes by position, in order; the last may be a list. */
  readonly positional?: readonly string[];
  readonly input: Input;
  /** Of a stream: the schema of one item. */
  readonly output: Output;
}

/** An operation that answers once. */
export interface CallOperation<
  Components = never,
  Input extends z.ZodType = z.ZodType,
  Output extends z.ZodType = z.ZodType,
> extends OperationBase<Input, Output> {
  readonly kind: "query" | "action";
  /** Longest run of one call, in milliseconds, where the registry's own limit is too short. */
  readonly callTimeoutMs?: number;
  run(
    input: z.output<Input>,
    components: Components,
    context: CallContext,
  ): z.input<Output> | Promise<z.input<Output>>;
}

/** An operation that answers with items until it ends or the caller leaves. */
export interface StreamOperation<
  Components = never,
  Input extends z.ZodType = z.ZodType,
  Output extends z.ZodType = z.ZodType,
> extends OperationBase<Input, Output> {
  readonly kind: "stream";
  run(
    input: z.output<Input>,
    components: Components,
    context: CallContext,
  ): AsyncIterable<z.input<Output>>;
}

/** One thing a caller can ask, defined once and served by every front door. */
export type Operation<
  Components = never,
  Input extends z.ZodType = z.ZodType,
  Output extends z.ZodType = z.ZodType,
> = CallOperation<Components, Input, Output> | StreamOperation<Components, Input, Output>;

/** A schema, or what makes it when it is first needed: there are many, and a start needs none. */
type Lazily<Schema> = Schema | (() => Schema);

interface LazySchemas<Input, Output> {
  readonly input: Lazily<Input>;
  readonly output: Lazily<Output>;
}

type Definition<O, Name, Input, Output> =
  & Omit<O, "kind" | "scope" | "name" | "input" | "output">
  & LazySchemas<Input, Output>
  & { readonly name: Name; readonly scope?: OperationScope };

/** An operation whose name and kind the compiler knows, so that clients can be typed by them. */
type Named<O, Name, Kind> = Omit<O, "name" | "kind"> & { readonly name: Name; readonly kind: Kind };

/** Declares an operation that changes nothing. */
export function query<
  Components,
  Input extends z.ZodType,
  Output extends z.ZodType,
  const Name extends string = string,
>(
  definition: Definition<CallOperation<Components, Input, Output>, Name, Input, Output>,
): Named<CallOperation<Components, Input, Output>, Name, "query"> {
  return withSchemas({ scope: "core", ...definition, kind: "query" }, definition);
}

/** Declares an operation that may change something; over HTTP it needs the admin token. */
export function action<
  Components,
  Input extends z.ZodType,
  Output extends z.ZodType,
  const Name extends string = string,
>(
  definition: Definition<CallOperation<Components, Input, Output>, Name, Input, Output>,
): Named<CallOperation<Components, Input, Output>, Name, "action"> {
  return withSchemas({ scope: "core", ...definition, kind: "action" }, definition);
}

/** Declares an operation that answers with many items. */
export function stream<
  Components,
  Input extends z.ZodType,
  Output extends z.ZodType,
  const Name extends string = string,
>(
  definition: Definition<StreamOperation<Components, Input, Output>, Name, Input, Output>,
): Named<StreamOperation<Components, Input, Output>, Name, "stream"> {
  return withSchemas({ scope: "core", ...definition, kind: "stream" }, definition);
}

function withSchemas<const O, Input, Output>(
  operation: O,
  schemas: LazySchemas<Input, Output>,
): Omit<O, "input" | "output"> & { readonly input: Input; readonly output: Output } {
  const input = once(() => made(schemas.input));
  const output = once(() => made(schemas.output));
  return {
    ...operation,
    get input() {
      return input();
    },
    get output() {
      return output();
    },
  };
}

function made<Schema>(schema: Lazily<Schema>): Schema {
  return typeof schema === "function" ? (schema as () => Schema)() : schema;
}

/**
 * The name of an operation on every wire, contract 2.4.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(wireName({ kind: "query", name: "network.peers" }), "query:network.peers.v1");
 * assert.equal(wireName({ kind: "action", name: "files.copy" }), "action:files.copy.input.v1");
 * ```
 */
export function wireName({ kind, name }: Pick<Operation, "kind" | "name">): string {
  return kind === "action" ? `action:${name}.input.v1` : `${kind}:${name}.v1`;
}
