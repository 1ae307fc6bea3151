/** The rules of OpenAPI 3.0.3 (https://spec.openapis.org/oas/v3.0.3) that our documents could break. */
import * as z from "zod";

const TYPES = ["array", "boolean", "integer", "number", "object", "string"] as const;

// The Schema Object: what JSON Schema has and OpenAPI 3.0 has not ("$schema", "const", "null",
// arrays of types, numbers as exclusive bounds) is refused.
const Schema: z.ZodType = z.lazy(() =>
  z.union([
    z.strictObject({ $ref: z.string().startsWith("#/components/schemas/") }),
    z.strictObject({
      type: z.enum(TYPES),
      nullable: z.boolean(),
      format: z.string(),
      description: z.string(),
      enum: z.array(z.unknown()).min(1),
      default: z.unknown(),
      items: Schema,
      properties: z.record(z.string(), Schema),
      required: z.array(z.string()).min(1),
      additionalProperties: z.union([z.boolean(), Schema]),
      allOf: z.array(Schema),
      anyOf: z.array(Schema),
      oneOf: z.array(Schema),
      minimum: z.number(),
      maximum: z.number(),
      exclusiveMinimum: z.boolean(),
      exclusiveMaximum: z.boolean(),
      minLength: z.number(),
      maxLength: z.number(),
      minItems: z.number(),
      maxItems: z.number(),
      pattern: z.string(),
      readOnly: z.boolean(),
    }).partial().refine((schema) => schema.type !== "array" || schema.items !== undefined, {
      error: "an array needs items",
    }),
  ])
);

const Content = z.record(z.string().regex(/^[\w.+-]+\/[\w.+*-]+$/), z.object({ schema: Schema }));
const Response = z.strictObject({ description: z.string(), content: Content.optional() });

const Name = { name: z.string().min(1), required: z.boolean() };
const In = z.enum(["query", "header", "cookie"]);
// A Parameter Object has a schema, or a content with exactly one entry.
const Parameter = z.union([
  z.strictObject({ ...Name, in: In, schema: Schema }),
  z.strictObject({
    ...Name,
    in: In,
    content: Content.refine((content) => Object.keys(content).length === 1, {
      error: "content needs exactly one entry",
    }),
  }),
]);
const SecurityScheme = z.union([
  z.strictObject({
    type: z.literal("http"),
    scheme: z.string(),
    description: z.string().optional(),
  }),
  z.strictObject({
    type: z.literal("apiKey"),
    in: In,
    name: z.string(),
    description: z.string().optional(),
  }),
]);

const Operation = z.strictObject({
  operationId: z.string().optional(),
  summary: z.string().optional(),
  description: z.string().optional(),
  tags: z.array(z.string()).optional(),
  parameters: z.array(Parameter).optional(),
  requestBody: z.strictObject({ required: z.boolean(), content: Content }).optional(),
  security: z.array(z.record(z.string(), z.array(z.string()))).optional(),
  responses: z.record(z.string().regex(/^([1-5]\d\d|default)$/), Response)
    .refine((responses) => Object.keys(responses).length > 0, { error: "no responses" }),
});

const Document = z.strictObject({
  openapi: z.string().regex(/^3\.0\.\d+$/),
  info: z.strictObject({
    title: z.string(),
    version: z.string(),
    description: z.string().optional(),
    license: z.strictObject({ name: z.string(), url: z.url().optional() }).optional(),
  }),
  servers: z.array(z.object({ url: z.string() })).optional(),
  paths: z.record(
    z.string().startsWith("/"),
    z.strictObject({ get: Operation, post: Operation, delete: Operation }).partial(),
  ),
  components: z.strictObject({
    schemas: z.record(z.string(), Schema),
    securitySchemes: z.record(z.string(), SecurityScheme),
  }).partial().optional(),
});

/** What is wrong with an OpenAPI document, a line each; empty when nothing is. */
export function checkOpenApi(document: unknown): string[] {
  const checked = Document.safeParse(document);
  if (!checked.success) {
    return checked.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
  }
  return [
    ...repeatedIds(checked.data),
    ...unknownSchemes(checked.data),
    ...danglingReferences(document),
  ];
}

function repeatedIds({ paths }: z.output<typeof Document>): string[] {
  const ids = Object.values(paths).flatMap(({ get, post, delete: remove }) =>
    [get, post, remove].flatMap((operation) => operation?.operationId ?? [])
  );
  return ids.filter((id, index) => ids.indexOf(id) !== index)
    .map((id) => `operationId "${id}" is not unique`);
}

function unknownSchemes({ paths, components }: z.output<typeof Document>): string[] {
  const known = components?.securitySchemes ?? {};
  return Object.values(paths)
    .flatMap(({ get, post, delete: remove }) => [get, post, remove])
    .flatMap((operation) => operation?.security ?? [])
    .flatMap((requirement) => Object.keys(requirement))
    .flatMap((name) => Object.hasOwn(known, name) ? [] : [`no security scheme "${name}"`]);
}

function danglingReferences(document: unknown): string[] {
  const text = JSON.stringify(document);
  const known = (document as { components?: { schemas?: object } }).components?.schemas ?? {};
  return [...text.matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)]
    .flatMap(([, name = ""]) => Object.hasOwn(known, name) ? [] : [`no schema "${name}"`]);
}
