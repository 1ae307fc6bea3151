import { createHash, timingSafeEqual } from "node:crypto";
import { guard, type Line, type LocalSocket, logger } from "../../core/mod.ts";
import { type Answers, stopping } from "./answers.ts";
import { LineSocket } from "./line_socket.ts";
import {
  type AuthRequest,
  type BatchRequest,
  type CallRequest,
  type ControlRequest,
  parseLine,
  parseRequest,
  type PlainRequest,
  type SubscribeRequest,
} from "./requests.ts";
import { lineOf, type Subscribe, SUBSCRIPTIONS } from "./subscription_lines.ts";
import { errorAnswer, RequestError, toErrorAnswer } from "./status.ts";

/** What {@link ControlConnection} uses. */
export interface ConnectionComponents {
  socket: LocalSocket;
  answers: Pick<Answers<never>, "answer" | "open">;
  isStopping(): boolean;
  /** Stops the daemon in order. */
  shutDown(): void;
  monotonic(): number;
}

/** How {@link ControlConnection} behaves. */
export interface ConnectionInit {
  /** What the first line must hold, where file rights cannot keep others away. */
  token?: string | undefined;
}

const log = logger("api");

/** One client: reads its requests, answers them in order, sends its events in between. */
export class ControlConnection {
  readonly #components: ConnectionComponents;
  readonly #lines: LineSocket;
  readonly #token: string | undefined;
  readonly #subscriptions = new Map<Subscribe, { end: AbortController; sent: Promise<void> }>();
  #isTrusted: boolean;
  #current: AbortController | undefined;
  #stream: AbortController | undefined;
  #lastActive: number;

  constructor(components: ConnectionComponents, init: ConnectionInit = {}) {
    this.#components = components;
    this.#token = init.token;
    this.#isTrusted = init.token === undefined;
    this.#lastActive = components.monotonic();
    this.#lines = new LineSocket(components.socket);
    this.#lines.onArrival = () => this.#endStreamIfAsked();
    this.#lines.isListenedTo = () => this.#subscriptions.size > 0 || this.#stream !== undefined;
    this.#lines.closed.addEventListener("abort", () => this.#abortAll(), { once: true });
  }

  /** Whether it only listens, or is gone without our notice: it may make room for another. */
  get isForsaken(): boolean {
    return this.#lines.isHalfClosed && this.#lines.isListenedTo();
  }

  /** Whether the client has shown that it may ask. */
  get isTrusted(): boolean {
    return this.#isTrusted;
  }

