import type { Listener, MultiaddrConnection, Transport, Upgrader } from "@libp2p/interface";
import { tcp, type TCPComponents, type TCPOptions } from "@libp2p/tcp";
import type { Server, Socket } from "node:net";
import type { Multiaddr } from "@multiformats/multiaddr";
import { guard, type LoopTurns, releaseWhenClosed, spend } from "../core/mod.ts";

/** Bytes of one connection that may wait for the system; past that its streams wait. */
const MAX_UNSENT_BYTES = 512 * 1024;

/** Longest message of Noise, its length included. */
const SPARE_BYTES = 65_537;

/** Decides about a socket before any protocol is spoken on it. */
export type SocketGate = (socket: Socket) => boolean;

/** The local end of an outbound connection. */
export interface DialFrom {
  readonly localPort: number;
  /** False: the other side speaks first, though we dialled. */
  readonly initiator?: boolean;
  /** Told when the connection stands. */
  used(): void;
  /** Told when the port cannot be had; any other is taken then. */
  refused(): void;
}

/** What {@link guardedTcp} needs besides the options of `@libp2p/tcp`. */
export interface GuardedTcpInit extends TCPOptions {
  /** Refused sockets are destroyed at once. */
  acceptSocket: SocketGate;
  /** Who reads or writes much pauses now and then, so that others have their turn. */
  readonly turns: LoopTurns;
  /** Told of every listener's server as it is made. */
  onServer?(server: Server): void;
  /** From which port to dial an address; any when absent. */
  dialFrom?(address: Multiaddr): DialFrom | undefined;
}

/**
 * `@libp2p/tcp` with three faults of the runtime kept away: an accept callback that throws would
 * end the process, a socket without an error listener too, and `noDelay` among the socket options
 * is ignored on Deno 2.7 (a fresh stream then waits 40 ms for a delayed acknowledgement).
 */
export function guardedTcp(init: GuardedTcpInit): (components: TCPComponents) => Transport {
  const create = tcp(init);
  return (components) => {
    const transport = create(components);
    const dial = transport.dial.bind(transport);
    const createListener = transport.createListener.bind(transport);
    transport.dial = async (address, options) => {
      const how = { ...options, upgrader: prepared(options.upgrader, init.turns) };
      const from = init.dialFrom?.(address);
      if (!from) return await dial(address, how);
      const { localPort, initiator } = from;
      try {
        const connection = await dial(address, { ...how, localPort, initiator } as typeof how);
        from.used();
        return connection;
      } catch (failure) {
        if (!isPortTaken(failure)) throw failure;
        from.refused();
        return await dial(address, how);
      }
    };
    transport.createListener = (options) =>
      guardListener(
        createListener({ ...options, upgrader: prepared(options.upgrader, init.turns) }),
        init,
      );
    return transport;
  };
}

// EINVAL: the same two ends are joined already.
function isPortTaken(failure: unknown): boolean {
  const code = (failure as { code?: unknown } | null)?.code;
  return ["EADDRINUSE", "EADDRNOTAVAIL", "EACCES", "EINVAL"].includes(String(code));
}

