import {
  type CallContext,
  logger,
  type Operation,
  type OperationRegistry,
  UnknownOperationError,
} from "../../core/mod.ts";
import {
  type BatchRequest,
  type CallRequest,
  type ControlRequest,
  parseRequest,
} from "./requests.ts";
import { RequestError, toErrorAnswer } from "./status.ts";

/** What {@link Answers} uses. */
export interface AnswersComponents<Components> {
  registry: OperationRegistry<Components>;
  /** Whether the daemon stops, so that nothing new may begin. */
  isStopping(): boolean;
}

const log = logger("api");

/** The answers to requests that have exactly one, as the text of a line. */
export class Answers<Components> {
  readonly #components: AnswersComponents<Components>;

  constructor(components: AnswersComponents<Components>) {
    this.#components = components;
  }

  /** The answer to a request, of whatever class; never rejects. */
  async answer(request: CallRequest | BatchRequest, signal: AbortSignal): Promise<string> {
    if (request.kind !== "Batch") return await this.#call(request, signal);
    const answers: string[] = [];
    for (const one of request.requests) {
      answers.push(await this.#inBatch(one, request.requestId, signal));
    }
    return `{"Batch":[${answers.join(",")}]}`;
  }

  /**
   * Begins a stream.
   *
   * @throws Whatever makes it impossible, before the first item.
   */
  open(request: CallRequest, signal: AbortSignal): AsyncIterable<unknown> {
    this.#check(request);
    const stream = this.#components.registry.open(
      request.method,
      request.payload,
      contextOf(request, signal),
    );
    log.debug("Stream opened", logged(request));
    return stream;
  }

  async #inBatch(
    value: unknown,
    batchId: string | undefined,
    signal: AbortSignal,
  ): Promise<string> {
    try {
      const request = parseRequest(value);
      if (request.kind === "Ping") return JSON.stringify("Pong");
      if (request.kind === "Action" || request.kind === "Query") {
        return await this.#call({ ...request, requestId: request.requestId ?? batchId }, signal);
      }
      throw notInBatch(request);
    } catch (failure) {
      return JSON.stringify(toErrorAnswer(failure));
    }
  }

  async #call(request: CallRequest, signal: AbortSignal): Promise<string> {
    const started = performance.now();
    let outcome = "ok";
    try {
      this.#check(request);
      const context = contextOf(request, signal);
      const { registry } = this.#components;
      return encode(await registry.call(request.method, request.payload, context), request.method);
    } catch (failure) {
      const answer = toErrorAnswer(failure);
      [outcome = ""] = Object.keys(answer.Error);
      return JSON.stringify(answer);
    } finally {
      const durationMs = Math.round((performance.now() - started) * 10) / 10;
      const level = request.kind === "Action" ? "info" : "debug";
      log[level]("Request served", { ...logged(request), outcome, durationMs });
    }
  }

  #check({ kind, method }: CallRequest): void {
    if (this.#components.isStopping()) throw stopping();
    const operation = this.#components.registry.find(method);
    if (operation && KINDS[kind] === operation.kind) return;
    throw new UnknownOperationError(method, operation ? `it is no ${KINDS[kind]}` : "unknown");
  }
}

const KINDS: Readonly<Record<CallRequest["kind"], Operation["kind"]>> = {
  Action: "action",
  Query: "query",
  Stream: "stream",
};

/** The daemon serves nothing new any more. */
export function stopping(): RequestError {
  return new RequestError("CoreUnavailable", "Cannot serve the request: the daemon is stopping");
}

function notInBatch({ kind }: ControlRequest): RequestError {
  return new RequestError(
    "InvalidRequest",
    `Cannot serve ${kind} in a batch: only Ping, Query and Action fit there`,
  );
}

function encode(value: unknown, method: string): string {
  try {
    return `{"JsonOk":${JSON.stringify(value ?? null) ?? "null"}}`;
  } catch {
    throw new RequestError(
      "SerializationError",
      `Cannot answer "${method}": its result has no JSON form`,
    );
  }
}

function contextOf({ requestId, libraryId }: CallRequest, signal: AbortSignal): CallContext {
  return {
    signal,
    ...(requestId === undefined ? {} : { requestId }),
    ...(libraryId === undefined ? {} : { libraryId }),
  };
}

// Never payloads: they may hold what is nobody's business.
function logged({ method, requestId, libraryId }: CallRequest): Record<string, unknown> {
  return {
    method: method.slice(0, 200),
    ...(requestId === undefined ? {} : { requestId }),
    ...(libraryId === undefined ? {} : { libraryId }),
  };
}
