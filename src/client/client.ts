import { randomUUID } from "node:crypto";
import type { EventFilter, EventItem, EventName } from "../operations/mod.ts";
import { type DaemonChoice, type DaemonPlace, findDaemon } from "./address.ts";
import { ControlError, errorIn, NotRunningError } from "./errors.ts";
import { ItemStream, streamSpelling, subscriptionSpelling } from "./item_stream.ts";
import { answerOffline } from "./offline.ts";
import { ConnectionPool, RETRY_WAITS_MS } from "./pool.ts";
import type {
  Answer,
  BatchAnswers,
  BatchRequest,
  CallArguments,
  InputOf,
  Method,
  MethodInput,
  MethodOutput,
  NameOf,
  OutputOf,
} from "./types.ts";
import { pause } from "../core/mod.ts";

/** How a {@link Client} behaves. */
export interface ClientInit extends DaemonChoice {
  /** Connections that all calls share; a stream has one of its own. @default {4} */
  readonly maxConnections?: number;
  /** Longest wait for a connection, in milliseconds. @default {5_000} */
  readonly connectTimeoutMs?: number;
  /** Longest wait for one answer, in milliseconds; the daemon's own limit is 30 s. @default {35_000} */
  readonly timeoutMs?: number;
  /** Answer what can be told from disk if the daemon does not run, and say so. @default {false} */
  readonly offline?: boolean;
  /** What `core.version` answers offline: the version of the installed program. */
  readonly version?: OutputOf<"query", "core.version">;
}

/** How one call is made. */
export interface CallOptions {
  /** The library a library operation concerns. */
  readonly libraryId?: string;
  /** Stands in the daemon's log and in job events; made here if absent. At most 64 characters. */
  readonly requestId?: string;
  /** In place of the client's. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** Which events, and until when. */
export interface SubscribeOptions {
  /** Kinds of events; all if absent. */
  readonly types?: readonly EventName[];
  readonly filter?: EventFilter;
  readonly signal?: AbortSignal;
}

/** Which log lines, and until when. */
export interface LogsOptions {
  readonly filter?: Pick<EventFilter, "level" | "target" | "library_id" | "job_id">;
  readonly signal?: AbortSignal;
}

/** One log line, or how many were lost because they were not read in time. */
export type LogItem = OutputOf<"stream", "logs">;

/**
 * Calls the daemon through its control socket. Made without I/O; connections are opened as needed
 * and shared, and do not keep the process running while nothing waits.
 */
export class Client implements AsyncDisposable {
  readonly daemon: DaemonPlace;
  readonly #pool: ConnectionPool;
  readonly #init: ClientInit;

