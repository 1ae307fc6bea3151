import {
  type GraphQLFieldConfig,
  type GraphQLFieldConfigArgumentMap,
  GraphQLNonNull,
  GraphQLObjectType,
  GraphQLSchema,
  GraphQLString,
} from "graphql";
import * as z from "zod";
import { type Operation, type OperationRegistry, wireName } from "../../core/mod.ts";
import type { StreamPlaces } from "../stream_places.ts";
import { camelCase, type JsonSchema, pascalCase, TypeMaker } from "./types.ts";

/** The library a call concerns when it names none, contract 2.4. */
const DEFAULT_LIBRARY = "default";

/** What resolvers know of a request. */
export interface RequestFacts {
  readonly signal: AbortSignal;
  readonly requestId: string;
  /** Throws unless the request may make this change. */
  checkAccess(operation: Pick<Operation, "name" | "isOwnersAlone">): void;
}

/** What the schema is made over. */
export interface SchemaComponents<Components> {
  registry: OperationRegistry<Components>;
  streams: StreamPlaces;
}

type Field = GraphQLFieldConfig<unknown, RequestFacts>;
type Described = Pick<
  Operation,
  "kind" | "name" | "scope" | "summary" | "input" | "output" | "isOwnersAlone"
>;

/** Every operation as a field: queries, actions as mutations, streams as subscriptions. */
export function createSchema<Components>(components: SchemaComponents<Components>): GraphQLSchema {
  const types = new TypeMaker();
  const fields = { query: {}, action: {}, stream: {} } as Record<
    Operation["kind"],
    Record<string, Field>
  >;
  for (const operation of components.registry.list()) {
    fields[operation.kind][camelCase(operation.name)] = fieldOf(operation, types, components);
  }
  return new GraphQLSchema({
    query: rootType("Query", fields.query),
    ...(hasAny(fields.action) ? { mutation: rootType("Mutation", fields.action) } : {}),
    ...(hasAny(fields.stream) ? { subscription: rootType("Subscription", fields.stream) } : {}),
  });
}

function rootType(name: string, fields: Record<string, Field>): GraphQLObjectType {
  return new GraphQLObjectType({ name, fields });
}

function hasAny(fields: Record<string, Field>): boolean {
  return Object.keys(fields).length > 0;
}

function fieldOf<Components>(
  operation: Described,
  types: TypeMaker,
  components: SchemaComponents<Components>,
): Field {
  const name = pascalCase(operation.name);
  return {
    type: new GraphQLNonNull(types.output(jsonSchema(operation.output), name)),
    description: operation.summary,
    args: argumentsOf(operation, types, name),
    ...(operation.kind === "stream"
      ? { subscribe: subscriber(operation, components), resolve: (item) => item }
      : { resolve: caller(operation, components) }),
  };
}

function argumentsOf(
  { input, scope }: Described,
  types: TypeMaker,
  name: string,
): GraphQLFieldConfigArgumentMap {
  const args = types.arguments(jsonSchema(input), name);
  if (scope !== "library") return args;
  return { ...args, library_id: { type: GraphQLString, defaultValue: DEFAULT_LIBRARY } };
}

function caller<Components>(
  operation: Described,
  { registry }: SchemaComponents<Components>,
): NonNullable<Field["resolve"]> {
  return async (_source, args, facts) => {
    if (operation.kind === "action") facts.checkAccess(operation);
    const { input, libraryId } = inputOf(operation, args);
    return await registry.call(wireName(operation), input, { ...callOf(facts), ...libraryId });
  };
}

function subscriber<Components>(
  operation: Described,
  { registry, streams }: SchemaComponents<Components>,
): NonNullable<Field["subscribe"]> {
  return (_source, args, facts) => {
    const { input, libraryId } = inputOf(operation, args);
    const release = streams.take();
    const leaving = new AbortController();
    const signal = AbortSignal.any([facts.signal, leaving.signal]);
    const onEnd = () => {
      release();
      leaving.abort();
    };
    try {
      const context = { ...callOf(facts), ...libraryId, signal };
      return endable(registry.open(wireName(operation), input, context), onEnd);
    } catch (failure) {
      onEnd();
      throw failure;
    }
  };
}

// A generator that waits for its next item cannot be told to return; its signal can.
function endable<T>(items: AsyncIterable<T>, onEnd: () => void): AsyncIterableIterator<T> {
  const iterator = items[Symbol.asyncIterator]();
  return {
    async next() {
      try {
        const result = await iterator.next();
        if (result.done) onEnd();
        return result;
      } catch (failure) {
        onEnd();
        throw failure;
      }
    },
    async return() {
      onEnd();
      await iterator.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

function callOf({ signal, requestId }: RequestFacts) {
  return { signal, requestId };
}

// GraphQL says null where JSON says nothing.
function inputOf({ scope }: Described, args: Record<string, unknown>) {
  const { library_id: library, ...rest } = args;
  const isScoped = scope === "library";
  const libraryId = isScoped ? { libraryId: String(library ?? DEFAULT_LIBRARY) } : {};
  return { input: withoutNulls(isScoped ? rest : args), libraryId };
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([, inner]) => inner !== null);
  return Object.fromEntries(entries.map(([key, inner]) => [key, withoutNulls(inner)]));
}

function jsonSchema(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as JsonSchema;
}
