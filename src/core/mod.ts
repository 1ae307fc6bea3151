/** Words everyone shares: services, operations, events, errors, time. Imports nothing of ours. */
export { BoundedQueue, type QueueWeight } from "./bounded_queue.ts";
export {
  CONTROL_CONNECTIONS,
  type ControlPlace,
  controlPlaces,
  type ControlPlacesInput,
  MAX_LINE_BYTES,
} from "./control_place.ts";
export {
  APPLICATION_ID,
  checkInstanceName,
  type DataDirs,
  dataDirs,
  type DataDirsInput,
} from "./data_dirs.ts";
export { DOWNLOAD_JOB_PREFIX, itemOfJob } from "./download_job.ts";
export { writeDurably } from "./durable_file.ts";
export { ERROR_CLASS_CODES, type ErrorClass, errorClassOf } from "./error_classes.ts";
export { DaemonError, ERROR_CODES, type ErrorCode, messageOf, systemCode } from "./errors.ts";
export { toDaemonError } from "./errors.ts";
export {
  type BusEvent,
  type DaemonEvents,
  EventBus,
  type JobEvent,
  type JobStatus,
  type LibraryEvent,
  type LocationEvent,
  SUBSCRIBER_QUEUE,
  type Subscription,
  type Topic,
  topicMatches,
} from "./event_bus.ts";
export { guard } from "./guard.ts";
export { Health, type HealthEntry } from "./health.ts";
export { interpretSchemas } from "./interpret_schemas.ts";
export { kept } from "./kept.ts";
export { once } from "./once.ts";
export { type Line, LineReader } from "./line_reader.ts";
export {
  type FolderLogger,
  LOG_LEVELS,
  type LogFilter,
  logger,
  type LogLevel,
  type LogProperties,
} from "./log.ts";
export {
  action,
  type CallContext,
  type CallOperation,
  type Operation,
  type OperationScope,
  query,
  stream,
  type StreamOperation,
  wireName,
} from "./operation.ts";
export { type Clock, type Random, systemClock, systemRandom, type Timer } from "./ports.ts";
export { LoopTurns } from "./loop_turns.ts";
export { Metrics } from "./metrics.ts";
export {
  type CallObserver,
  InputError,
  OperationRegistry,
  type OperationRegistryInit,
  UnknownOperationError,
} from "./registry.ts";
export { Recent, REPLAY_ITEMS, REPLAY_MS } from "./recent.ts";
export { Daemon, type DaemonInit, type Service } from "./service.ts";
export { type BackoffInit, backoffMs, pause, withDeadline } from "./time.ts";
export {
  connectLocal,
  isLive,
  listenLocal,
  type LocalAddress,
  type LocalServer,
  type LocalSocket,
} from "./local_socket.ts";
export { releaseWhenClosed } from "./sockets.ts";
export { spend, spendLast } from "./spent_memory.ts";
export { WarmUp } from "./warm_up.ts";