  /** Milliseconds since the last request or answer; 0 while something is under way. */
  idleMs(): number {
    const isBusy = this.#current !== undefined || this.#stream !== undefined;
    if (isBusy || this.#subscriptions.size > 0) return 0;
    return this.#components.monotonic() - this.#lastActive;
  }

  /** Serves until the client has left, or everything it asked is answered; never rejects. */
  async run(): Promise<void> {
    try {
      for (let line = await this.#lines.next(); line; line = await this.#lines.next()) {
        const goesOn = await this.#serve(line);
        this.#lastActive = this.#components.monotonic();
        if (!goesOn) break;
      }
      await Promise.all([...this.#subscriptions.values()].map(({ sent }) => sent));
      await this.#lines.finish();
    } catch (error) {
      if (!this.#lines.closed.aborted) log.warn("Control connection failed", { error });
      this.#lines.destroy();
    } finally {
      this.#abortAll();
    }
  }

  /** Takes no further requests and ends what is sent; what was asked is still answered. */
  stop(): void {
    this.#lines.stopReading();
    this.#stream?.abort();
    for (const { end } of this.#subscriptions.values()) end.abort();
  }

  /** Closes at once. */
  destroy(): void {
    this.#lines.destroy();
  }

  // Whether further lines are read.
  async #serve(line: Line): Promise<boolean> {
    if (line === "too large") return await this.#refuseSize();
    let request: ControlRequest;
    try {
      request = parseRequest(parseLine(line));
    } catch (failure) {
      if (!this.#isTrusted) return await this.#refuseStranger();
      await this.#write(toErrorAnswer(failure));
      return true;
    }
    if (!this.#isTrusted) return await this.#authenticate(request);
    return await this.#dispatch(request);
  }

  async #dispatch(request: ControlRequest): Promise<boolean> {
    switch (request.kind) {
      case "Ping":
        await this.#write(this.#components.isStopping() ? toErrorAnswer(stopping()) : "Pong");
        return true;
      case "Action":
      case "Query":
      case "Batch":
        await this.#answer(request);
        return true;
      case "Stream":
        return await this.#sendStream(request);
      case "Subscribe":
      case "SubscribeLogs":
        return await this.#subscribe(request);
      case "Unsubscribe":
      case "UnsubscribeLogs":
        return await this.#unsubscribe(request);
      case "Shutdown":
        return await this.#shutDown(request);
      case "Auth":
        await this.#write(errorAnswer("InvalidRequest", "Cannot use Auth: nobody asked for it"));
        return true;
    }
  }

  async #answer(request: CallRequest | BatchRequest): Promise<void> {
    this.#current = new AbortController();
    const text = await this.#components.answers.answer(request, this.#current.signal);
    this.#current = undefined;
    this.#lastActive = this.#components.monotonic();
    await this.#lines.write(text);
  }

  async #sendStream(request: CallRequest): Promise<boolean> {
    const end = new AbortController();
    this.#stream = end;
    try {
      const items = this.#components.answers.open(request, end.signal);
      await this.#write({ JsonOk: null });
      this.#endStreamIfAsked();
      this.#lines.lookForListener();
      for await (const item of items) await this.#write({ Item: item });
      await this.#write(this.#components.isStopping() ? toErrorAnswer(stopping()) : "End");
    } catch (failure) {
      await this.#write(toErrorAnswer(failure));
    } finally {
      end.abort();
      this.#stream = undefined;
    }
    return true;
  }

  async #subscribe({ kind, payload, requestId }: SubscribeRequest): Promise<boolean> {
    const { method, greeting } = SUBSCRIPTIONS[kind];
    try {
      if (this.#subscriptions.has(kind)) {
        throw new RequestError("InvalidRequest", `Cannot serve ${kind}: it is under way here`);
      }
      const end = new AbortController();
      const call = { kind: "Stream" as const, method, payload, requestId, libraryId: undefined };
      const items = this.#components.answers.open(call, end.signal);
      await this.#write(greeting);
      this.#subscriptions.set(kind, { end, sent: this.#sendEvents(kind, items, end) });
      this.#lines.lookForListener();
    } catch (failure) {
      await this.#write(toErrorAnswer(failure));
    }
    return true;
  }

  async #sendEvents(
    kind: Subscribe,
    items: AsyncIterable<unknown>,
    end: AbortController,
  ): Promise<void> {
    try {
      for await (const item of items) await this.#lines.write(lineOf(kind, item));
    } catch (error) {
      if (!this.#lines.closed.aborted) log.warn("Subscription failed", { kind, error });
    } finally {
      end.abort();
      this.#subscriptions.delete(kind);
      this.#lastActive = this.#components.monotonic();
      if (this.#components.isStopping()) this.#lines.stopReading();
    }
  }

  async #unsubscribe({ kind }: PlainRequest): Promise<boolean> {
    const running = [...this.#subscriptions.values()];
    for (const { end } of running) end.abort();
    await Promise.all(running.map(({ sent }) => sent));
    const name = kind === "Unsubscribe" ? "Subscribe" : "SubscribeLogs";
    await this.#write(SUBSCRIPTIONS[name].farewell);
    return false;
  }

  async #shutDown({ requestId }: PlainRequest): Promise<boolean> {
    log.info("Stop was asked for at the control socket", requestId ? { requestId } : {});
    await this.#write({ Ok: [] });
    guard("stop the daemon", () => this.#components.shutDown());
    return true;
  }

  async #authenticate(request: ControlRequest): Promise<boolean> {
    if (request.kind !== "Auth" || !this.#isToken(request)) return await this.#refuseStranger();
    this.#isTrusted = true;
    return true;
  }

  // Digests have one length, so the comparison tells nothing of the token.
  #isToken({ token }: AuthRequest): boolean {
    const digest = (text: string) => createHash("sha256").update(text).digest();
    return timingSafeEqual(digest(token), digest(this.#token ?? ""));
  }

  async #refuseStranger(): Promise<boolean> {
    const reason = 'Cannot serve this connection: its first line must be {"Auth":"<token>"}';
    await this.#write(errorAnswer("SecurityError", reason));
    return false;
  }

  async #refuseSize(): Promise<boolean> {
    this.#abortAll();
    const reason = "Cannot read the request: it is longer than 1 MiB";
    await this.#write(errorAnswer("RequestTooLarge", reason));
    return false;
  }

  // A stream is answered in the foreground, so the wish to end it must be seen ahead of its turn.
  #endStreamIfAsked(): void {
    if (!this.#stream) return;
    const isWish = (line: Line) =>
      typeof line !== "string" && line.length < 40 && /Unsubscribe/.test(line.toString());
    if (this.#lines.queued.some(isWish)) this.#stream.abort();
  }

  #abortAll(): void {
    this.#current?.abort();
    this.#stream?.abort();
    for (const { end } of this.#subscriptions.values()) end.abort();
  }

  async #write(answer: unknown): Promise<void> {
    await this.#lines.write(JSON.stringify(answer));
  }
}
