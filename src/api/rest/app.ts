import { type Context, Hono } from "hono";
import { type Health, toDaemonError } from "../../core/mod.ts";
import { HttpError } from "../http_error.ts";
import { openApiDocument } from "./openapi.ts";
import { addOperationRoutes, type RouteComponents } from "./operation_routes.ts";
import { addPage } from "./page.ts";
import { refusalOf } from "./request_guard.ts";
import { addSessionRoutes, type SessionComponents } from "./session_routes.ts";
import { toHttpStatus } from "./status.ts";
import { swaggerAssetOf, swaggerPage, swaggerScript } from "./swagger.ts";

/** What {@link createApp} uses. */
export interface AppComponents<Components>
  extends RouteComponents<Components>, Pick<SessionComponents, "sessions"> {
  health: Health;
  metrics: { contentType: string; metrics(): Promise<string> };
  readAsset(name: string): Promise<Uint8Array>;
  /** Answers what comes to `/graphql`. */
  graphql(request: Request): Promise<Response>;
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
    components.access.noticeUse(context.req.raw.headers);
    await next();
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) {
      if (!context.res.headers.has(name)) context.header(name, value);
    }
  });
  addSessionRoutes(app, components);
  addOperationRoutes(app, components);
  for (const path of ["/graphql", "/graphql/:file"]) {
    app.all(path, (context) => components.graphql(context.req.raw));
  }
  addProbes(app, components);
  addDocuments(app, components, init);
  addPage(app, components);
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

function failed(context: Context, failure: unknown): Response {
  const { code, message } = toDaemonError(failure);
  const status = failure instanceof HttpError ? failure.status : toHttpStatus(code);
  if (failure instanceof HttpError) {
    for (const [name, value] of Object.entries(failure.headers)) context.header(name, value);
  }
  return context.json({ error: code, message }, status as 500);
}
