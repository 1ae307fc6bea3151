import type { Context, Hono } from "hono";
import {
  type CallContext,
  DaemonError,
  type Operation,
  type OperationRegistry,
  wireName,
} from "../../core/mod.ts";
import type { HttpAccess } from "../http_access.ts";
import { HttpError } from "../http_error.ts";
import { readJsonObject } from "../json_body.ts";
import type { StreamPlaces } from "../stream_places.ts";
import { eventStream } from "./event_stream.ts";
import { restPath } from "./openapi.ts";

/** The library a call concerns when it names none, contract 2.4. */
export const DEFAULT_LIBRARY = "default";
/** Longest request id, contract 2.3. */
const MAX_REQUEST_ID = 64;

/** What the routes use. */
export interface RouteComponents<Components> {
  registry: OperationRegistry<Components>;
  access: HttpAccess;
  streams: StreamPlaces;
}

type Described = Pick<
  Operation,
  "kind" | "name" | "scope" | "input" | "aliases" | "isOwnersAlone"
>;

/** One route an operation: `GET` for queries and streams, `POST` with leave for actions. */
export function addOperationRoutes<Components>(
  app: Hono,
  components: RouteComponents<Components>,
): void {
  for (const operation of components.registry.list()) {
    for (const path of [restPath(operation), ...operation.aliases ?? []]) {
      const method = operation.kind === "action" ? "POST" : "GET";
      app.on(method, path, (context) => answer(context, components, operation));
      app.all(path, () => {
        const message = `Cannot call ${operation.name} so: use ${method} ${path}`;
        throw new HttpError(405, "unimplemented", message, { allow: method });
      });
    }
  }
}

async function answer<Components>(
  context: Context,
  components: RouteComponents<Components>,
  operation: Described,
): Promise<Response> {
  if (operation.kind === "stream") return openStream(context, components, operation);
  const input = operation.kind === "action"
    ? await fromBody(context, components, operation)
    : fromQuery(operation, new URL(context.req.url).searchParams);
  const call = callOf(context, operation, input, context.req.raw.signal);
  const output = await components.registry.call(wireName(operation), call.input, call.context);
  return context.json((output ?? null) as never);
}

function openStream<Components>(
  context: Context,
  { registry, streams }: RouteComponents<Components>,
  operation: Described,
): Response {
  const input = fromQuery(operation, new URL(context.req.url).searchParams);
  const leaving = new AbortController();
  const signal = AbortSignal.any([leaving.signal, context.req.raw.signal]);
  const call = callOf(context, operation, input, signal);
  const release = streams.take();
  try {
    const items = registry.open(wireName(operation), call.input, call.context);
    const onEnd = () => {
      release();
      leaving.abort();
    };
    return eventStream(items, { onEnd });
  } catch (failure) {
    release();
    throw failure;
  }
}

// The library stands beside the payload on the control socket; here both share one object.
function callOf(
  context: Context,
  { scope }: Described,
  given: Record<string, unknown>,
  signal: AbortSignal,
): { input: Record<string, unknown>; context: CallContext } {
  const requestId = requestIdOf(context);
  if (scope !== "library") return { input: given, context: { signal, requestId } };
  const { library_id: libraryId = DEFAULT_LIBRARY, ...input } = given;
  if (typeof libraryId === "string") return { input, context: { signal, requestId, libraryId } };
  throw new DaemonError("invalid_argument", "Cannot use library_id: it is not a string");
}

function requestIdOf(context: Context): string {
  const given = context.req.header("x-request-id");
  const isUsable = given !== undefined && given.length <= MAX_REQUEST_ID &&
    /^[\x21-\x7e]+$/.test(given);
  const requestId = isUsable ? given : crypto.randomUUID();
  context.header("x-request-id", requestId);
  return requestId;
}

async function fromBody<Components>(
  context: Context,
  { access }: RouteComponents<Components>,
  operation: Described,
): Promise<Record<string, unknown>> {
  access.check(context.req.raw.headers, operation);
  const body = await readJsonObject(context.req.raw);
  const library = new URL(context.req.url).searchParams.get("library_id");
  return library === null || "library_id" in body ? body : { ...body, library_id: library };
}

// A query string knows only text; the schema knows which fields are something else.
function fromQuery({ input, scope }: Described, parameters: URLSearchParams) {
  const values: Record<string, unknown> = {};
  for (const [name, text] of parameters) {
    if (Object.hasOwn(values, name)) {
      throw new DaemonError(
        "invalid_argument",
        `Cannot use parameter "${name}": it is given twice`,
      );
    }
    const parsed = parseJson(text);
    const isText = scope === "library" && name === "library_id";
    const candidate = { ...values, [name]: parsed };
    values[name] = !isText && isAccepted(input, candidate, name) ? parsed : text;
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