  /** @throws {DaemonError} `invalid_argument` for a name that no instance may have. */
  constructor(init: ClientInit = {}) {
    this.#init = init;
    this.daemon = findDaemon(init);
    this.#pool = new ConnectionPool(this.daemon, {
      maxConnections: init.maxConnections ?? 4,
      connectTimeoutMs: init.connectTimeoutMs ?? 5_000,
    });
  }

  /** Connections that calls share at the moment. */
  get connections(): number {
    return this.#pool.size;
  }

  /** Whether the daemon answers; gives the round trip in milliseconds. */
  async ping(options: CallOptions = {}): Promise<number> {
    const started = performance.now();
    await this.#ask(JSON.stringify("Ping"), { what: "ping", isRepeatable: true }, options);
    return performance.now() - started;
  }

  /** Asks a query by its name, such as `network.peers`. */
  async query<Name extends NameOf<"query">>(
    name: Name,
    ...[input, options]: CallArguments<InputOf<"query", Name>, CallOptions>
  ): Promise<Answer<OutputOf<"query", Name>>> {
    const answer = await this.callByName(`query:${name}.v1`, input, options);
    return answer as Answer<OutputOf<"query", Name>>;
  }

  /** Runs an action by its name, such as `libraries.create`; it is never sent twice. */
  async action<Name extends NameOf<"action">>(
    name: Name,
    ...[input, options]: CallArguments<InputOf<"action", Name>, CallOptions>
  ): Promise<OutputOf<"action", Name>> {
    const answer = await this.callByName(`action:${name}.input.v1`, input, options);
    return answer as OutputOf<"action", Name>;
  }

  /** Calls a method by its name on the wire, such as `query:network.peers.v1`. */
  async call<M extends Method>(
    method: M,
    ...[input, options]: CallArguments<MethodInput<M>, CallOptions>
  ): Promise<Answer<MethodOutput<M>>> {
    return await this.callByName(method, input, options) as Answer<MethodOutput<M>>;
  }

  /**
   * Calls a method that the compiler does not know.
   *
   * @throws {ControlError} with the daemon's reason, or if it cannot be reached.
   */
  async callByName(
    method: string,
    payload: unknown = {},
    options: CallOptions = {},
  ): Promise<unknown> {
    const kind = method.startsWith("action:") ? "Action" : "Query";
    const line = JSON.stringify({ [kind]: requestBody(method, payload, options) });
    try {
      const answer = await this.#ask(
        line,
        { what: `"${method}"`, isRepeatable: kind === "Query" },
        options,
      );
      return (answer as { JsonOk: unknown }).JsonOk;
    } catch (failure) {
      if (!(failure instanceof NotRunningError)) throw failure;
      const answer = await this.#offlineAnswer(method);
      if (answer === undefined) throw failure;
      return answer;
    }
  }

  /**
   * Sends up to 100 requests at once.
   *
   * @returns What became of each, in their order; one that fails does not hinder the others.
   */
  async batch<const Requests extends readonly BatchRequest[]>(
    requests: Requests,
    options: Omit<CallOptions, "libraryId"> = {},
  ): Promise<BatchAnswers<Requests>> {
    const isRepeatable = requests.every(({ method }) => method.startsWith("query:"));
    const body = requests.map(({ method, payload, libraryId }) => ({
      [method.startsWith("action:") ? "Action" : "Query"]: {
        method,
        payload: payload ?? {},
        ...(libraryId === undefined ? {} : { library_id: libraryId }),
      },
    }));
    const line = JSON.stringify({ Batch: body, request_id: options.requestId ?? randomUUID() });
    const answer = await this.#ask(line, { what: "a batch", isRepeatable }, options);
    return (answer as { Batch: unknown[] }).Batch.map((one) => {
      const error = errorIn(one);
      return error
        ? { ok: false, error }
        : { ok: true, value: (one as { JsonOk: unknown }).JsonOk };
    }) as BatchAnswers<Requests>;
  }

  /** The items of a stream operation by its name, such as `jobs.watch`. */
  stream<Name extends NameOf<"stream">>(
    name: Name,
    ...[input, options]: CallArguments<InputOf<"stream", Name>, CallOptions>
  ): AsyncIterable<OutputOf<"stream", Name>> {
    const items = this.streamByName(`stream:${name}.v1`, input, options);
    return items as AsyncIterable<OutputOf<"stream", Name>>;
  }

  /** The items of a stream that the compiler does not know. */
  streamByName(
    method: string,
    payload: unknown = {},
    options: CallOptions = {},
  ): AsyncIterable<unknown> {
    const request = { Stream: requestBody(method, payload, options) };
    return this.#items(streamSpelling<unknown>(request), options.signal);
  }

  /**
   * What happens: the last 5 seconds first, then everything as it happens. A reader that is too
   * slow gets `{ Lagged: { dropped } }` in place of what it missed.
   */
  subscribe({ types = [], filter, signal }: SubscribeOptions = {}): AsyncIterable<EventItem> {
    const body = { event_types: types, ...(filter ? { filter } : {}), request_id: randomUUID() };
    return this.#items(subscriptionSpelling<EventItem>({ Subscribe: body }), signal);
  }

  /** The daemon's log as it is written, after the last 5 seconds of it. */
  logs({ filter, signal }: LogsOptions = {}): AsyncIterable<LogItem> {
    const body = { ...(filter ? { filter } : {}), request_id: randomUUID() };
    return this.#items(subscriptionSpelling<LogItem>({ SubscribeLogs: body }), signal);
  }

  /** Asks the daemon to stop in order; resolves once it has agreed. */
  async shutDown(options: CallOptions = {}): Promise<void> {
    await this.#ask(JSON.stringify("Shutdown"), { what: "stop", isRepeatable: false }, options);
  }

  /** Closes all connections; what is under way fails. */
  close(): void {
    this.#pool.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  #items<Item>(
    spelling: ReturnType<typeof streamSpelling<Item>>,
    signal: AbortSignal | undefined,
  ): AsyncIterable<Item> {
    const place = this.daemon.place.socket;
    return new ItemStream({ open: (end) => this.#pool.open(end) }, { spelling, place, signal });
  }

  // Whether bytes were sent decides: an action whose answer is lost may have happened, contract 2.6.
  async #ask(
    line: string,
    { what, isRepeatable }: { what: string; isRepeatable: boolean },
    { timeoutMs = this.#init.timeoutMs ?? 35_000, signal }: CallOptions,
  ): Promise<unknown> {
    for (const waitMs of [...RETRY_WAITS_MS, undefined]) {
      try {
        const answer = await this.#pool.use(
          (connection) => connection.send(line, { what, timeoutMs, signal }),
          signal,
        );
        const error = errorIn(answer);
        if (error) throw error;
        return answer;
      } catch (failure) {
        const isLost = failure instanceof ControlError && failure.errorClass === "ReadError";
        if (!isLost || !isRepeatable || waitMs === undefined) throw failure;
        await pause(waitMs, signal);
      }
    }
    return undefined;
  }

  async #offlineAnswer(method: string): Promise<unknown> {
    const { dirs } = this.daemon;
    if (!this.#init.offline || !dirs) return undefined;
    return await answerOffline(method, { dirs, version: this.#init.version });
  }
}

/**
 * Connects to a daemon and sees that it answers.
 *
 * @throws {NotRunningError} if it does not run, unless `offline` answers are wanted.
 * @throws {ControlError} `permission_denied` if it belongs to another user.
 */
export async function connect(init: ClientInit = {}): Promise<Client> {
  const client = new Client(init);
  try {
    await client.ping();
  } catch (failure) {
    if (!init.offline || !(failure instanceof NotRunningError)) {
      client.close();
      throw failure;
    }
  }
  return client;
}

function requestBody(
  method: string,
  payload: unknown,
  { libraryId, requestId }: CallOptions,
): Record<string, unknown> {
  return {
    method,
    payload,
    ...(libraryId === undefined ? {} : { library_id: libraryId }),
    request_id: requestId ?? randomUUID(),
  };
}
