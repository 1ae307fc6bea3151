/**
 * GraphQL types of JSON schemas. A schema that GraphQL has no type for (a union, a map, an empty
 * object) becomes the scalar `JSON`, so every operation can be served.
 */
import {
  GraphQLBoolean,
  GraphQLEnumType,
  type GraphQLFieldConfigArgumentMap,
  GraphQLFloat,
  GraphQLInputObjectType,
  type GraphQLInputType,
  GraphQLList,
  GraphQLNonNull,
  GraphQLObjectType,
  type GraphQLOutputType,
  GraphQLScalarType,
  GraphQLString,
  valueFromASTUntyped,
} from "graphql";

/** The part of JSON Schema that our schemas use. */
export interface JsonSchema {
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
}

const NAME = /^(?!__)[_A-Za-z][_0-9A-Za-z]*$/;
const ENUM_VALUE = /^(?!true$|false$|null$)(?!__)[_A-Za-z][_0-9A-Za-z]*$/;

/** Any JSON value. */
export const JsonScalar = new GraphQLScalarType({
  name: "JSON",
  description: "Any JSON value",
  serialize: (value) => value,
  parseValue: (value) => value,
  parseLiteral: (node, variables) => valueFromASTUntyped(node, variables),
});

/** Makes the types of one schema document; types of one name are made once. */
export class TypeMaker {
  readonly #enums = new Map<string, GraphQLEnumType>();

  /** @param name For the type, if the schema needs one of its own. */
  output(schema: JsonSchema, name: string): GraphQLOutputType {
    if (schema.type === "array" && schema.items) {
      return new GraphQLList(new GraphQLNonNull(this.output(schema.items, `${name}Item`)));
    }
    const fields = fieldsOf(schema);
    if (!fields) return this.#leaf(schema, name);
    return new GraphQLObjectType({
      name,
      ...described(schema),
      fields: Object.fromEntries(fields.map(([key, property, isRequired]) => {
        const type = this.output(property, `${name}${pascalCase(key)}`);
        return [key, {
          type: isRequired ? new GraphQLNonNull(type) : type,
          ...described(property),
        }];
      })),
    });
  }

  /** As {@link TypeMaker.output}, for what callers send. */
  input(schema: JsonSchema, name: string): GraphQLInputType {
    if (schema.type === "array" && schema.items) {
      return new GraphQLList(new GraphQLNonNull(this.input(schema.items, `${name}Item`)));
    }
    if (!fieldsOf(schema)) return this.#leaf(schema, name);
    return new GraphQLInputObjectType({
      name: `${name}Input`,
      ...described(schema),
      fields: this.arguments(schema, name),
    });
  }

  /** The properties of an object schema as arguments. */
  arguments(schema: JsonSchema, name: string): GraphQLFieldConfigArgumentMap {
    return Object.fromEntries((fieldsOf(schema) ?? []).map(([key, property, isRequired]) => {
      const type = this.input(property, `${name}${pascalCase(key)}`);
      const mustBeGiven = isRequired && property.default === undefined;
      return [key, {
        type: mustBeGiven ? new GraphQLNonNull(type) : type,
        ...(property.default === undefined ? {} : { defaultValue: property.default }),
        ...described(property),
      }];
    }));
  }

  #leaf(schema: JsonSchema, name: string): GraphQLScalarType | GraphQLEnumType {
    if (schema.enum?.every((value) => ENUM_VALUE.test(String(value)))) {
      return this.#enum(schema.enum.map(String), name);
    }
    switch (schema.type) {
      case "string":
        return GraphQLString;
      case "boolean":
        return GraphQLBoolean;
      case "number":
      case "integer": // sizes exceed the 32 bits of Int
        return GraphQLFloat;
      default:
        return JsonScalar;
    }
  }

  #enum(values: readonly string[], name: string): GraphQLEnumType {
    const key = values.join();
    const known = this.#enums.get(key);
    if (known) return known;
    const type = new GraphQLEnumType({
      name,
      values: Object.fromEntries(values.map((value) => [value, { value }])),
    });
    this.#enums.set(key, type);
    return type;
  }
}

/** `core.system_info` becomes `CoreSystemInfo`. */
export function pascalCase(name: string): string {
  return name.split(/[._]/).map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
}

/** `core.system_info` becomes `coreSystemInfo`. */
export function camelCase(name: string): string {
  const pascal = pascalCase(name);
  return pascal.charAt(0).toLowerCase() + pascal.slice(1);
}

function fieldsOf(
  { type, properties, required }: JsonSchema,
): (readonly [string, JsonSchema, boolean])[] | undefined {
  const entries = Object.entries(properties ?? {});
  if (type !== "object" || entries.length === 0) return undefined;
  if (!entries.every(([key]) => NAME.test(key))) return undefined;
  return entries.map(([key, property]) => [key, property, required?.includes(key) ?? false]);
}

function described({ description }: JsonSchema): { description?: string } {
  return description === undefined ? {} : { description };
}
