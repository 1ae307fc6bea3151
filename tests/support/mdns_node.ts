/** Programs that speak mDNS on the hosts of a {@link Lan}: ours alone, libp2p's, a hostile one. */
import { fileURLToPath } from "node:url";
import { jsonLine, LineProcess } from "./line_process.ts";
import type { Lan } from "./netns.ts";

/** Two daemons on a LAN know each other within this once the second is ready (issue of the daemon). */
export const FIND_WITHIN_MS = 6_000;
const START_TIMEOUT_MS = 30_000;

/** One line a program wrote. */
export interface MdnsEvent {
  readonly event: string;
  readonly epochMs: number;
  readonly peerId: string;
  readonly addresses: readonly string[];
  readonly [property: string]: unknown;
}

/** A program on a host, with what it told. */
export class MdnsNode implements AsyncDisposable {
  readonly process: LineProcess;
  #ready: MdnsEvent | undefined;

  private constructor(lan: Lan, host: string, script: string, args: readonly string[]) {
    this.process = new LineProcess({
      command: [
        Deno.execPath(),
        "run",
        "--allow-net",
        "--allow-sys",
        "--allow-env",
        "--allow-read",
        fileURLToPath(new URL(script, import.meta.url)),
        ...args,
      ],
      netns: lan.host(host).namespace,
    });
  }

  /** Starts our discovery alone and waits until it is ready. */
  static start(lan: Lan, host: string, addresses: readonly string[] = []): Promise<MdnsNode> {
    return MdnsNode.#start(lan, host, "./mdns_driver.ts", addresses);
  }

  /** Starts a libp2p node with `@libp2p/mdns`. */
  static startJs(lan: Lan, host: string): Promise<MdnsNode> {
    return MdnsNode.#start(lan, host, "./mdns_js_peer.ts", []);
  }

  /** Starts a hostile program, see mdns_attacker.ts. */
  static startAttacker(lan: Lan, host: string, args: readonly string[]): Promise<MdnsNode> {
    return MdnsNode.#start(lan, host, "./mdns_attacker.ts", args);
  }

  static async #start(
    lan: Lan,
    host: string,
    script: string,
    args: readonly string[],
  ): Promise<MdnsNode> {
    const node = new MdnsNode(lan, host, script, args);
    try {
      node.#ready = await node.waitFor("ready", ({ event }) => event === "ready", START_TIMEOUT_MS);
      return node;
    } catch (error) {
      await node[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Own peer id. */
  get peerId(): string {
    return this.#ready?.peerId ?? "";
  }

  /** When it was ready, by the wall clock. */
  get readyAt(): number {
    return this.#ready?.epochMs ?? 0;
  }

  /** The first event, past or to come, of a kind. */
  waitFor(
    what: string,
    isIt: (event: MdnsEvent) => boolean,
    timeoutMs: number,
  ): Promise<MdnsEvent> {
    return this.process.waitFor(what, (line) => {
      const event = jsonLine(line) as MdnsEvent | undefined;
      return event && isIt(event) ? event : undefined;
    }, timeoutMs);
  }

  /** Waits for a discovery; `since` is by the wall clock, `address` must be among those told. */
  finds(
    { peerId }: MdnsNode,
    { since = 0, timeoutMs = FIND_WITHIN_MS, address = "" } = {},
  ): Promise<MdnsEvent> {
    return this.waitFor(
      `discovery of ${peerId} ${address}`,
      (event) =>
        event.event === "discovered" && event.peerId === peerId && event.epochMs >= since &&
        (address === "" || event.addresses.includes(address)),
      timeoutMs,
    );
  }

  /** Asks it how it is. */
  async status(): Promise<MdnsEvent> {
    const since = Date.now();
    await this.process.write("status");
    const isIt = ({ event, epochMs }: MdnsEvent) => event === "status" && epochMs >= since;
    return await this.waitFor("status", isIt, 5_000);
  }

  /** Everything it told so far. */
  events(name: string): MdnsEvent[] {
    return this.process.lines.map((line) => jsonLine(line) as MdnsEvent | undefined)
      .filter((event) => event?.event === name) as MdnsEvent[];
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.process[Symbol.asyncDispose]();
  }
}

/** Waits until two find each other. @returns What each told of the other. */
export function findEachOther(
  one: MdnsNode,
  other: MdnsNode,
  options: { since?: number; timeoutMs?: number } = {},
): Promise<[MdnsEvent, MdnsEvent]> {
  return Promise.all([one.finds(other, options), other.finds(one, options)]);
}
