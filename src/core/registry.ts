import * as z from "zod";
import { DaemonError, toDaemonError } from "./errors.ts";
import type { CallContext, CallOperation, Operation } from "./operation.ts";
import { wireName } from "./operation.ts";
import { interpretSchemas } from "./interpret_schemas.ts";
import { withDeadline } from "./time.ts";

interpretSchemas();

/** Told of every finished call. */
export type CallObserver = (call: {
  /** Wire name of the operation. */
  operation: string;
  /** `ok`, or the code of the {@link DaemonError}. */
  outcome: string;
  durationMs: number;
}) => void;

/** How an {@link OperationRegistry} behaves. */
export interface OperationRegistryInit {
  /** Longest run of a call whose operation names no limit, in milliseconds. @default {30_000} */
  callTimeoutMs?: number;
  /** Told of every finished call, for metrics. */
  onCall?: CallObserver;
}

/** Every operation by its wire name: looks up, checks the input, runs, counts and times. */
export class OperationRegistry<Components> {
  readonly #operations = new Map<string, Operation<Components>>();
  readonly #components: Components;
  readonly #callTimeoutMs: number;
  readonly #onCall: CallObserver | undefined;

  /**
   * @param components What the operations may use.
   * @throws {DaemonError} `already_exists` if two operations have one name.
   */
  constructor(
    components: Components,
    operations: readonly Operation<Components>[],
    init: OperationRegistryInit = {},
  ) {
    this.#components = components;
    this.#callTimeoutMs = init.callTimeoutMs ?? 30_000;
    this.#onCall = init.onCall;
    for (const operation of operations) this.#add(operation);
  }

  /** All operations, in the order they were declared. */
  list(): readonly Operation<Components>[] {
    return [...this.#operations.values()];
  }

  /** One operation by its wire name. */
  find(wire: string): Operation<Components> | undefined {
    return this.#operations.get(wire);
  }

  /**
   * Runs a query or an action.
   *
   * @param wire Its wire name, such as `query:network.peers.v1`.
   * @param input Anything; checked against the operation's schema.
   * @throws {UnknownOperationError} for an unknown name.
   * @throws {InputError} for an input that does not fit the schema.
   * @throws {DaemonError} `invalid_argument` for a missing library, `deadline_exceeded`, or what the
   *   operation reports; anything else becomes `internal`.
   */
  async call(wire: string, input: unknown, context: CallContext): Promise<unknown> {
    const operation = this.#lookUp(wire);
    if (operation.kind === "stream") throw new UnknownOperationError(wire, "it is a stream");
    const started = performance.now();
    let outcome = "ok";
    try {
      return await this.#run(operation, input, context);
    } catch (failure) {
      const error = toDaemonError(failure);
      outcome = error.code;
      throw error;
    } finally {
      this.#onCall?.({ operation: wire, outcome, durationMs: performance.now() - started });
    }
  }

  /**
   * Begins a stream; it ends with the signal.
   *
   * @throws As {@link OperationRegistry.call}, before the first item.
   */
  open(wire: string, input: unknown, context: CallContext): AsyncIterable<unknown> {
    const operation = this.#lookUp(wire);
    if (operation.kind !== "stream") throw new UnknownOperationError(wire, "it is no stream");
    return operation.run(checkInput(operation, input, context), this.#components, context);
  }

  #lookUp(wire: string): Operation<Components> {
    const operation = this.#operations.get(wire);
    if (operation) return operation;
    throw new UnknownOperationError(wire, "no such operation");
  }

  #add(operation: Operation<Components>): void {
    const wire = wireName(operation);
    if (this.#operations.has(wire)) {
      throw new DaemonError("already_exists", `Cannot declare "${wire}" twice`);
    }
    this.#operations.set(wire, operation);
  }

  #run(
    operation: CallOperation<Components>,
    input: unknown,
    context: CallContext,
  ): Promise<unknown> {
    const checked = checkInput(operation, input, context);
    const result = operation.run(checked, this.#components, context);
    if (!(result instanceof Promise)) return Promise.resolve(result);
    const timeoutMs = operation.callTimeoutMs ?? this.#callTimeoutMs;
    return withDeadline(result, timeoutMs, `finish "${wireName(operation)}"`);
  }
}

/** Longest account of what is wrong with an input; a caller may err in a thousand places. */
const MAX_REASON = 2_000;

/** No operation has the name that was called; doors answer with the name itself. */
export class UnknownOperationError extends DaemonError {
  constructor(readonly operation: string, reason: string) {
    super("unimplemented", `Cannot call "${operation}": ${reason}`);
  }
}

/** The input does not fit the operation's schema. */
export class InputError extends DaemonError {
  constructor(operation: string, reason: string) {
    super("invalid_argument", `Cannot call "${operation}": ${reason}`);
  }
}

function checkInput<Components>(
  operation: Operation<Components>,
  input: unknown,
  { libraryId }: CallContext,
): unknown {
  const wire = wireName(operation);
  if (operation.scope === "library" && libraryId === undefined) {
    throw new DaemonError("invalid_argument", `Cannot call "${wire}": library_id is missing`);
  }
  const parsed = operation.input.safeParse(input);
  if (parsed.success) return parsed.data;
  throw new InputError(wire, z.prettifyError(parsed.error).slice(0, MAX_REASON));
}
