import process from "node:process";
import { guard, logger, messageOf, type Service, withDeadline } from "../core/mod.ts";
import { EXIT, exitCodeOf } from "./exit_codes.ts";
import type { Output, OutputFormat } from "./output.ts";

/** What the banner and the ready line tell. */
export interface ReadyState {
  readonly version: { readonly version: string };
  readonly peerId: string;
  readonly instance: string;
  readonly pid: number;
  readonly dataDir: string;
  grpcAddresses(): readonly string[];
  restAddress(): string;
  /** Where the control socket is; empty or absent where there is none. */
  controlAddress?(): string;
  p2pAddresses(): readonly string[];
}

/** The daemon to run. */
export interface ForegroundDaemon {
  readonly service: Service;
  readonly state: ReadyState;
  readonly supervisor: Supervisor;
}

/** A supervisor that wants to hear how the daemon fares, such as systemd. */
export interface Supervisor {
  ready(status?: string): Promise<void>;
  reloading(): Promise<void>;
  stopping(): Promise<void>;
}

/** What {@link runForeground} uses. */
export interface ForegroundComponents {
  output: Output;
  /**
   * Makes the daemon; may throw.
   *
   * @param giveUp Ends it with exit code 70.
   * @param shutDown Stops it as SIGTERM does.
   */
  assemble(giveUp: (reason: string) => void, shutDown: () => void): Promise<ForegroundDaemon>;
  /** Reads the configuration again, at SIGHUP. */
  reload(): Promise<void>;
  /** Told once everything is ready. */
  onReady(): Promise<void>;
}

/** How {@link runForeground} behaves. */
export interface ForegroundInit {
  format: OutputFormat;
  /** Stops the daemon as SIGTERM does; for supervisors without signals. */
  signal?: AbortSignal;
}

/** Longest orderly stop, reliability section 4. */
export const STOP_TIMEOUT_MS = 6_000;

const log = logger("cli");

/**
 * Runs the daemon until a signal ends it: SIGTERM and SIGINT stop in order, a second one at once,
 * SIGHUP reads the configuration again.
 *
 * @returns The exit code.
 * @throws What made the daemon fail to start.
 */
export async function runForeground(
  components: ForegroundComponents,
  init: ForegroundInit,
): Promise<number> {
  const ending = Promise.withResolvers<number>();
  const giveUp = (reason: string) => {
    log.error("Daemon gives up", { reason });
    components.output.error(`almenad: ${reason}; ending for the supervisor to start it anew`);
    ending.resolve(EXIT.internal);
  };
  let daemon: ForegroundDaemon | undefined;
  const reload = () => guard("reload", () => reloadNow(components, daemon?.supervisor));
  const release = onSignals({ stop: () => ending.resolve(EXIT.ok), reload }, init.signal);
  try {
    daemon = await components.assemble(giveUp, () => ending.resolve(EXIT.ok));
    const early = await startUnlessStopped(daemon.service, ending.promise);
    if (early !== undefined) return early;
    await components.onReady();
    components.output.out(readyText(daemon.state, init.format));
    await daemon.supervisor.ready(`Listening on ${daemon.state.grpcAddresses().join(", ")}`);
    const code = await ending.promise;
    await daemon.supervisor.stopping();
    return await stopDaemon(daemon.service, code, components.output);
  } finally {
    release();
  }
}

// A signal during start ends it too, once the services that began are up and can be stopped.
async function startUnlessStopped(
  service: Service,
  ending: Promise<number>,
): Promise<number | undefined> {
  await service.start();
  const asked = await Promise.race([ending, Promise.resolve(undefined)]);
  if (asked !== undefined) await service.stop();
  return asked;
}

async function stopDaemon(service: Service, code: number, output: Output): Promise<number> {
  try {
    await withDeadline(service.stop(), STOP_TIMEOUT_MS, "stop in order");
    return code;
  } catch (failure) {
    output.error(`almenad: ${messageOf(failure)}`);
    return exitCodeOf(failure);
  }
}

function onSignals(
  { stop, reload }: { stop: () => void; reload: () => void },
  signal: AbortSignal | undefined,
): () => void {
  let isStopping = false;
  const end = () => {
    if (isStopping) process.exit(EXIT.failed);
    isStopping = true;
    stop();
  };
  const handlers: [NodeJS.Signals, () => void][] = process.platform === "win32"
    ? [["SIGINT", end], ["SIGBREAK", end]]
    : [["SIGINT", end], ["SIGTERM", end], ["SIGHUP", reload]];
  for (const [name, handler] of handlers) process.on(name, handler);
  signal?.addEventListener("abort", end);
  return () => {
    for (const [name, handler] of handlers) process.removeListener(name, handler);
    signal?.removeEventListener("abort", end);
  };
}

async function reloadNow(
  { reload }: ForegroundComponents,
  supervisor: Supervisor | undefined,
): Promise<void> {
  await supervisor?.reloading();
  try {
    await reload();
    log.info("Configuration was read again");
  } catch (error) {
    log.error("Configuration stays as it was", { error });
  }
  await supervisor?.ready();
}

/** The banner for people, or one JSON line with the same facts. */
export function readyText(state: ReadyState, format: OutputFormat): string {
  const control = state.controlAddress?.();
  const facts = {
    event: "ready",
    version: state.version.version,
    peer_id: state.peerId,
    instance: state.instance,
    pid: state.pid,
    grpc_addrs: state.grpcAddresses(),
    rest_addr: state.restAddress(),
    ...(control ? { control_addr: control } : {}),
    p2p_addrs: state.p2pAddresses(),
    data_dir: state.dataDir,
  };
  if (format === "json") return JSON.stringify(facts);
  return [
    `almenad ${facts.version} is ready`,
    `  peer id  ${facts.peer_id}`,
    `  gRPC     ${facts.grpc_addrs.join("  ")}`,
    `  REST     http://${facts.rest_addr}/status  http://${facts.rest_addr}/swagger-ui/`,
    `  page     http://${facts.rest_addr}/  (almenad dashboard opens it)`,
    ...facts.p2p_addrs.map((address, index) =>
      `  ${index === 0 ? "peers  " : "       "}  ${address}`
    ),
    ...(control ? [`  control  ${control}`] : []),
    `  data     ${facts.data_dir}`,
    `  pid      ${facts.pid}  (Ctrl-C stops)`,
  ].join("\n");
}
