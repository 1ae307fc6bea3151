/** Calls of tests at a daemon's control socket; a Unix socket is reached from every namespace. */
import { join } from "node:path";
import { connectLocal, DaemonError } from "../../src/core/mod.ts";

/** Calls an operation and gives its answer. @throws {DaemonError} with the error as it came. */
export async function callControl(
  dataDir: string,
  method: string,
  payload: unknown = {},
): Promise<Record<string, unknown>> {
  const kind = method.startsWith("query:") ? "Query" : "Action";
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = await connectLocal({ path: join(dataDir, "daemon", "daemon.sock") });
  let text = "";
  socket.setEncoding("utf8").on("data", (chunk) => text += chunk).on("end", () => resolve(text));
  socket.on("error", reject);
  socket.end(`${JSON.stringify({ [kind]: { method, payload } })}\n`);
  const answer = JSON.parse(await promise);
  if (answer.JsonOk !== undefined) return answer.JsonOk;
  throw new DaemonError("aborted", JSON.stringify(answer));
}

/** Calls a query by its name. */
export function ask(
  dataDir: string,
  name: string,
  payload?: unknown,
): Promise<Record<string, unknown>> {
  return callControl(dataDir, `query:${name}.v1`, payload);
}

/** Calls an action by its name. */
export function act(
  dataDir: string,
  name: string,
  payload?: unknown,
): Promise<Record<string, unknown>> {
  return callControl(dataDir, `action:${name}.input.v1`, payload);
}
