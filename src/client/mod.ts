/**
 * Typed calls to a running daemon, for the programs of its user.
 *
 * ```ts ignore
 * import { connect } from "./src/client/mod.ts";
 *
 * await using client = await connect(); // or { instance: "dev" }, { dataDir }, { socket }
 * const { peers } = await client.query("network.peers", { connected: true });
 * for (const { peer_id } of peers) console.log(peer_id);
 *
 * const copy = { sources: ["/home/ada/a.txt"], destination: "/home/ada/b.txt" };
 * const { job_id } = await client.action("files.copy", copy, { libraryId: "default" });
 * for await (const job of client.stream("jobs.watch", { job_id })) console.log(job.progress);
 *
 * for await (const event of client.subscribe({ types: ["DeviceConnected"] })) {
 *   if ("Lagged" in event) console.log("lost", event.Lagged.dropped);
 *   else console.log(event);
 * }
 * ```
 *
 * Failures are {@link ControlError}s: `code` is gRPC's, `errorClass` that of the wire, and the
 * message says what to do. A refused connection is tried again after 50, 100 and 200 ms, and a query
 * whose connection broke as well; an action is never sent twice.
 */
export {
  type DaemonChoice,
  type DaemonPlace,
  type Endpoint,
  endpointOf,
  findDaemon,
} from "./address.ts";
export {
  type CallOptions,
  Client,
  type ClientInit,
  connect,
  type LogItem,
  type LogsOptions,
  type SubscribeOptions,
} from "./client.ts";
export { ControlError, type ControlErrorClass, NotRunningError } from "./errors.ts";
export { lastLogLines, type LogLine } from "./offline.ts";
export type {
  Answer,
  BatchAnswer,
  BatchAnswers,
  BatchRequest,
  CallArguments,
  InputOf,
  Method,
  MethodInput,
  MethodOutput,
  NameOf,
  OutputOf,
} from "./types.ts";
