//! What stdin says, one JSON object a line: `{"id":1,"cmd":"dial","addr":"/ip4/…/tcp/…/p2p/…"}`.

use libp2p::{Multiaddr, PeerId};
use serde::Deserialize;

/// One line of stdin; the answer carries the same id.
#[derive(Debug, Deserialize)]
pub struct Command {
    pub id: u64,
    #[serde(flatten)]
    pub action: Action,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "cmd", rename_all = "snake_case")]
pub enum Action {
    /// Answers once connected, with the peer's id.
    Dial { addr: Multiaddr },
    /// Closes every connection to the peer.
    Disconnect {
        #[serde(deserialize_with = "text")]
        peer: PeerId,
    },
    /// Opens a `/ipfs/ping/1.0.0` stream and answers with `count` round trips in microseconds.
    Ping {
        #[serde(deserialize_with = "text")]
        peer: PeerId,
        #[serde(default = "one")]
        count: u32,
    },
    /// Writes `bytes` bytes to the peer's sink.
    Send {
        #[serde(deserialize_with = "text")]
        peer: PeerId,
        bytes: u64,
        /// Whether the writing side is closed before the answer is read.
        #[serde(default)]
        half_close: bool,
    },
    /// Writes `bytes` bytes to the peer's discard protocol without digests.
    Blast {
        #[serde(deserialize_with = "text")]
        peer: PeerId,
        bytes: u64,
    },
    /// Reads `bytes` bytes from the peer's source.
    Receive {
        #[serde(deserialize_with = "text")]
        peer: PeerId,
        bytes: u64,
    },
    /// Lists the connected peers.
    Peers,
    /// Ends the process.
    Quit,
}

fn one() -> u32 {
    1
}

fn text<'de, D: serde::Deserializer<'de>>(input: D) -> Result<PeerId, D::Error> {
    String::deserialize(input)?.parse().map_err(serde::de::Error::custom)
}
