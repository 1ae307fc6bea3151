/** One request, one connection: how a program speaks to its p2pd. */
import {
  connectLocal,
  DaemonError,
  type LocalSocket,
  messageOf,
  withDeadline,
} from "../../core/mod.ts";
import { ClientSocket } from "../client_socket.ts";
import { parseControlAddress } from "../wire/control_address.ts";
import {
  type Codec,
  Request,
  type RequestFields,
  RESPONSE,
  Response,
  type ResponseFields,
} from "../wire/messages.ts";
import { ConnectionError, IoError, ProtobufError, ProtocolError, TimeoutError } from "./errors.ts";

/** Longest wait for a connection to the control socket. */
const CONNECT_MS = 5_000;
/** How much longer than the daemon's own limit an answer may take. */
const GRACE_MS = 5_000;
/** The daemon's own limit when a request names none, contract 3.2. */
const DEFAULT_TIMEOUT_S = 60;

/** Connects to a control address. @throws {ConnectionError} */
export async function dialControl(address: string): Promise<LocalSocket> {
  const where = parseControlAddress(address);
  try {
    return await connectLocal(where, { timeoutMs: CONNECT_MS });
  } catch (cause) {
    throw new ConnectionError(`Cannot reach the p2pd at ${address}: ${messageOf(cause)}`, {
      cause,
    });
  }
}

/** A connection on which one request was answered. */
export interface Exchange {
  readonly response: ResponseFields;
  readonly socket: ClientSocket;
}

/**
 * Sends a request on a connection of its own, and leaves that open.
 *
 * @param timeoutS What the request allows the daemon.
 * @throws {P2PError} of the kind that fits.
 */
export async function exchange(
  address: string,
  request: RequestFields,
  timeoutS: number = DEFAULT_TIMEOUT_S,
): Promise<Exchange> {
  const socket = new ClientSocket(await dialControl(address));
  try {
    const answer = (async () => {
      await socket.write(Request.encode(request));
      return await readNext(socket, Response);
    })();
    const response = await withDeadline(answer, timeoutS * 1_000 + GRACE_MS, "get an answer");
    if (response.type === RESPONSE.ok) return { response, socket };
    throw new ProtocolError(response.error?.msg ?? "the daemon gave no reason");
  } catch (failure) {
    socket.destroy();
    throw translate(failure, address);
  }
}

/** Sends a request, closes the connection, and gives the answer. */
export async function ask(
  address: string,
  request: RequestFields,
  timeoutS?: number,
): Promise<ResponseFields> {
  const { response, socket } = await exchange(address, request, timeoutS);
  socket.end();
  return response;
}

/** The next message. @throws {IoError} if the connection ends, {ProtobufError} if it is none. */
export async function readNext<Fields>(
  socket: ClientSocket,
  codec: Codec<Fields>,
): Promise<Fields> {
  const bytes = await socket.next();
  if (!bytes) throw new IoError("The p2pd closed the connection without an answer");
  try {
    return codec.decode(bytes);
  } catch (cause) {
    throw new ProtobufError(messageOf(cause), { cause });
  }
}

function translate(failure: unknown, address: string): unknown {
  if (!(failure instanceof DaemonError)) return new IoError(messageOf(failure), { cause: failure });
  if (failure.constructor !== DaemonError) return failure;
  const text = `p2pd at ${address}: ${failure.message}`;
  if (failure.code === "deadline_exceeded") return new TimeoutError(text, { cause: failure });
  if (failure.code === "out_of_range") return new ProtobufError(text, { cause: failure });
  return new IoError(text, { cause: failure });
}
