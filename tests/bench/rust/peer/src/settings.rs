//! Flags: `peer [--listen <multiaddr>]… [--no-mdns] [--dial-discovered] [--idle-timeout <seconds>]`.

use std::error::Error;
use std::time::Duration;

use libp2p::Multiaddr;

/// How this run behaves.
pub struct Settings {
    /// Addresses to listen on; `/ip4/127.0.0.1/tcp/0` when none is given.
    pub listen: Vec<Multiaddr>,
    /// Whether peers are looked for by mDNS.
    pub mdns: bool,
    /// Whether peers found by mDNS are dialled without a command.
    pub dial_discovered: bool,
    /// A connection without streams is closed after this.
    pub idle_timeout: Duration,
}

/// Reads the flags; an unknown one is an error.
pub fn parse(mut args: impl Iterator<Item = String>) -> Result<Settings, Box<dyn Error>> {
    let mut settings = Settings {
        listen: Vec::new(),
        mdns: true,
        dial_discovered: false,
        idle_timeout: Duration::from_secs(60),
    };
    while let Some(flag) = args.next() {
        let mut value = || args.next().ok_or(format!("{flag} needs a value"));
        match flag.as_str() {
            "--listen" => settings.listen.push(value()?.parse()?),
            "--no-mdns" => settings.mdns = false,
            "--dial-discovered" => settings.dial_discovered = true,
            "--idle-timeout" => settings.idle_timeout = Duration::from_secs(value()?.parse()?),
            _ => return Err(format!("unknown flag {flag}").into()),
        }
    }
    if settings.listen.is_empty() {
        settings.listen.push("/ip4/127.0.0.1/tcp/0".parse()?);
    }
    Ok(settings)
}
