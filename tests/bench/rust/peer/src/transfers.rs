//! The byte-moving test protocols, both sides of each.
//!
//! `/almena-test/sink/1.0`: the opener writes a length (8 bytes, big-endian), then that many bytes; the other side
//! answers `{"bytes":n,"sha256":"…"}` and closes. `/almena-test/source/1.0`: the opener writes a length; the other
//! side writes that many bytes and closes. Lengths stand first because the Go p2pd loses what comes back after a
//! half-close. `/almena-test/discard/1.0`, for speed: the opener writes and half-closes; the other side answers with
//! the count (8 bytes, big-endian) and closes.

use std::io;
use std::time::Instant;

use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use libp2p::{PeerId, StreamProtocol};
use libp2p_stream::Control;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

pub const SINK: StreamProtocol = StreamProtocol::new("/almena-test/sink/1.0");
pub const SOURCE: StreamProtocol = StreamProtocol::new("/almena-test/source/1.0");
pub const DISCARD: StreamProtocol = StreamProtocol::new("/almena-test/discard/1.0");
const PING: StreamProtocol = StreamProtocol::new("/ipfs/ping/1.0.0");
/// Fixed by the ping specification.
const PING_BYTES: usize = 32;
const BLOCK_BYTES: usize = 64 * 1024;
const ANSWER_LIMIT: u64 = 4096;

/// Bytes and digest of one finished transfer.
struct Moved {
    bytes: u64,
    sha256: String,
}

impl Moved {
    fn to_json(&self) -> Value {
        json!({ "bytes": self.bytes, "sha256": self.sha256 })
    }
}

/// Writes `length` bytes in which every 64 KiB block differs, so a lost or doubled block changes the digest.
async fn write_pattern(stream: &mut (impl AsyncWrite + Unpin), length: u64) -> io::Result<Moved> {
    let mut block: Vec<u8> = (0..BLOCK_BYTES).map(|index| (index % 251) as u8).collect();
    let mut digest = Sha256::new();
    let mut left = length;
    while left > 0 {
        block[..8].copy_from_slice(&left.to_be_bytes());
        let size = left.min(BLOCK_BYTES as u64) as usize;
        digest.update(&block[..size]);
        stream.write_all(&block[..size]).await?;
        left -= size as u64;
    }
    stream.flush().await?;
    Ok(Moved { bytes: length, sha256: format!("{:x}", digest.finalize()) })
}

/// Reads until the end of the stream or `limit` bytes, whichever comes first.
async fn read_digest(stream: &mut (impl AsyncRead + Unpin), limit: u64) -> io::Result<Moved> {
    let mut block = vec![0; BLOCK_BYTES];
    let mut digest = Sha256::new();
    let mut bytes = 0;
    while bytes < limit {
        let size = (limit - bytes).min(BLOCK_BYTES as u64) as usize;
        let count = stream.read(&mut block[..size]).await?;
        if count == 0 {
            break;
        }
        digest.update(&block[..count]);
        bytes += count as u64;
    }
    Ok(Moved { bytes, sha256: format!("{:x}", digest.finalize()) })
}

async fn read_length(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<u64> {
    let mut length = [0; 8];
    stream.read_exact(&mut length).await?;
    Ok(u64::from_be_bytes(length))
}

/// The listening side of the sink.
pub async fn serve_sink(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<Value> {
    let length = read_length(&mut stream).await?;
    let moved = read_digest(&mut stream, length).await?.to_json();
    stream.write_all(moved.to_string().as_bytes()).await?;
    stream.close().await?;
    Ok(moved)
}

/// The listening side of the source.
pub async fn serve_source(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<Value> {
    let length = read_length(&mut stream).await?;
    let moved = write_pattern(&mut stream, length).await?.to_json();
    stream.close().await?;
    Ok(moved)
}

/// The listening side of discard.
pub async fn serve_discard(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<Value> {
    let mut block = vec![0; BLOCK_BYTES];
    let mut bytes: u64 = 0;
    loop {
        let count = stream.read(&mut block).await?;
        if count == 0 {
            break;
        }
        bytes += count as u64;
    }
    stream.write_all(&bytes.to_be_bytes()).await?;
    stream.close().await?;
    Ok(json!(bytes))
}

/// Writes the same block over and over; done when the other side has read it all.
pub async fn blast(mut control: Control, peer: PeerId, bytes: u64) -> Result<Value, String> {
    let mut stream = control.open_stream(peer, DISCARD).await.map_err(|error| error.to_string())?;
    let started = Instant::now();
    let exchange = async {
        let block = vec![0x5a; BLOCK_BYTES];
        let mut left = bytes;
        while left > 0 {
            let size = left.min(BLOCK_BYTES as u64) as usize;
            stream.write_all(&block[..size]).await?;
            left -= size as u64;
        }
        stream.close().await?;
        let count = read_length(&mut stream).await?;
        io::Result::Ok(json!({ "bytes": count, "ms": started.elapsed().as_secs_f64() * 1_000.0 }))
    };
    exchange.await.map_err(|error| format!("blasting {bytes} bytes failed: {error}"))
}

/// Sends `bytes` to the peer's sink; the answer has what was sent and what the peer says it got.
pub async fn send(mut control: Control, peer: PeerId, bytes: u64, half_close: bool) -> Result<Value, String> {
    let mut stream = control.open_stream(peer, SINK).await.map_err(|error| error.to_string())?;
    let started = Instant::now();
    let exchange = async {
        stream.write_all(&bytes.to_be_bytes()).await?;
        let moved = write_pattern(&mut stream, bytes).await?;
        if half_close {
            stream.close().await?;
        }
        let mut answer = String::new();
        (&mut stream).take(ANSWER_LIMIT).read_to_string(&mut answer).await?;
        let answer: Value = serde_json::from_str(&answer)?;
        io::Result::Ok(
            json!({ "sent": moved.to_json(), "answer": answer, "ms": started.elapsed().as_millis() as u64 }),
        )
    };
    exchange.await.map_err(|error| format!("sending {bytes} bytes failed: {error}"))
}

/// Reads `bytes` from the peer's source to the end of the stream.
pub async fn receive(mut control: Control, peer: PeerId, bytes: u64) -> Result<Value, String> {
    let mut stream = control.open_stream(peer, SOURCE).await.map_err(|error| error.to_string())?;
    let started = Instant::now();
    let exchange = async {
        stream.write_all(&bytes.to_be_bytes()).await?;
        stream.flush().await?;
        let moved = read_digest(&mut stream, u64::MAX).await?;
        io::Result::Ok(json!({ "received": moved.to_json(), "ms": started.elapsed().as_millis() as u64 }))
    };
    exchange.await.map_err(|error| format!("receiving {bytes} bytes failed: {error}"))
}

/// `count` pings after one another on one stream.
pub async fn ping(mut control: Control, peer: PeerId, count: u32) -> Result<Value, String> {
    let mut stream = control.open_stream(peer, PING).await.map_err(|error| error.to_string())?;
    let exchange = async {
        let mut round_trips = Vec::new();
        for turn in 0..count {
            let payload = [turn as u8; PING_BYTES];
            let mut echo = [0; PING_BYTES];
            let started = Instant::now();
            stream.write_all(&payload).await?;
            stream.flush().await?;
            stream.read_exact(&mut echo).await?;
            if echo != payload {
                return Err(io::Error::other("the echo differs from what was sent"));
            }
            round_trips.push(started.elapsed().as_micros() as u64);
        }
        stream.close().await?;
        Ok(json!({ "rtt_us": round_trips }))
    };
    exchange.await.map_err(|error| format!("ping failed: {error}"))
}
