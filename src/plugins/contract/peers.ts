/** Words for peers and builds that every other type of the contract uses. */

/** A peer: its peer id, its 32-bit number, or its address as text. */
export type PeerRef = string | number;

/** The Ed25519 key pair of a daemon. */
export interface Identity {
  readonly peerId: string;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
}

/** The build a plugin is hosted by. */
export interface VersionInfo {
  readonly version: string;
  /** Empty when run from source. */
  readonly commit: string;
  /** RFC 3339, UTC; empty when run from source. */
  readonly buildTime: string;
}

/** A peer as the daemon knows it. */
export interface PeerState {
  readonly peerId: string;
  readonly nodeId: number;
  readonly isConnected: boolean;
}
