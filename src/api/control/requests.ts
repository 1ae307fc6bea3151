/** What a line asks for, contract 2.3. */
import type { Buffer } from "node:buffer";
import { RequestError } from "./status.ts";

/** Requests of one batch, contract 2.3. */
export const MAX_BATCH = 100;
/** Length of a request id, contract 2.3. */
export const MAX_REQUEST_ID = 64;

/** A request that names an operation. */
export interface CallRequest {
  readonly kind: "Action" | "Query" | "Stream";
  readonly method: string;
  readonly libraryId: string | undefined;
  readonly payload: unknown;
  readonly requestId: string | undefined;
}

/** A request without anything beside its name. */
export interface PlainRequest {
  readonly kind: "Ping" | "Shutdown" | "Unsubscribe" | "UnsubscribeLogs";
  readonly requestId: string | undefined;
}

/** A request for events or log lines. */
export interface SubscribeRequest {
  readonly kind: "Subscribe" | "SubscribeLogs";
  /** Input of the stream behind it. */
  readonly payload: Readonly<Record<string, unknown>>;
  readonly requestId: string | undefined;
}

/** Several requests with one answer; each is decoded when its turn comes. */
export interface BatchRequest {
  readonly kind: "Batch";
  readonly requests: readonly unknown[];
  readonly requestId: string | undefined;
}

/** The first line where the file system cannot say who connects. */
export interface AuthRequest {
  readonly kind: "Auth";
  readonly token: string;
  readonly requestId: string | undefined;
}

/** Everything a line may ask for. */
export type ControlRequest =
  | CallRequest
  | PlainRequest
  | SubscribeRequest
  | BatchRequest
  | AuthRequest;

const VARIANTS = [
  "Ping",
  "Action",
  "Query",
  "Stream",
  "Batch",
  "Subscribe",
  "Unsubscribe",
  "SubscribeLogs",
  "UnsubscribeLogs",
  "Shutdown",
  "Auth",
] as const;
type Variant = (typeof VARIANTS)[number];
type Fields = Readonly<Record<string, unknown>>;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Reads one line as JSON. @throws {RequestError} `DeserializationError`. */
export function parseLine(line: Buffer): unknown {
  let text: string;
  try {
    text = decoder.decode(line);
  } catch {
    throw new RequestError("DeserializationError", "Cannot read the request: it is not UTF-8");
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new RequestError("DeserializationError", "Cannot read the request: it is not JSON");
  }
}

/**
 * Finds out what a JSON value asks for.
 *
 * @throws {RequestError} `InvalidRequest` if that is none of the known requests, `ValidationError`
 *   for a field that is too long.
 */
export function parseRequest(value: unknown): ControlRequest {
  if (typeof value === "string") return fromVariant(variantOf(value), undefined, undefined);
  if (!isFields(value)) throw invalid("it is neither a name nor an object with one");
  const { request_id: outerId, ...rest } = value;
  const [entry, ...others] = Object.entries(rest);
  if (!entry || others.length > 0) throw invalid("it must have one field that names the request");
  const [name, body] = entry;
  return fromVariant(variantOf(name), body, outerId);
}

function variantOf(name: string): Variant {
  const known = VARIANTS.find((one) => one === name);
  if (known) return known;
  throw invalid(`"${name.slice(0, 100)}" is not one of ${VARIANTS.join(", ")}`);
}

function fromVariant(kind: Variant, body: unknown, outerId: unknown): ControlRequest {
  switch (kind) {
    case "Batch":
      return { kind, requests: batchOf(body), requestId: requestIdOf(outerId) };
    case "Auth":
      if (typeof body !== "string") throw invalid("Auth needs a token");
      return { kind, token: body, requestId: undefined };
    default:
      return fromFields(kind, body, outerId);
  }
}

function fromFields(
  kind: Exclude<Variant, "Batch" | "Auth">,
  body: unknown,
  outerId: unknown,
): ControlRequest {
  const given = body ?? {};
  if (!isFields(given)) throw invalid(`${kind} needs an object`);
  const { request_id: innerId, ...fields } = given;
  const requestId = requestIdOf(innerId ?? outerId);
  switch (kind) {
    case "Action":
    case "Query":
    case "Stream":
      return { kind, ...callOf(kind, fields), requestId };
    case "Subscribe":
      checkKeys(kind, fields, ["event_types", "filter"]);
      return { kind, payload: { ...fields, event_types: fields["event_types"] ?? [] }, requestId };
    case "SubscribeLogs":
      checkKeys(kind, fields, ["filter"]);
      return { kind, payload: fields, requestId };
    default:
      checkKeys(kind, fields, []);
      return { kind, requestId };
  }
}

function callOf(kind: string, fields: Fields): Omit<CallRequest, "kind" | "requestId"> {
  checkKeys(kind, fields, ["method", "library_id", "payload"]);
  const { method, library_id: libraryId, payload } = fields;
  if (typeof method !== "string") throw invalid(`${kind} needs a method`);
  if (libraryId === undefined || libraryId === null) {
    return { method, libraryId: undefined, payload: payload ?? {} };
  }
  if (typeof libraryId !== "string") throw invalid("library_id is not text");
  return { method, libraryId, payload: payload ?? {} };
}

function batchOf(body: unknown): readonly unknown[] {
  if (!Array.isArray(body)) throw invalid("Batch needs a list of requests");
  if (body.length <= MAX_BATCH) return body;
  throw new RequestError(
    "ValidationError",
    `Cannot serve a batch of ${body.length} requests: at most ${MAX_BATCH} fit in one`,
  );
}

function requestIdOf(id: unknown): string | undefined {
  if (id === undefined || id === null) return undefined;
  if (typeof id !== "string") throw invalid("request_id is not text");
  if (id.length <= MAX_REQUEST_ID && !/\p{C}/u.test(id)) return id;
  throw new RequestError(
    "ValidationError",
    `Cannot use request_id: it must have at most ${MAX_REQUEST_ID} visible characters`,
  );
}

function checkKeys(kind: string, fields: Fields, known: readonly string[]): void {
  const unknown = Object.keys(fields).find((key) => !known.includes(key));
  if (unknown !== undefined) throw invalid(`${kind} has no field "${unknown.slice(0, 100)}"`);
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalid(reason: string): RequestError {
  return new RequestError("InvalidRequest", `Cannot understand the request: ${reason}`);
}
