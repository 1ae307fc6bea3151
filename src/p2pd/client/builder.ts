import process from "node:process";
import { listOf } from "../options/options.ts";

/** Default control address of daemons that a program starts, contract 3.3. */
export const DEFAULT_DAEMON_LISTEN = process.platform === "win32"
  ? "/ip4/127.0.0.1/tcp/5005"
  : "/unix/tmp/kwaai-p2pd.sock";

/** Starts a daemon as it was described. */
export type Spawn<T> = (command: readonly string[], listen: string) => Promise<T>;

/** Describes a daemon step by step; each option is one flag, and `spawn()` starts it. */
export class P2PDaemonBuilder<T> {
  readonly #spawn: Spawn<T>;
  readonly #flags = new Map<string, string>();
  #command: readonly string[];
  #listen: string = DEFAULT_DAEMON_LISTEN;

  /** @param command Program and first arguments, such as `["almenad", "p2pd"]`. */
  constructor(spawn: Spawn<T>, command: readonly string[]) {
    this.#spawn = spawn;
    this.#command = command;
  }

  /** Another program, such as a Go p2pd. */
  command(...words: string[]): this {
    this.#command = words;
    return this;
  }
  /** Control address. */
  listen(address: string): this {
    this.#listen = address;
    return this;
  }
  /** Full DHT node. */
  dht(isOn = true): this {
    return this.#flag("dht", isOn);
  }
  /** DHT that only asks. */
  dhtClient(isOn = true): this {
    return this.#flag("dhtClient", isOn);
  }
  /** DHT that always answers. */
  dhtServer(isOn = true): this {
    return this.#flag("dhtServer", isOn);
  }
  /** Relayed connections. */
  relay(isOn = true): this {
    return this.#flag("relay", isOn);
  }
  /** Be a relay for others. */
  relayService(isOn = true): this {
    return this.#flag("relayService", isOn);
  }
  /** Look for relays when unreachable. */
  autoRelay(isOn = true): this {
    return this.#flag("autoRelay", isOn);
  }
  /** Relays to use. */
  trustedRelays(addresses: readonly string[]): this {
    return this.#list("trustedRelays", addresses);
  }
  /** Check whether we can be reached. */
  autonat(isOn = true): this {
    return this.#flag("autonat", isOn);
  }
  /** Ask the router for a port. */
  natPortmap(isOn = true): this {
    return this.#flag("natPortMap", isOn);
  }
  /** Publish and subscribe. */
  pubsub(isOn = true): this {
    return this.#flag("pubsub", isOn);
  }
  /** Where to listen for peers. */
  hostAddrs(addresses: readonly string[]): this {
    return this.#list("hostAddrs", addresses);
  }
  /** What to tell peers. */
  announceAddrs(addresses: readonly string[]): this {
    return this.#list("announceAddrs", addresses);
  }
  /** Listen for no peers. */
  noListenAddrs(isOn = true): this {
    return this.#flag("noListenAddrs", isOn);
  }
  /** Connect to peers at start; the public network's when none are given. */
  bootstrapPeers(addresses: readonly string[] = []): this {
    this.#flag("b", true);
    return addresses.length > 0 ? this.#list("bootstrapPeers", addresses) : this;
  }
  /** File of the private key. */
  identity(path: string): this {
    return this.#flag("id", path);
  }
  /** Close connections when there are too many. */
  connManager(low: number, high: number): this {
    return this.#flag("connManager", true).#flag("connLo", low).#flag("connHi", high);
  }
  /** Count as reachable. */
  forceReachabilityPublic(isOn = true): this {
    return this.#flag("forceReachabilityPublic", isOn);
  }
  /** Count as unreachable. */
  forceReachabilityPrivate(isOn = true): this {
    return this.#flag("forceReachabilityPrivate", isOn);
  }
  /** End when nobody holds a persistent connection for so long. */
  idleTimeout(seconds: number): this {
    return this.#flag("idleTimeout", `${seconds}s`);
  }

  /** The command line. */
  build(): string[] {
    const flags = [...this.#flags].map(([name, value]) => `-${name}=${value}`);
    return [...this.#command, `-listen=${this.#listen}`, ...flags];
  }

  /** Starts the daemon. */
  async spawn(): Promise<T> {
    return await this.#spawn(this.build(), this.#listen);
  }

  #flag(name: string, value: string | number | boolean): this {
    this.#flags.set(name, String(value));
    return this;
  }

  #list(name: string, values: readonly string[]): this {
    return this.#flag(name, listOf(values.join()).join());
  }
}