function prepared(upgrader: Upgrader, turns: LoopTurns): Upgrader {
  const upgradeOutbound: Upgrader["upgradeOutbound"] = (connection, options) => {
    const { socket } = connection as Sending;
    socket?.setNoDelay(true);
    if (socket) releaseWhenClosed(socket);
    writeAtOnce(connection, turns);
    readInTurns(connection, turns);
    // Where both sides dialled, one is the server for the muxer as well as for the handshake.
    if (options?.initiator === false) Object.assign(connection, { direction: "inbound" });
    return upgrader.upgradeOutbound(connection, options);
  };
  const upgradeInbound: Upgrader["upgradeInbound"] = (connection, options) => {
    writeAtOnce(connection, turns);
    readInTurns(connection, turns);
    return upgrader.upgradeInbound(connection, options);
  };
  return new Proxy(upgrader, {
    get(target, property) {
      if (property === "upgradeOutbound") return upgradeOutbound;
      if (property === "upgradeInbound") return upgradeInbound;
      const value = Reflect.get(target, property);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

interface Sending {
  readonly readStatus?: string;
  socket?: Socket;
  safeDispatchEvent?(type: "drain"): boolean;
  sendData?(data: Pieces): { sentBytes: number; canSendMore: boolean };
}

interface Pieces extends Iterable<Uint8Array> {
  readonly byteLength: number;
}

// What is sent comes in pieces, some for each message, and libp2p writes each by itself and waits
// for the system after every 64 KiB. One write a message, and room for a few more, costs less; so
// does one buffer for all messages that the system takes at once. Long pieces are what was encrypted,
// and nobody's once they are copied.
function writeAtOnce(connection: MultiaddrConnection, turns: LoopTurns): void {
  const sending = connection as Sending;
  const { socket } = sending;
  if (!socket || !sending.sendData) return;
  let spare: Uint8Array | undefined;
  sending.sendData = (data) => {
    const sentBytes = data.byteLength;
    const [first, second] = data;
    if (first && !second) socket.write(first);
    let whole: Uint8Array | undefined;
    let filled = 0;
    const write = () => {
      if (!whole || filled === 0) return;
      spare = undefined;
      socket.write(whole.subarray(0, filled));
      if (socket.writableLength === 0) spare = whole;
      whole = undefined;
      filled = 0;
    };
    for (const piece of second ? data : []) {
      if (filled + piece.byteLength > SPARE_BYTES) write();
      if (piece.byteLength > SPARE_BYTES) {
        socket.write(piece);
        continue;
      }
      whole ??= spare ?? new Uint8Array(SPARE_BYTES);
      whole.set(piece, filled);
      filled += piece.byteLength;
      spend(piece);
    }
    write();
    const hasRoom = () => socket.writableLength < MAX_UNSENT_BYTES;
    const isTurnOver = turns.handled(sentBytes);
    if (isTurnOver) turns.turn().then(() => hasRoom() && sending.safeDispatchEvent?.("drain"));
    return { sentBytes, canSendMore: hasRoom() && !isTurnOver };
  };
}

// The other side's pause is kept: libp2p holds the socket back while its own readers are slow.
function readInTurns(connection: MultiaddrConnection, turns: LoopTurns): void {
  const receiving = connection as Sending;
  const { socket } = receiving;
  let isHeld = false;
  socket?.on("data", ({ byteLength }: Uint8Array) => {
    if (!turns.handled(byteLength) || isHeld) return;
    isHeld = true;
    socket.pause();
    turns.turn().then(() => {
      isHeld = false;
      if (receiving.readStatus !== "paused") socket.resume();
    });
  });
}

function guardListener(listener: Listener, init: GuardedTcpInit): Listener {
  const { server } = listener as unknown as { server: Server };
  init.onServer?.(server);
  hideCloseOfReopened(server);
  const [accept] = server.listeners("connection");
  server.removeAllListeners("connection");
  server.on("connection", (socket: Socket) => {
    socket.on("error", () => undefined); // reported again as the end of the connection
    guard("accept a swarm connection", () => {
      releaseWhenClosed(socket);
      if (!init.acceptSocket(socket)) return void socket.destroy();
      socket.setNoDelay(true);
      accept?.call(server, socket);
    });
  });
  return listener;
}

const reopening = new WeakSet<Server>();

// libp2p forgets a listener whose server says "close": one that is opened anew must not be forgotten.
function hideCloseOfReopened(server: Server): void {
  const listeners = server.listeners("close");
  server.removeAllListeners("close");
  server.on("close", () => {
    if (reopening.has(server) || server.listening) return;
    for (const listener of listeners) listener.call(server);
  });
}

/** Listens anew at the same address; connections stay. For a listener that went deaf. */
export async function reopenServer(server: Server): Promise<void> {
  const address = server.address();
  if (address === null || typeof address === "string") return;
  const { address: host, port, family } = address;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  reopening.add(server);
  try {
    server.close();
    server.once("error", reject);
    server.listen({ host, port, ipv6Only: family === "IPv6" }, resolve);
    await promise;
  } finally {
    server.removeListener("error", reject);
    reopening.delete(server);
  }
}
