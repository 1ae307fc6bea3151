import { GraphQLError, parse } from "graphql";
import { createYoga, type Plugin, type YogaServerInstance } from "graphql-yoga";
import { DaemonError, toDaemonError } from "../../core/mod.ts";
import { HttpError } from "../http_error.ts";
import { readJsonObject } from "../json_body.ts";
import { limitsRule, MAX_TOKENS } from "./limits.ts";
import { createSchema, type RequestFacts, type SchemaComponents } from "./schema.ts";

/** Where GraphQL is served, contract 1.7. */
export const GRAPHQL_PATH = "/graphql";

/** What {@link GraphqlDoor} uses. */
export interface GraphqlDoorComponents<Components> extends SchemaComponents<Components> {
  /** Knows the word that lets a caller change things. */
  adminToken: { isIn(authorization: string | null | undefined): boolean };
  /** Reads a file of the explorer page. */
  readAsset(name: string): Promise<Uint8Array>;
}

const FILES: Readonly<Record<string, string>> = {
  "explorer.css": "text/css; charset=utf-8",
  "explorer.js": "text/javascript; charset=utf-8",
};

/** GraphQL over HTTP: every operation as a field, and a page to try them; made at first use. */
export class GraphqlDoor<Components> {
  readonly #components: GraphqlDoorComponents<Components>;
  #yoga: YogaServerInstance<Record<never, never>, RequestFacts> | undefined;

  constructor(components: GraphqlDoorComponents<Components>) {
    this.#components = components;
  }

  /**
   * Answers a request to {@link GRAPHQL_PATH} or below.
   *
   * @throws {HttpError} for a body or method that is not GraphQL's.
   */
  async answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname !== GRAPHQL_PATH) return await this.#file(pathname.split("/").at(-1) ?? "");
    if (request.method === "GET" && wantsPage(request)) {
      return await this.#asset("explorer.html", "text/html; charset=utf-8");
    }
    this.#yoga ??= this.#createYoga();
    return await this.#yoga.fetch(await checkedRequest(request));
  }

  async #file(name: string): Promise<Response> {
    const type = Object.hasOwn(FILES, name) ? FILES[name] : undefined;
    if (type) return await this.#asset(name, type);
    throw new DaemonError("not_found", `Cannot serve "${name}": the page has no such file`);
  }

  async #asset(name: string, type: string): Promise<Response> {
    const content = await this.#components.readAsset(name);
    return new Response(new Uint8Array(content), { headers: { "content-type": type } });
  }

  #createYoga() {
    return createYoga<Record<never, never>, RequestFacts>({
      schema: createSchema(this.#components),
      graphqlEndpoint: GRAPHQL_PATH,
      context: ({ request }) => this.#factsOf(request),
      plugins: [limits],
      maskedErrors: { maskError: (failure) => maskError(failure) },
      landingPage: false,
      graphiql: false,
      batching: false,
      multipart: false,
      cors: false,
      logging: false,
    });
  }

  #factsOf(request: Request): RequestFacts {
    return {
      signal: request.signal,
      requestId: request.headers.get("x-request-id")?.slice(0, 64) || crypto.randomUUID(),
      isAdmin: this.#components.adminToken.isIn(request.headers.get("authorization")),
    };
  }
}

const limits: Plugin = {
  onParse: ({ setParseFn }) =>
    setParseFn((source: string, options?: object) =>
      parse(source, { ...options, maxTokens: MAX_TOKENS })
    ),
  onValidate: ({ addValidationRule }) => addValidationRule(limitsRule),
};

// Code and message as every door tells them; never a stack.
function maskError(failure: unknown): GraphQLError {
  const original = failure instanceof GraphQLError ? failure.originalError : failure;
  if (failure instanceof GraphQLError && !original) return failure;
  const { code, message } = toDaemonError(original);
  const status = original instanceof HttpError ? { http: { status: original.status } } : {};
  const { nodes = null, path = null } = failure instanceof GraphQLError ? failure : {};
  return new GraphQLError(message, { nodes, path, extensions: { code, ...status } });
}

function wantsPage(request: Request): boolean {
  return /\btext\/html\b/.test(request.headers.get("accept") ?? "") &&
    !new URL(request.url).searchParams.has("query");
}

async function checkedRequest(request: Request): Promise<Request> {
  const { method, headers, signal, url } = request;
  if (method === "GET") return request;
  if (method !== "POST") {
    throw new HttpError(405, "unimplemented", `Cannot ${method} GraphQL: use GET or POST`, {
      allow: "GET, POST",
    });
  }
  const body = JSON.stringify(await readJsonObject(request));
  const checked = new Headers(headers);
  checked.delete("content-length");
  checked.set("content-type", "application/json");
  return new Request(url, { method, headers: checked, signal, body });
}
