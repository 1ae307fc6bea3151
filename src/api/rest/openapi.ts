import * as z from "zod";
import type { Operation } from "../../core/mod.ts";

/** Where an operation is found: `GET /api/v1/<noun>/<verb>`. */
export function restPath({ name }: Pick<Operation, "name">): string {
  return `/api/v1/${name.replaceAll(".", "/")}`;
}

/**
 * The OpenAPI 3.0 document of all operations.
 *
 * @param version Of the daemon.
 */
export function openApiDocument(
  operations: readonly Pick<Operation, "name" | "summary" | "input" | "output" | "aliases">[],
  version: string,
): Record<string, unknown> {
  const paths: Record<string, unknown> = {};
  for (const operation of operations) {
    for (const path of [restPath(operation), ...operation.aliases ?? []]) {
      paths[path] = { get: describe(operation, path) };
    }
  }
  return {
    openapi: "3.0.3",
    info: {
      title: "almenad",
      version,
      description: "The local API of the almena daemon. Errors answer {error, message}.",
      license: { name: "Apache-2.0 OR MIT" },
    },
    servers: [{ url: "/" }],
    paths,
    components: { schemas: { Error: ERROR_SCHEMA } },
  };
}

const ERROR_SCHEMA = {
  type: "object",
  required: ["error", "message"],
  properties: { error: { type: "string" }, message: { type: "string" } },
};

function describe(
  operation: Pick<Operation, "name" | "summary" | "input" | "output">,
  path: string,
) {
  const [noun] = operation.name.split(".");
  return {
    operationId: `${operation.name}${
      path === restPath(operation) ? "" : path.replaceAll("/", "_")
    }`,
    summary: operation.summary,
    tags: [noun],
    parameters: parametersOf(operation.input),
    responses: {
      200: { description: "OK", content: jsonContent(schemaOf(operation.output)) },
      default: {
        description: "What could not be done, and why",
        content: jsonContent({ $ref: "#/components/schemas/Error" }),
      },
    },
  };
}

function parametersOf(input: z.ZodType) {
  const schema = schemaOf(input) as {
    properties?: Record<string, unknown>;
    required?: string[];
  };
  return Object.entries(schema.properties ?? {}).map(([name, property]) => ({
    name,
    in: "query",
    required: schema.required?.includes(name) ?? false,
    schema: property,
  }));
}

function schemaOf(schema: z.ZodType): Record<string, unknown> {
  return z.toJSONSchema(schema, { target: "openapi-3.0", io: "input" });
}

function jsonContent(schema: unknown) {
  return { "application/json": { schema } };
}
