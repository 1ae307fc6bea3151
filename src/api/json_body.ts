import { messageOf } from "../core/mod.ts";
import { HttpError } from "./http_error.ts";

/** Largest body of a request, as on the control socket (contract 2.1). */
export const MAX_BODY_BYTES = 1_048_576;

/**
 * Reads the JSON object that a request carries; no body is an empty one.
 *
 * @throws {HttpError} 415 for another content type, 413 for too much, 400 for no JSON object.
 */
export async function readJsonObject(request: Request): Promise<Record<string, unknown>> {
  const bytes = await readBody(request);
  if (bytes.byteLength === 0) return {};
  const type = request.headers.get("content-type") ?? "";
  if (!/^application\/json\s*(;|$)/i.test(type)) {
    throw new HttpError(
      415,
      "invalid_argument",
      `Cannot read a body of type "${type}": expected application/json`,
    );
  }
  const value = parse(bytes);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new HttpError(400, "invalid_argument", "Cannot read the body: expected a JSON object");
}

async function readBody(request: Request): Promise<Uint8Array> {
  if (Number(request.headers.get("content-length") ?? 0) > MAX_BODY_BYTES) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength;
    if (size > MAX_BODY_BYTES) throw tooLarge();
    chunks.push(chunk);
  }
  return join(chunks, size);
}

function join(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return bytes;
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (failure) {
    throw new HttpError(400, "invalid_argument", `Cannot read the body: ${messageOf(failure)}`);
  }
}

// What was not read must not be taken for the next request.
function tooLarge(): HttpError {
  return new HttpError(
    413,
    "resource_exhausted",
    `Cannot read the body: it is larger than ${MAX_BODY_BYTES} bytes`,
    { connection: "close" },
  );
}
