import { GraphQLError, parse } from "graphql";
import { createYoga, type Plugin } from "graphql-yoga";
import { toDaemonError } from "../../core/mod.ts";
import type { HttpAccess } from "../http_access.ts";
import { HttpError } from "../http_error.ts";
import { limitsRule, MAX_TOKENS } from "./limits.ts";
import { createSchema, type RequestFacts, type SchemaComponents } from "./schema.ts";

/** What {@link createEngine} uses. */
export interface EngineComponents<Components> extends SchemaComponents<Components> {
  /** Knows who may change things. */
  access: HttpAccess;
}

/** Answers GraphQL requests that were checked; loaded at first use, because it is large. */
export function createEngine<Components>(
  components: EngineComponents<Components>,
  endpoint: string,
): (request: Request) => Promise<Response> {
  const yoga = createYoga<Record<never, never>, RequestFacts>({
    schema: createSchema(components),
    graphqlEndpoint: endpoint,
    context: ({ request }) => factsOf(request, components),
    plugins: [limits],
    maskedErrors: { maskError: (failure) => maskError(failure) },
    landingPage: false,
    graphiql: false,
    batching: false,
    multipart: false,
    cors: false,
    logging: false,
  });
  return async (request) => await yoga.fetch(request);
}

function factsOf<Components>(
  { headers, signal }: Request,
  { access }: EngineComponents<Components>,
): RequestFacts {
  return {
    signal,
    requestId: headers.get("x-request-id")?.slice(0, 64) || crypto.randomUUID(),
    checkAccess: (operation) => access.check(headers, operation),
  };
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
