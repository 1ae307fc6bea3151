import { createHmac } from "node:crypto";
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { DaemonError } from "../../core/mod.ts";
import { addressOf, type Resolve } from "./target.ts";

/** Header of the signature, contract 4.6. */
export const SIGNATURE_HEADER = "X-Almena-Signature-256";

/** One delivery. */
export interface Post {
  readonly url: URL;
  readonly body: string;
  /** Signs the body where there is one. */
  readonly secret: string;
  readonly resolve: Resolve;
}

/**
 * Sends a body. The answer ends with its status: no redirect is followed and no byte of it is read.
 *
 * @returns The HTTP status.
 * @throws {DaemonError} if there is none before the signal aborts.
 */
export async function post(
  { url, body, secret, resolve }: Post,
  signal: AbortSignal,
): Promise<number> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = () =>
    aborted.reject(new DaemonError("deadline_exceeded", "The receiver did not answer in time"));
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) onAbort();
  aborted.promise.catch(() => undefined);
  try {
    const address = await Promise.race([addressOf(url, resolve), aborted.promise]);
    const answer = send(url, address, body, headersOf(url, body, secret), signal);
    answer.catch(() => undefined);
    return await Promise.race([answer, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

function headersOf(url: URL, body: string, secret: string): Record<string, string> {
  return {
    "host": url.host,
    "content-type": "application/json",
    "content-length": String(new TextEncoder().encode(body).byteLength),
    "user-agent": "almenad",
    "connection": "close",
    ...secret
      ? { [SIGNATURE_HEADER]: createHmac("sha256", secret).update(body).digest("hex") }
      : {},
  };
}

function send(
  url: URL,
  address: string,
  body: string,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const isSecure = url.protocol === "https:";
  const options = {
    host: address,
    port: url.port || (isSecure ? 443 : 80),
    path: `${url.pathname}${url.search}`,
    method: "POST",
    agent: false,
    headers,
    ...isSecure ? { servername: url.hostname } : {},
  } as const;
  const sent = (isSecure ? requestHttps : requestHttp)(options, (answer) => {
    resolve(answer.statusCode ?? 0);
    answer.on("error", () => undefined);
    sent.destroy();
  });
  const onAbort = () => sent.destroy();
  signal.addEventListener("abort", onAbort);
  sent.on("error", reject);
  sent.on("close", () => signal.removeEventListener("abort", onAbort));
  sent.end(body);
  return promise;
}
