/**
 * Messages for a peer that is not here now: a peer both sides trust keeps them, contract 4.4. One
 * JSON request a stream, then the end; one JSON answer.
 */
import { randomUUID } from "node:crypto";
import * as z from "zod";
import { type Clock, DaemonError, logger, once } from "../../core/mod.ts";
import { readMessage } from "../exchange.ts";
import type { JsonStore } from "../json_store.ts";
import type { Connection, Daemon } from "../plugin.ts";
import { MAX_RELAYED_AGE_MS } from "./messages.ts";

/** Protocol id, contract 4.4. */
export const RELAY_PROTOCOL = "/almena/relay-inbox/1.0";
/** Messages kept for one peer, contract 4.4. */
export const MAX_PER_TARGET = 64;
/** Messages kept from one peer. */
const MAX_PER_SENDER = 256;
/** Messages kept in all. */
const MAX_KEPT = 4_096;
/** Largest message that is kept, as text. */
const MAX_MESSAGE_TEXT = 16_384;
/** Text kept in all, and of one peer: the file is written anew with each message. */
const MAX_KEPT_TEXT = 2 * 1_024 * 1_024;
const MAX_SENDER_TEXT = MAX_KEPT_TEXT / 8;
/** Largest request or answer: a full inbox. */
const MAX_EXCHANGE_BYTES = 2 * 1_024 * 1_024;
const EXCHANGE_TIMEOUT_MS = 10_000;

const Request = once(() =>
  z.union([
    z.strictObject({
      put: z.strictObject({ to: z.string().max(128), message: z.string().max(MAX_MESSAGE_TEXT) }),
    }),
    z.strictObject({ poll: z.strictObject({}) }),
    z.strictObject({
      ack: z.strictObject({ ids: z.array(z.string().max(64)).max(MAX_PER_TARGET) }),
    }),
  ])
);
const Kept = once(() =>
  z.object({
    id: z.string(),
    from: z.string(),
    to: z.string(),
    at: z.number(),
    message: z.string().max(MAX_MESSAGE_TEXT),
  })
);
const KeptFile = once(() => z.object({ messages: z.array(Kept()) }));
type Kept = z.output<ReturnType<typeof Kept>>;
const Inbox = once(() =>
  z.object({
    messages: z.array(z.object({ id: z.string(), from: z.string(), message: z.string() }))
      .max(MAX_PER_TARGET),
  })
);

/** What {@link Relay} uses. */
export interface RelayComponents {
  readonly daemon: Daemon;
  readonly clock: Clock;
  readonly store: JsonStore;
  isTrusted(peerId: string): boolean;
}

const log = logger("plugins");

/** Keeps messages for others, and leaves and fetches our own at peers we trust. */
export class Relay {
  readonly #components: RelayComponents;
  #kept: Kept[] = [];
  #unhandle: (() => void) | undefined;

  constructor(components: RelayComponents) {
    this.#components = components;
  }

  /** Begins to serve. */
  async start(): Promise<void> {
    const { daemon, store } = this.#components;
    const json = await store.read();
    this.#kept = json === undefined ? [] : KeptFile().safeParse(json).data?.messages ?? [];
    this.#unhandle = await daemon.streams().handle(RELAY_PROTOCOL, (c) => this.#serve(c));
  }

  /** Serves no more. */
  async stop(): Promise<void> {
    this.#unhandle?.();
    await this.#components.store.settled();
  }

  /** Leaves a message at the first trusted peer that takes it. @returns Whether one did. */
  async leave(to: string, message: string): Promise<boolean> {
    for (const relay of this.#relays(to)) {
      try {
        await this.#ask(relay, { put: { to, message } });
        return true;
      } catch (error) {
        log.debug("A peer did not take a message for another", { relay, to, error });
      }
    }
    return false;
  }

  /** Fetches what a peer keeps for us. */
  async poll(
    relay: string,
    onMessage: (from: string, message: string) => Promise<void>,
  ): Promise<void> {
    const { messages } = Inbox().parse(await this.#ask(relay, { poll: {} }));
    if (messages.length === 0) return;
    for (const { from, message } of messages) await onMessage(from, message);
    await this.#ask(relay, { ack: { ids: messages.map(({ id }) => id) } });
  }

  /** Trusted peers that are there now. */
  #relays(except: string): string[] {
    const { daemon, isTrusted } = this.#components;
    return daemon.peers()
      .filter(({ peerId, isConnected }) => isConnected && peerId !== except && isTrusted(peerId))
      .map(({ peerId }) => peerId);
  }

