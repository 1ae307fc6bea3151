/** Calls to the daemon that serves this page: its public operations, nothing else. */
import type { InputOf, NameOf, OutputOf } from "../../client/mod.ts";
import { readEvents } from "./sse.ts";

/** A call that could not be answered, in words for a person. */
export class CallError extends Error {
  /** gRPC's code, or `offline` where nobody answers. */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.name = "CallError";
  }
}

/** What {@link Calls} uses of the browser. */
export interface CallsInit {
  fetch(path: string, init: RequestInit): Promise<Response>;
}

const TEXTS = new WeakMap<object, string>();

/** An answer as it was written, to compare it with another one; made anew for other values. */
export function textOf(answer: unknown): string {
  const known = typeof answer === "object" && answer !== null ? TEXTS.get(answer) : undefined;
  return known ?? JSON.stringify(answer);
}

/** How the caller shows who it is: by cookie and its word, by token, or not at all. */
export type Credential =
  | { readonly kind: "none" }
  | { readonly kind: "session"; readonly csrf: string }
  | { readonly kind: "token"; readonly token: string };

/** The daemon's operations over HTTP. */
export class Calls {
  readonly #fetch: CallsInit["fetch"];
  credential: Credential = { kind: "none" };

  constructor({ fetch }: CallsInit) {
    this.#fetch = fetch;
  }

  /** Asks. @throws {CallError} */
  async query<N extends NameOf<"query">>(
    name: N,
    input: InputOf<"query", N>,
    signal?: AbortSignal,
  ): Promise<OutputOf<"query", N>> {
    return await this.#json(`${pathOf(name)}${queryText(input)}`, signal ? { signal } : {});
  }

  /** Changes something. @throws {CallError} */
  async act<N extends NameOf<"action">>(
    name: N,
    input: InputOf<"action", N>,
  ): Promise<OutputOf<"action", N>> {
    return await this.#json(pathOf(name), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(input),
    });
  }

  /** Follows a stream until it ends; each time bytes come, `onAlive` is told. */
  async *stream<N extends NameOf<"stream">>(
    name: N,
    input: InputOf<"stream", N>,
    { signal, onAlive }: { signal: AbortSignal; onAlive?: () => void },
  ): AsyncGenerator<OutputOf<"stream", N>> {
    const response = await this.#send(`${pathOf(name)}${queryText(input)}`, { signal });
    if (!response.body) throw new CallError("offline", "Cannot read the stream: it has no body");
    for await (const { event, data } of readEvents(response.body, onAlive)) {
      if (event === "end") return;
      const item = JSON.parse(data);
      if (event === "error") throw new CallError(item.error, item.message);
      yield item;
    }
  }

  /** One request of the session door. @throws {CallError} */
  async session(method: "GET" | "POST" | "DELETE", code?: string): Promise<{ csrf?: string }> {
    return await this.#json("/api/v1/session", {
      method,
      headers: { "content-type": "application/json" },
      ...(code === undefined ? {} : { body: JSON.stringify({ code }) }),
    });
  }

  async #json<T>(path: string, init: RequestInit): Promise<T> {
    const response = await this.#send(path, init);
    if (response.status === 204) return {} as T;
    const text = await response.text();
    const answer = JSON.parse(text);
    if (typeof answer === "object" && answer !== null) TEXTS.set(answer, text);
    return answer;
  }

  async #send(path: string, init: RequestInit): Promise<Response> {
    const headers = { ...init.headers as Record<string, string>, ...this.#shown() };
    const response = await this.#fetch(path, { ...init, headers }).catch((cause) => {
      if (init.signal?.aborted) throw cause;
      throw new CallError("offline", "almenad does not answer", { cause });
    });
    if (response.ok) return response;
    const { error, message } = await response.json().catch(() => ({}));
    const code = typeof error === "string" ? error : String(response.status);
    throw new CallError(
      response.status === 401 ? "unauthenticated" : code,
      typeof message === "string" ? message : `almenad answered ${response.status}`,
    );
  }

  #shown(): Record<string, string> {
    const { credential } = this;
    if (credential.kind === "session") return { "x-almenad-csrf": credential.csrf };
    if (credential.kind === "token") return { authorization: `Bearer ${credential.token}` };
    return {};
  }
}

function pathOf(name: string): string {
  return `/api/v1/${name.replaceAll(".", "/")}`;
}

function queryText(input: object): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(input)) {
    if (value === undefined) continue;
    parameters.set(name, typeof value === "string" ? value : JSON.stringify(value));
  }
  const text = parameters.toString();
  return text && `?${text}`;
}
