/**
 * A node that tests steer: commands on its stdin, events on its stdout, both as JSON lines. Three programs speak
 * this: the Rust peer, stream_peer.ts (the daemon's swarm) and tests/bench/bare_stream_peer.ts (plain libp2p).
 */
import { DaemonError } from "../../src/core/mod.ts";
import { jsonLine, LineProcess, type LineProcessInit } from "./line_process.ts";
import type { Moved } from "./transfers.ts";

/** One line of a peer's stdout. */
export interface PeerEvent extends Record<string, unknown> {
  readonly event: string;
}

/** A running test peer, whatever it is written in. */
export class TestPeer {
  /** Peer id in text form. */
  readonly peerId: string;
  /** Listen addresses, without `/p2p`. */
  readonly addrs: readonly string[];
  readonly process: LineProcess;
  #nextId = 1;

  private constructor(child: LineProcess, ready: PeerEvent) {
    this.process = child;
    this.peerId = String(ready["peer_id"]);
    this.addrs = ready["addrs"] as string[];
  }

  /** Starts a program that speaks these commands and waits until it listens. */
  static async start(
    command: readonly string[],
    options: Omit<LineProcessInit, "command"> = {},
  ): Promise<TestPeer> {
    const child = new LineProcess({ ...options, command });
    try {
      return new TestPeer(child, await child.waitFor("ready line", named("ready")));
    } catch (failure) {
      await child.stop();
      throw failure;
    }
  }

  /** The first address with the peer id behind it, ready to be dialled. */
  get dialAddress(): string {
    return `${this.addrs[0]}/p2p/${this.peerId}`;
  }

  /** The first event of a name, past or to come, that also has these fields. */
  event(
    name: string,
    fields?: Record<string, unknown>,
    timeoutMs?: number,
  ): Promise<PeerEvent> {
    return this.process.waitFor(
      `event "${name}"`,
      (line) => {
        const event = named(name)(line);
        const holds = event &&
          Object.entries(fields ?? {}).every(([key, value]) => event[key] === value);
        return holds ? event : undefined;
      },
      timeoutMs,
    );
  }

  /** Connects; resolves with the peer id at the other end. */
  async dial(address: string): Promise<string> {
    return String((await this.#ask({ cmd: "dial", addr: address }))["peer"]);
  }

  /** Closes every connection to a peer. */
  async disconnect(peer: string): Promise<void> {
    await this.#ask({ cmd: "disconnect", peer });
  }

  /** Round trips on one ping stream, in microseconds. */
  async ping(peer: string, count = 1): Promise<number[]> {
    return (await this.#ask({ cmd: "ping", peer, count }))["rtt_us"] as number[];
  }

  /**
   * Writes to the peer's sink; gives what was sent and what the sink says it got.
   *
   * @param options.halfClose Close the writing side before reading the answer. @default {false}
   */
  async send(
    peer: string,
    bytes: number,
    options?: { halfClose: boolean },
  ): Promise<{ sent: Moved; answer: Moved }> {
    const command = { cmd: "send", peer, bytes, "half_close": options?.halfClose ?? false };
    return (await this.#ask(command, 60_000)) as {
      sent: Moved;
      answer: Moved;
    };
  }

  /** Writes to the peer's discard protocol, as fast as it goes, without digests; gives milliseconds. */
  async blast(peer: string, bytes: number): Promise<number> {
    return (await this.#ask({ cmd: "blast", peer, bytes }, 120_000))["ms"] as number;
  }

  /** Reads from the peer's source. */
  async receive(peer: string, bytes: number): Promise<Moved> {
    return (await this.#ask({ cmd: "receive", peer, bytes }, 60_000))["received"] as Moved;
  }

  /** Ids of the connected peers. */
  async peers(): Promise<string[]> {
    return (await this.#ask({ cmd: "peers" }))["peers"] as string[];
  }

  /** Ends the node. */
  async stop(): Promise<void> {
    await this.process.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #ask(
    command: Record<string, unknown>,
    timeoutMs = 15_000,
  ): Promise<Record<string, unknown>> {
    const id = this.#nextId++;
    await this.process.write(JSON.stringify({ id, ...command }));
    const answer = await this.process.waitFor(
      `answer to "${command["cmd"]}"`,
      (line) => {
        const event = jsonLine(line);
        return event?.["id"] === id ? event : undefined;
      },
      timeoutMs,
    );
    if (answer["event"] === "done") return answer["result"] as Record<string, unknown>;
    throw new DaemonError("unavailable", `The test peer says: ${answer["message"]}`);
  }
}

function named(name: string): (line: string) => PeerEvent | undefined {
  return (line) => {
    const event = jsonLine(line);
    return event?.["event"] === name ? (event as PeerEvent) : undefined;
  };
}
