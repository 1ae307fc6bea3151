import * as z from "zod";
import type { Operation } from "../../core/mod.ts";
import { CSRF_HEADER } from "../http_access.ts";
import { SESSION_PATH } from "./session_path.ts";

/** Where an operation is found: `GET /api/v1/<noun>/<verb>`. */
export function restPath({ name }: Pick<Operation, "name">): string {
  return `/api/v1/${name.replaceAll(".", "/")}`;
}

type Described = Pick<
  Operation,
  "kind" | "name" | "scope" | "summary" | "input" | "output" | "aliases" | "isOwnersAlone"
>;

/**
 * The OpenAPI 3.0 document of all operations.
 *
 * @param version Of the daemon.
 */
export function openApiDocument(
  operations: readonly Described[],
  version: string,
): Record<string, unknown> {
  const paths: Record<string, unknown> = {};
  for (const operation of operations) {
    for (const path of [restPath(operation), ...operation.aliases ?? []]) {
      const method = operation.kind === "action" ? "post" : "get";
      paths[path] = { [method]: describe(operation, path) };
    }
  }
  paths[SESSION_PATH] = sessionPath();
  return {
    openapi: "3.0.3",
    info: {
      title: "almenad",
      version,
      description: "The local API of the almena daemon. Errors answer {error, message}; changes " +
        "need the admin token, or a page's session; streams are server-sent events.",
      license: { name: "Apache-2.0 OR MIT" },
    },
    servers: [{ url: "/" }],
    paths,
    components: {
      schemas: { Error: ERROR_SCHEMA },
      securitySchemes: {
        adminToken: {
          type: "http",
          scheme: "bearer",
          description: "The word in daemon/admin_token of the data folder",
        },
        pageToken: {
          type: "apiKey",
          in: "header",
          name: CSRF_HEADER,
          description: "The token that /api/v1/session tells a page with a session cookie",
        },
      },
    },
  };
}

const ERROR_SCHEMA = {
  type: "object",
  required: ["error", "message"],
  properties: { error: { type: "string" }, message: { type: "string" } },
};

const CODE_SCHEMA = {
  type: "object",
  required: ["code"],
  properties: { code: { type: "string" } },
};
const TOKEN_SCHEMA = {
  type: "object",
  required: ["csrf"],
  properties: { csrf: { type: "string" } },
};

const LIBRARY_SCHEMA = { type: "string", default: "default" };

function describe(operation: Described, path: string) {
  const [noun] = operation.name.split(".");
  const isAction = operation.kind === "action";
  return {
    operationId: `${operation.name}${
      path === restPath(operation) ? "" : path.replaceAll("/", "_")
    }`,
    summary: operation.summary,
    tags: [noun],
    ...(isAction
      ? { security: securityOf(operation), requestBody: bodyOf(operation) }
      : { parameters: parametersOf(operation) }),
    responses: {
      200: { description: "OK", content: answerOf(operation) },
      default: {
        description: "What could not be done, and why",
        content: jsonContent({ $ref: "#/components/schemas/Error" }),
      },
    },
  };
}

function sessionPath() {
  const responses = {
    200: { description: "OK", content: jsonContent(TOKEN_SCHEMA) },
    default: {
      description: "What could not be done, and why",
      content: jsonContent({ $ref: "#/components/schemas/Error" }),
    },
  };
  const tags = ["session"];
  return {
    get: { summary: "The token of this browser's session", tags, responses },
    post: {
      summary: "Sign this browser in with a code of almenad dashboard",
      tags,
      requestBody: { required: true, content: jsonContent(CODE_SCHEMA) },
      responses,
    },
    delete: {
      summary: "Sign this browser out",
      tags,
      security: [{ adminToken: [] }, { pageToken: [] }],
      responses: { 204: { description: "OK" }, default: responses.default },
    },
  };
}

function securityOf({ isOwnersAlone }: Described) {
  return [{ adminToken: [] }, ...isOwnersAlone ? [] : [{ pageToken: [] }]];
}

function answerOf({ kind, output }: Described) {
  const schema = schemaOf(output);
  return kind === "stream" ? { "text/event-stream": { schema } } : jsonContent(schema);
}

function bodyOf(operation: Described) {
  const schema = schemaOf(operation.input) as ObjectSchema;
  const properties = { ...schema.properties, ...libraryOf(operation) };
  return {
    required: (schema.required?.length ?? 0) > 0,
    content: jsonContent({ ...schema, properties }),
  };
}

function parametersOf(operation: Described) {
  const schema = schemaOf(operation.input) as ObjectSchema;
  const properties = { ...schema.properties, ...libraryOf(operation) };
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: "query",
    required: schema.required?.includes(name) ?? false,
    ...(isPlain(property)
      ? { schema: property }
      : { content: { "application/json": { schema: property } } }),
  }));
}

interface ObjectSchema {
  properties?: Record<string, unknown>;
  required?: string[];
}

function libraryOf({ scope }: Described): Record<string, unknown> {
  return scope === "library" ? { library_id: LIBRARY_SCHEMA } : {};
}

// Lists and objects stand in a query string as JSON.
function isPlain(property: unknown): boolean {
  const { type } = property as { type?: string };
  return type !== undefined && type !== "object" && type !== "array";
}

function schemaOf(schema: z.ZodType): Record<string, unknown> {
  return z.toJSONSchema(schema, { target: "openapi-3.0", io: "input" });
}

function jsonContent(schema: unknown) {
  return { "application/json": { schema } };
}
