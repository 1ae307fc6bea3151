import { createHmac, randomBytes, randomInt, timingSafeEqual } from "node:crypto";
import * as z from "zod";
import { DaemonError, logger, once } from "../core/mod.ts";
import type { JsonStore } from "./json_store.ts";
import { checkPeerId } from "./peer_names.ts";
import type { NetworkInfo, NetworkRegistry } from "./plugin.ts";

/** Most networks a daemon belongs to. */
export const MAX_NETWORKS = 64;
/** Most members kept of one network. */
export const MAX_MEMBERS = 4_096;
/** Most tags of one member. */
export const MAX_TAGS = 64;

const Tag = once(() => z.string().regex(/^[A-Za-z0-9._:-]{1,64}$/));
const Member = once(() => z.object({ peer_id: z.string(), tags: z.array(Tag()).max(MAX_TAGS) }));
const Network = once(() =>
  z.object({
    id: z.int().min(1).max(65_535),
    name: z.string().min(1).max(64),
    token: z.string().default(""),
    members: z.array(Member()).max(MAX_MEMBERS),
  })
);
const NetworksJson = once(() => z.object({ networks: z.array(z.unknown()) }));

interface Entry {
  readonly id: number;
  readonly name: string;
  readonly token: string;
  readonly members: ReadonlyMap<string, readonly string[]>;
}

/** What {@link Networks} uses. */
export interface NetworksComponents {
  store: JsonStore;
  selfId(): string;
  publish(topic: string, payload: Record<string, unknown>): void;
}

const log = logger("plugins");

/** networks.json, contract 4.5: the networks this daemon belongs to, and who else does. */
export class Networks implements NetworkRegistry {
  readonly #components: NetworksComponents;
  readonly #entries = new Map<number, Entry>();

  constructor(components: NetworksComponents) {
    this.#components = components;
  }

  /** Reads the file; a bad entry is passed over with a warning. */
  async load(): Promise<void> {
    const json = await this.#components.store.read();
    if (json === undefined) return;
    const file = NetworksJson().safeParse(json);
    if (!file.success) {
      const { path } = this.#components.store;
      const remedy = "put back a copy, or move the file away to begin without networks";
      throw new DaemonError("data_loss", `Cannot read ${path}: it lists no networks; ${remedy}`);
    }
    for (const item of file.data.networks) {
      const { data, error } = Network().safeParse(item);
      if (error) {
        log.warn("A network is passed over", { reason: z.prettifyError(error) });
        continue;
      }
      const members = new Map(data.members.map(({ peer_id, tags }) => [peer_id, tags]));
      this.#entries.set(data.id, { ...data, members });
    }
  }

  list(): readonly NetworkInfo[] {
    return [...this.#entries.values()].map(({ id, name, members }) => ({
      id,
      name,
      members: [...members].map(([peerId, tags]) => ({ peerId, tags })),
    }));
  }

  isMember(network: number, peerId: string): boolean {
    return this.#entries.get(network)?.members.has(peerId) ?? false;
  }

  tagsOf(network: number, peerId: string): readonly string[] {
    return this.#entries.get(network)?.members.get(peerId) ?? [];
  }

  /**
   * Begins a network with this daemon as its first member.
   *
   * @returns Its id, and the token that lets others in.
   */
  async create(name: string): Promise<{ id: number; token: string }> {
    let id = randomInt(1, 65_536);
    while (this.#entries.has(id)) id = randomInt(1, 65_536);
    const token = randomBytes(24).toString("base64url");
    await this.join({ id, name, token });
    return { id, token };
  }

  /** Joins a network whose token was told to us. @throws {DaemonError} `already_exists`. */
  async join({ id, name, token }: { id: number; name: string; token: string }): Promise<void> {
    if (this.#entries.has(id)) {
      throw new DaemonError(
        "already_exists",
        `Cannot join network ${id}: this daemon belongs to it`,
      );
    }
    if (this.#entries.size >= MAX_NETWORKS) {
      throw new DaemonError(
        "resource_exhausted",
        `Cannot join network ${id}: a daemon belongs to at most ${MAX_NETWORKS}`,
      );
    }
    const self = this.#components.selfId();
    await this.#change(id, { id, name, token, members: new Map([[self, []]]) });
    this.#components.publish("network.joined", { network: id, peerId: self, isSelf: true });
  }

  /** Leaves a network; its members are forgotten. @throws {DaemonError} `not_found`. */
  async leave(id: number): Promise<void> {
    this.#find(id);
    await this.#change(id, undefined);
    const peerId = this.#components.selfId();
    this.#components.publish("network.left", { network: id, peerId, isSelf: true });
  }

  async addMember(network: number, peerId: string): Promise<void> {
    const entry = this.#find(network);
    const { members } = entry;
    if (members.has(peerId)) return;
    if (members.size >= MAX_MEMBERS) {
      throw new DaemonError("resource_exhausted", `Cannot add to network ${network}: it is full`);
    }
    await this.#change(network, { ...entry, members: new Map([...members, [peerId, []]]) });
    this.#components.publish("network.joined", { network, peerId, isSelf: false });
  }

  async removeMember(network: number, peerId: string): Promise<void> {
    const entry = this.#entries.get(network);
    if (!entry?.members.has(peerId)) return;
    const members = [...entry.members].filter(([id]) => id !== peerId);
    await this.#change(network, { ...entry, members: new Map(members) });
    this.#components.publish("network.left", { network, peerId, isSelf: false });
  }

  async setTags(network: number, peerId: string, tags: readonly string[]): Promise<void> {
    const entry = this.#find(network);
    const { members } = entry;
    const id = checkPeerId(peerId);
    if (!members.has(id)) {
      throw new DaemonError(
        "not_found",
        `Cannot tag "${id}": it is no member of network ${network}`,
      );
    }
    const checked = z.array(Tag()).max(MAX_TAGS).safeParse([...new Set(tags)]);
    if (!checked.success) {
      throw new DaemonError(
        "invalid_argument",
        `Cannot use these tags: at most ${MAX_TAGS} of 1 to 64 letters, digits and . _ : -`,
      );
    }
    await this.#change(network, { ...entry, members: new Map(members).set(id, checked.data) });
  }

  prove(network: number, text: string): string | null {
    const entry = this.#entries.get(network);
    if (!entry?.token) return null;
    return createHmac("sha256", entry.token).update(text).digest("base64");
  }

  checkProof(network: number, text: string, proof: string): boolean {
    const right = this.prove(network, text);
    if (right === null || right.length !== proof.length) return false;
    return timingSafeEqual(new TextEncoder().encode(right), new TextEncoder().encode(proof));
  }

  #find(id: number): Entry {
    const entry = this.#entries.get(id);
    if (entry) return entry;
    throw new DaemonError("not_found", `Cannot find network ${id}: this daemon is no member of it`);
  }

  // On failure nothing has changed, unless somebody else changed the network since.
  async #change(id: number, next: Entry | undefined): Promise<void> {
    const before = this.#entries.get(id);
    const put = (entry: Entry | undefined) =>
      entry ? this.#entries.set(id, entry) : this.#entries.delete(id);
    put(next);
    try {
      await this.#components.store.save(() => this.#snapshot());
    } catch (failure) {
      if (this.#entries.get(id) === next) put(before);
      throw failure;
    }
  }

  #snapshot(): Record<string, unknown> {
    return {
      networks: [...this.#entries.values()].map(({ members, ...entry }) => ({
        ...entry,
        members: [...members].map(([peer_id, tags]) => ({ peer_id, tags })),
      })),
    };
  }
}
