import assert from "node:assert/strict";
import { openApiDocument, restPath } from "../../../src/api/rest/openapi.ts";
import type { Operation } from "../../../src/core/mod.ts";
import { operations } from "../../../src/operations/mod.ts";
import { checkOpenApi } from "../../support/openapi_check.ts";

Deno.test("restPath() is the noun and the verb", () => {
  assert.equal(restPath({ name: "network.peers" }), "/api/v1/network/peers");
});

Deno.test("openApiDocument() is OpenAPI 3.0 without a fault", () => {
  const document = openApiDocument(operations, "1.2.3");
  assert.deepEqual(checkOpenApi(document), []);
  assert.deepEqual(checkOpenApi(JSON.parse(JSON.stringify(document))), []);
});

Deno.test("openApiDocument() lists every operation at its path and aliases", () => {
  const { paths } = openApiDocument(operations, "1.2.3") as {
    paths: Record<string, Record<string, { summary: string }>>;
  };
  const expected: string[] = [];
  for (const operation of operations as readonly Operation[]) {
    const method = operation.kind === "action" ? "post" : "get";
    for (const path of [restPath(operation), ...operation.aliases ?? []]) {
      assert.equal(paths[path]?.[method]?.summary, operation.summary, path);
      expected.push(path);
    }
  }
  assert.deepEqual(Object.keys(paths), [...expected, "/api/v1/session"]);
});

Deno.test("openApiDocument() describes inputs as query parameters", () => {
  const { paths } = openApiDocument(operations, "1.2.3") as {
    paths: Record<string, { get: { parameters: object[] } }>;
  };
  assert.deepEqual(paths["/api/v1/network/peers"]!.get.parameters, [
    { name: "connected", in: "query", required: false, schema: { type: "boolean" } },
  ]);
});

Deno.test("openApiDocument() puts lists and objects into query parameters as JSON", () => {
  const { paths } = openApiDocument(operations, "1.2.3") as {
    paths: Record<string, { get: { parameters: { name: string; content?: object }[] } }>;
  };
  const parameters = paths["/api/v1/events"]!.get.parameters;
  assert.deepEqual(parameters.map(({ name }) => name), ["event_types", "filter"]);
  assert.ok(parameters.every(({ content }) => content && "application/json" in content));
});

Deno.test("openApiDocument() shows the body and the token of an action", () => {
  const { paths } = openApiDocument(operations, "1.2.3") as {
    paths: Record<string, { post: Record<string, unknown> }>;
  };
  const { post } = paths["/api/v1/files/copy"]!;
  assert.deepEqual(post["security"], [{ adminToken: [] }, { pageToken: [] }]);
  assert.deepEqual(paths["/api/v1/page/code"]!.post["security"], [{ adminToken: [] }]);
  const { content } = post["requestBody"] as {
    content: Record<string, { schema: { properties: object; required: string[] } }>;
  };
  const { properties, required } = content["application/json"]!.schema;
  assert.deepEqual(required, ["sources", "destination"]);
  assert.ok("library_id" in properties);
});

Deno.test("checkOpenApi() finds what is wrong", () => {
  const document = openApiDocument(operations, "1.2.3");
  const faults: [change: Record<string, unknown>, fault: RegExp][] = [
    [{ openapi: "3.1.0" }, /openapi/],
    [{ info: { title: "a" } }, /version/],
    [{ paths: { "no-slash": {} } }, /no-slash/],
    [{ paths: { "/a": { get: {} } } }, /responses/],
    [{ paths: { "/a": { get: { responses: { 200: {} } } } } }, /description/],
  ];
  for (const [change, fault] of faults) {
    assert.match(checkOpenApi({ ...document, ...change }).join("\n"), fault);
  }
});
