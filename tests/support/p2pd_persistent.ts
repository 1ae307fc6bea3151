/** A persistent connection to a p2pd, as hivemind's programs hold one. */
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { ClientSocket } from "../../src/p2pd/client_socket.ts";
import { dialControl } from "../../src/p2pd/client/control.ts";
import {
  PersistentRequest,
  type PersistentRequestFields,
  PersistentResponse,
  type PersistentResponseFields,
  Request,
  Response,
} from "../../src/p2pd/wire/messages.ts";
import type { P2pd } from "./p2pd_process.ts";

/** Sends requests and matches answers by call id; calls for us go to `onCall`. */
export class Persistent {
  readonly #socket: ClientSocket;
  readonly #waiting = new Map<string, (response: PersistentResponseFields) => void>();
  /** Calls of other peers and their cancellations. */
  onCall: (response: PersistentResponseFields) => void = () => undefined;

  private constructor(socket: ClientSocket) {
    this.#socket = socket;
    void this.#read();
  }

  /** Opens one. */
  static async open(p2pd: P2pd): Promise<Persistent> {
    const socket = new ClientSocket(await dialControl(p2pd.listen));
    await socket.write(Request.encode({ type: 9 }));
    const answer = await socket.next();
    if (!answer || Response.decode(answer).type !== 0) throw new TypeError("no upgrade");
    return new Persistent(socket);
  }

  /** Sends a request; resolves with its answer. */
  ask(
    request: Omit<PersistentRequestFields, "callId">,
    callId: Uint8Array = randomBytes(16),
  ): Promise<PersistentResponseFields> {
    const { promise, resolve } = Promise.withResolvers<PersistentResponseFields>();
    this.#waiting.set(Buffer.from(callId).toString("hex"), resolve);
    void this.send({ callId, ...request });
    return promise;
  }

  /** Sends a message that has no answer. */
  async send(request: PersistentRequestFields): Promise<void> {
    await this.#socket.write(PersistentRequest.encode(request));
  }

  /** Closes it. */
  close(): void {
    this.#socket.destroy();
  }

  async #read(): Promise<void> {
    for (let bytes = await this.#socket.next(); bytes; bytes = await this.#socket.next()) {
      const response = PersistentResponse.decode(bytes);
      const key = Buffer.from(response.callId).toString("hex");
      const waiting = this.#waiting.get(key);
      if (response.requestHandling || !waiting) {
        this.onCall(response);
        continue;
      }
      this.#waiting.delete(key);
      waiting(response);
    }
  }
}
