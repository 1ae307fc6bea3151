//! A rust-libp2p node for the interop tests: commands on stdin, events on stdout, both as JSON lines.

mod command;
mod node;
mod settings;
mod transfers;

use std::io::Write as _;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::sync::mpsc;

use command::Command;
use node::Node;

/// What ends the process.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Writes one event line.
pub fn emit(event: Value) {
    let mut out = std::io::stdout().lock();
    // A reader that went away ends the process by way of stdin.
    let _ = writeln!(out, "{event}").and_then(|()| out.flush());
}

async fn read_commands(commands: mpsc::UnboundedSender<Command>) {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        match serde_json::from_str(&line) {
            Ok(command) => {
                if commands.send(command).is_err() {
                    return;
                }
            }
            Err(error) => emit(json!({ "event": "bad_command", "message": error.to_string() })),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let settings = settings::parse(std::env::args().skip(1)).map_err(|error| error.to_string())?;
    let (sender, receiver) = mpsc::unbounded_channel();
    let node = Node::new(&settings)?;
    tokio::spawn(read_commands(sender));
    node.run(settings.listen.len(), receiver).await?;
    // The reader of stdin sits in a blocking call and would hold up an orderly end.
    std::process::exit(0);
}