  async #ask(relay: string, request: z.input<ReturnType<typeof Request>>): Promise<unknown> {
    const { daemon } = this.#components;
    const signal = AbortSignal.timeout(EXCHANGE_TIMEOUT_MS);
    const connection = await daemon.streams().open(relay, RELAY_PROTOCOL, { signal });
    const readWriter = daemon.newConnReadWriter(connection);
    try {
      await readWriter.write(new TextEncoder().encode(JSON.stringify(request)));
      await readWriter.closeWrite();
      const bytes = await readMessage(readWriter, MAX_EXCHANGE_BYTES, EXCHANGE_TIMEOUT_MS);
      const answer: unknown = JSON.parse(new TextDecoder().decode(bytes));
      const { error } = answer as { error?: unknown };
      if (error === undefined) return answer;
      throw new DaemonError("failed_precondition", `The relay refuses: ${String(error)}`);
    } finally {
      readWriter.close();
    }
  }

  async #serve(connection: Connection): Promise<void> {
    const { daemon } = this.#components;
    const readWriter = daemon.newConnReadWriter(connection);
    const { remotePeer } = connection.info();
    try {
      // Strangers get their answer unread.
      const bytes = this.#components.isTrusted(remotePeer)
        ? await readMessage(readWriter, 4 * MAX_MESSAGE_TEXT, EXCHANGE_TIMEOUT_MS)
        : new Uint8Array();
      const answer = await this.#answer(remotePeer, bytes);
      await readWriter.write(new TextEncoder().encode(JSON.stringify(answer)));
      await readWriter.closeWrite();
    } catch (error) {
      log.debug("A relay request failed", { peerId: remotePeer, error });
    } finally {
      readWriter.close();
    }
  }

  async #answer(peerId: string, bytes: Uint8Array): Promise<Record<string, unknown>> {
    this.#reap();
    if (!this.#components.isTrusted(peerId)) return { error: "not trusted" };
    const request = parseRequest(bytes);
    if (!request) return { error: "no relay request" };
    if ("put" in request) return await this.#put(peerId, request.put);
    if ("ack" in request) {
      const ids = new Set(request.ack.ids);
      const before = this.#kept.length;
      this.#kept = this.#kept.filter(({ to, id }) => to !== peerId || !ids.has(id));
      if (this.#kept.length < before) await this.#save();
      return { ok: true };
    }
    const messages = this.#kept.filter(({ to }) => to === peerId);
    return { messages: messages.map(({ id, from, message }) => ({ id, from, message })) };
  }

  async #put(
    from: string,
    { to, message }: { to: string; message: string },
  ): Promise<Record<string, unknown>> {
    if (!this.#components.isTrusted(to)) return { error: "the target is not trusted here" };
    const own = this.#kept.filter((kept) => kept.from === from);
    const size = (list: readonly Kept[]) =>
      list.reduce((sum, kept) => sum + kept.message.length, message.length);
    const isFull = this.#kept.length >= MAX_KEPT || size(this.#kept) > MAX_KEPT_TEXT ||
      own.length >= MAX_PER_SENDER || size(own) > MAX_SENDER_TEXT ||
      this.#kept.filter((kept) => kept.to === to).length >= MAX_PER_TARGET;
    if (isFull) return { error: "full" };
    const at = this.#components.clock.now();
    const kept = { id: randomUUID(), from, to, at, message };
    this.#kept.push(kept);
    try {
      await this.#save();
    } catch (failure) {
      this.#kept = this.#kept.filter((one) => one !== kept); // who left it tries elsewhere
      throw failure;
    }
    return { ok: true };
  }

  #reap(): void {
    const oldest = this.#components.clock.now() - MAX_RELAYED_AGE_MS;
    this.#kept = this.#kept.filter(({ at }) => at > oldest);
  }

  async #save(): Promise<void> {
    await this.#components.store.save(() => ({ messages: this.#kept }));
  }
}

function parseRequest(bytes: Uint8Array): z.output<ReturnType<typeof Request>> | undefined {
  try {
    return Request().safeParse(JSON.parse(new TextDecoder().decode(bytes))).data;
  } catch {
    return undefined;
  }
}
