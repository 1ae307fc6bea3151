import { type Context, Hono } from "hono";
import {
  DaemonError,
  type Health,
  type Operation,
  type OperationRegistry,
  toDaemonError,
  wireName,
} from "../../core/mod.ts";
import { openApiDocument, restPath } from "./openapi.ts";
import { refusalOf } from "./request_guard.ts";
import { toHttpStatus } from "./status.ts";
import { swaggerAssetOf, swaggerPage, swaggerScript } from "./swagger.ts";

/** What {@link createApp} uses. */
export interface AppComponents<Components> {
  registry: OperationRegistry<Components>;
  health: Health;
  metrics: { contentType: string; metrics(): Promise<string> };
  readAsset(name: string): Promise<Uint8Array>;
}

/** How the routes behave. */
export interface AppInit {
  endpoint: { host: string };
  allowRemote: boolean;
  version: string;
}

const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy": "default-src 'self'; img-src 'self' data:; style-src 'self' " +
    "'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store",
};

/** All routes of the HTTP door; operations come from the registry. */
export function createApp<Components>(
  components: AppComponents<Components>,
  init: AppInit,
): Hono {
  const app = new Hono();
  const allowedHosts = init.allowRemote ? [init.endpoint.host] : [];
  app.use(async (context, next) => {
    const refusal = refusalOf(context.req.raw.headers, allowedHosts);
    if (refusal) return context.json({ error: "permission_denied", message: refusal }, 403);
    await next();
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) context.header(name, value);
  });
  for (const operation of components.registry.list()) {
    for (const path of [restPath(operation), ...operation.aliases ?? []]) {
      app.get(path, (context) => answer(context, components.registry, operation));
    }
  }
  addProbes(app, components);
  addDocuments(app, components, init);
  app.notFound((context) => context.json({ error: "not_found" }, 404));
  app.onError((failure, context) => failed(context, failure));
  return app;
}

function addProbes<Components>(app: Hono, components: AppComponents<Components>): void {
  const { health, metrics } = components;
  app.get("/healthz", (context) => context.text("ok\n"));
  app.get("/readyz", (context) => {
    const problems = health.list().filter((entry) => !entry.serving);
    return context.json(
      { ready: problems.length === 0, problems },
      problems.length > 0 ? 503 : 200,
    );
  });
  app.get("/metrics", async (context) => {
    context.header("content-type", metrics.contentType);
    return context.body(await metrics.metrics());
  });
}

function addDocuments<Components>(
  app: Hono,
  components: AppComponents<Components>,
  { version }: AppInit,
): void {
  let document: Record<string, unknown> | undefined;
  app.get("/api-docs/openapi.json", (context) => {
    document ??= openApiDocument(components.registry.list(), version);
    return context.json(document);
  });
  app.get("/swagger-ui", (context) => context.redirect("/swagger-ui/"));
  app.get("/swagger-ui/", (context) => context.html(swaggerPage()));
  app.get("/swagger-ui/start.js", (context) => {
    context.header("content-type", "text/javascript; charset=utf-8");
    return context.body(swaggerScript());
  });
  app.get("/swagger-ui/:file", async (context) => {
    const { name, type } = swaggerAssetOf(context.req.param("file"));
    const content = await components.readAsset(name);
    context.header("content-type", type);
    return context.body(new Uint8Array(content));
  });
}

async function answer<Components>(
  context: Context,
  registry: OperationRegistry<Components>,
  operation: Pick<Operation, "kind" | "name" | "input">,
): Promise<Response> {
  const input = fromQuery(operation, new URL(context.req.url).searchParams);
  return context.json(
    await registry.call(wireName(operation), input, { signal: context.req.raw.signal }) as never,
  );
}

// A query string knows only text; the schema knows which fields are something else.
function fromQuery(
  { input }: Pick<Operation, "input">,
  parameters: URLSearchParams,
): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const [name, text] of parameters) {
    if (name in values) {
      throw new DaemonError(
        "invalid_argument",
        `Cannot use parameter "${name}": it is given twice`,
      );
    }
    const parsed = parseJson(text);
    const candidate = { ...values, [name]: parsed };
    values[name] = isAccepted(input, candidate, name) ? parsed : text;
  }
  return values;
}

function isAccepted(input: Operation["input"], candidate: unknown, name: string): boolean {
  const result = input.safeParse(candidate);
  return result.success || !result.error.issues.some((issue) => issue.path[0] === name);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function failed(context: Context, failure: unknown): Response {
  const { code, message } = toDaemonError(failure);
  return context.json({ error: code, message }, toHttpStatus(code) as 500);
}
