/** Words everyone shares: services, operations, events, errors, time. Imports nothing of ours. */
export { writeDurably } from "./durable_file.ts";
export { DaemonError, ERROR_CODES, type ErrorCode, messageOf, systemCode } from "./errors.ts";
export { toDaemonError } from "./errors.ts";
export {
  type BusEvent,
  type DaemonEvents,
  EventBus,
  SUBSCRIBER_QUEUE,
  type Subscription,
  type Topic,
  topicMatches,
} from "./event_bus.ts";
export { guard } from "./guard.ts";
export { Health, type HealthEntry } from "./health.ts";
export { kept } from "./kept.ts";
export {
  type FolderLogger,
  LOG_LEVELS,
  type LogFilter,
  logger,
  type LogLevel,
  type LogProperties,
} from "./log.ts";
export {
  type CallContext,
  type Operation,
  type OperationKind,
  query,
  wireName,
} from "./operation.ts";
export { type Clock, type Random, systemClock, systemRandom, type Timer } from "./ports.ts";
export { Metrics } from "./metrics.ts";
export { type CallObserver, OperationRegistry, type OperationRegistryInit } from "./registry.ts";
export { Daemon, type DaemonInit, type Service } from "./service.ts";
export { type BackoffInit, backoffMs, pause, withDeadline } from "./time.ts";
export { releaseWhenClosed } from "./sockets.ts";
