/** Networks of trusted peers, contract 4.5. */

/** A member of a network. */
export interface NetworkMember {
  readonly peerId: string;
  readonly tags: readonly string[];
}

/** What regConnListNodes gives. */
export interface NetworkNodes {
  readonly network: number;
  readonly nodes: readonly {
    readonly node_id: number;
    readonly peer_id: string;
    readonly tags: readonly string[];
  }[];
}

/** A network of trusted peers. */
export interface NetworkInfo {
  readonly id: number;
  readonly name: string;
  readonly members: readonly NetworkMember[];
}

/** The networks this daemon belongs to. */
export interface NetworkRegistry {
  list(): readonly NetworkInfo[];
  /** Tags of a member; empty for who is none. */
  tagsOf(network: number, peerId: string): readonly string[];
  isMember(network: number, peerId: string): boolean;
  addMember(network: number, peerId: string): Promise<void>;
  removeMember(network: number, peerId: string): Promise<void>;
  setTags(network: number, peerId: string, tags: readonly string[]): Promise<void>;
  /** A proof that this daemon knows a network's token, bound to the text; null for an unknown one. */
  prove(network: number, text: string): string | null;
  /** Whether a proof is right. */
  checkProof(network: number, text: string, proof: string): boolean;
}
