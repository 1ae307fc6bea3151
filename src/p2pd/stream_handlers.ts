import type { Connection, Libp2p, Stream } from "@libp2p/interface";
import { connectLocal, DaemonError, guard, type LocalSocket, logger } from "../core/mod.ts";
import { refusal } from "./answer.ts";
import { remoteOf } from "./peer_ids.ts";
import { pipeStream, type StreamWriting } from "./stream_pipe.ts";
import {
  controlAddressKey,
  controlAddressText,
  decodeControlAddress,
} from "./wire/control_address.ts";
import { StreamInfo } from "./wire/messages.ts";

/** Longest wait for a program that takes a protocol's streams. */
const DIAL_TIMEOUT_MS = 10_000;
/** Failures in a row after which a program is taken for gone, contract 3.2. */
const MAX_FAILURES = 3;
/** Streams of one protocol and connection, in and out each; reliability section 2. */
export const MAX_HANDLED_STREAMS = 1_024;

interface Target {
  readonly address: Uint8Array;
  readonly key: string;
  failures: number;
}

interface Registration {
  readonly isBalanced: boolean;
  readonly targets: Target[];
}

const log = logger("p2pd");

/**
 * Which program takes the streams of which protocol: for each stream the daemon connects to the
 * program's address, tells it about the stream, and joins the two.
 */
export class StreamHandlers {
  readonly #node: () => Libp2p;
  readonly #writing: StreamWriting;
  readonly #registrations = new Map<string, Registration>();

  constructor(components: { node(): Libp2p; writing: StreamWriting }) {
    this.#node = components.node;
    this.#writing = components.writing;
  }

  /** Protocols that some program takes. */
  get protocols(): string[] {
    return [...this.#registrations.keys()];
  }

  /**
   * Registers a program for protocols, contract 3.2.
   *
   * @param isBalanced Absent: it replaces whoever held them. True: it shares them in turn.
   * @throws {DaemonError} if another holds one of them alone.
   */
  async add(
    address: Uint8Array,
    protocols: readonly string[],
    isBalanced: boolean | undefined,
  ): Promise<void> {
    const key = controlAddressKey(address);
    for (const protocol of protocols) this.#checkFree(protocol, key, isBalanced);
    for (const protocol of protocols) {
      const target = { address, key, failures: 0 };
      const present = this.#registrations.get(protocol);
      if (isBalanced && present) {
        if (present.targets.every((other) => other.key !== key)) present.targets.push(target);
        continue;
      }
      this.#registrations.set(protocol, { isBalanced: isBalanced ?? false, targets: [target] });
      if (!present) await this.#register(protocol);
    }
  }

  /** Removes a program's protocols. @throws {DaemonError} if it does not hold one of them. */
  async remove(address: Uint8Array, protocols: readonly string[]): Promise<void> {
    const key = controlAddressKey(address);
    for (const protocol of protocols) {
      const targets = this.#registrations.get(protocol)?.targets;
      if (!targets) throw refusal(`handler for protocol ${protocol} does not exist`);
      if (targets.every((target) => target.key !== key)) {
        const where = controlAddressText(decodeControlAddress(address));
        throw refusal(`handler for protocol ${protocol} with maddr ${where} does not exist`);
      }
    }
    for (const protocol of protocols) await this.#drop(protocol, key);
  }

  #checkFree(protocol: string, key: string, isBalanced: boolean | undefined): void {
    const present = this.#registrations.get(protocol);
    if (!present || isBalanced === undefined) return;
    if (isBalanced && present.isBalanced) return;
    if (!isBalanced && !present.isBalanced && present.targets[0]?.key === key) return;
    throw refusal(`handler for protocol ${protocol} already set`);
  }

  async #register(protocol: string): Promise<void> {
    await this.#node().handle(protocol, (stream, connection) => {
      if (stream.readStatus === "readable") stream.pause(); // until the program is there
      guard("hand a stream to a program", () => this.#serve(protocol, stream, connection));
    }, {
      maxInboundStreams: MAX_HANDLED_STREAMS,
      maxOutboundStreams: MAX_HANDLED_STREAMS,
      runOnLimitedConnection: true,
      force: true,
    });
  }

  async #serve(protocol: string, stream: Stream, connection: Connection): Promise<void> {
    const registration = this.#registrations.get(protocol);
    const target = registration?.targets.shift();
    if (!registration || !target) return stream.abort(gone(protocol));
    registration.targets.push(target); // in turn
    let socket: LocalSocket;
    try {
      socket = await dial(target.address);
    } catch (error) {
      stream.abort(gone(protocol, error));
      await this.#failed(protocol, target, error);
      return;
    }
    target.failures = 0;
    socket.write(StreamInfo.encode({ ...remoteOf(connection), proto: stream.protocol }));
    const writing = this.#writing;
    await pipeStream({ stream, socket, rest: new Uint8Array(0), hasEnded: false, writing });
  }

  async #failed(protocol: string, target: Target, error: unknown): Promise<void> {
    target.failures++;
    if (target.failures < MAX_FAILURES) return;
    log.warn("Program does not answer; its protocol is free again", {
      protocol,
      address: target.key,
      error,
    });
    await this.#drop(protocol, target.key);
  }

  async #drop(protocol: string, key: string): Promise<void> {
    const registration = this.#registrations.get(protocol);
    if (!registration) return;
    const at = registration.targets.findIndex((target) => target.key === key);
    if (at >= 0) registration.targets.splice(at, 1);
    if (registration.targets.length > 0) return;
    this.#registrations.delete(protocol);
    await this.#node().unhandle(protocol);
  }
}

/** Connects to a local program; the socket is paused. */
async function dial(address: Uint8Array): Promise<LocalSocket> {
  const limits = { timeoutMs: DIAL_TIMEOUT_MS };
  const socket = await connectLocal(decodeControlAddress(address), limits);
  socket.on("error", () => undefined); // "close" follows
  socket.setNoDelay?.(true);
  socket.pause();
  return socket;
}

function gone(protocol: string, cause?: unknown): DaemonError {
  return new DaemonError("unavailable", `No program takes ${protocol}`, { cause });
}
