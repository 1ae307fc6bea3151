import * as z from "zod";
import { DaemonError, toDaemonError } from "./errors.ts";
import type { Operation } from "./operation.ts";
import { wireName } from "./operation.ts";
import { withDeadline } from "./time.ts";

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
  /** Longest run of one call, in milliseconds. @default {30_000} */
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

  /**
   * Runs one operation.
   *
   * @param wire Its wire name, such as `query:network.peers.v1`.
   * @param input Anything; checked against the operation's schema.
   * @throws {DaemonError} `unimplemented` for an unknown name, `invalid_argument` for a bad input,
   *   `deadline_exceeded`, or what the operation reports; anything else becomes `internal`.
   */
  async call(wire: string, input: unknown, signal: AbortSignal): Promise<unknown> {
    const operation = this.#operations.get(wire);
    if (!operation) {
      throw new DaemonError("unimplemented", `Cannot call "${wire}": no such operation`);
    }
    const started = performance.now();
    let outcome = "ok";
    try {
      return await this.#run(operation, input, signal);
    } catch (failure) {
      const error = toDaemonError(failure);
      outcome = error.code;
      throw error;
    } finally {
      this.#onCall?.({ operation: wire, outcome, durationMs: performance.now() - started });
    }
  }

  #add(operation: Operation<Components>): void {
    const wire = wireName(operation);
    if (this.#operations.has(wire)) {
      throw new DaemonError("already_exists", `Cannot declare "${wire}" twice`);
    }
    this.#operations.set(wire, operation);
  }

  #run(operation: Operation<Components>, input: unknown, signal: AbortSignal): Promise<unknown> {
    const parsed = operation.input.safeParse(input);
    if (!parsed.success) {
      throw new DaemonError(
        "invalid_argument",
        `Cannot call "${wireName(operation)}": ${z.prettifyError(parsed.error)}`,
      );
    }
    const result = operation.run(parsed.data, this.#components, { signal });
    if (!(result instanceof Promise)) return Promise.resolve(result);
    return withDeadline(result, this.#callTimeoutMs, `finish "${wireName(operation)}"`);
  }
}
