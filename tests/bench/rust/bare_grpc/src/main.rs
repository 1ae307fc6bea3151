//! A tonic server of the daemon's contract and a rust-libp2p swarm in one process, with nothing on top: what the
//! daemon's figures are compared with.
//!
//! Usage: `bare_grpc [--grpc-addr 127.0.0.1:0] [--p2p-listen /ip4/127.0.0.1/tcp/0] [--peers N] [--no-mdns]`.
//! The first line on stdout is `{"grpc":"host:port","peer_id":"…","addrs":["…"]}`; one line follows for each
//! connection. SIGTERM ends it.

mod service;

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use futures::StreamExt as _;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, Swarm, SwarmBuilder, identify, mdns, noise, ping, tcp, yamux};
use serde_json::json;
use tokio::net::TcpListener;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use service::BareDaemon;
use service::proto::daemon_service_server::DaemonServiceServer;

type Failure = Box<dyn Error + Send + Sync>;

#[derive(NetworkBehaviour)]
struct Behaviour {
    identify: identify::Behaviour,
    mdns: Toggle<mdns::tokio::Behaviour>,
    ping: ping::Behaviour,
}

struct Settings {
    grpc_addr: SocketAddr,
    p2p_listen: Multiaddr,
    peers: usize,
    mdns: bool,
}

fn parse_settings(mut args: impl Iterator<Item = String>) -> Result<Settings, Failure> {
    let mut settings = Settings {
        grpc_addr: "127.0.0.1:0".parse()?,
        p2p_listen: "/ip4/127.0.0.1/tcp/0".parse()?,
        peers: 2,
        mdns: true,
    };
    while let Some(flag) = args.next() {
        let mut value = || args.next().ok_or(format!("{flag} needs a value"));
        match flag.as_str() {
            "--grpc-addr" => settings.grpc_addr = value()?.parse()?,
            "--p2p-listen" => settings.p2p_listen = value()?.parse()?,
            "--peers" => settings.peers = value()?.parse()?,
            "--no-mdns" => settings.mdns = false,
            _ => return Err(format!("unknown flag {flag}").into()),
        }
    }
    Ok(settings)
}

fn build_swarm(with_mdns: bool) -> Result<Swarm<Behaviour>, Failure> {
    let swarm = SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)?
        .with_behaviour(|key| {
            let peer_id = key.public().to_peer_id();
            let config = mdns::Config { query_interval: Duration::from_secs(5), ..Default::default() };
            let mdns = with_mdns.then(|| mdns::tokio::Behaviour::new(config, peer_id)).transpose()?;
            Ok(Behaviour {
                identify: identify::Behaviour::new(identify::Config::new("bare/1.0.0".into(), key.public())),
                mdns: mdns.into(),
                ping: ping::Behaviour::new(ping::Config::new()),
            })
        })?
        .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::from_secs(60)))
        .build();
    Ok(swarm)
}

/// Runs the swarm until it has listened on its first address, which it returns.
async fn first_address(swarm: &mut Swarm<Behaviour>) -> Multiaddr {
    loop {
        if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
            return address;
        }
    }
}

async fn drive(mut swarm: Swarm<Behaviour>) {
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::Behaviour(BehaviourEvent::Mdns(mdns::Event::Discovered(found))) => {
                for (peer, address) in found {
                    if !swarm.is_connected(&peer) {
                        let _ = swarm.dial(address);
                    }
                }
            }
            SwarmEvent::ConnectionEstablished { peer_id, .. } => {
                println!("{}", json!({ "event": "connected", "peer": peer_id.to_string() }));
            }
            _ => {}
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let settings = parse_settings(std::env::args().skip(1))?;
    let mut swarm = build_swarm(settings.mdns)?;
    swarm.listen_on(settings.p2p_listen)?;
    let listener = TcpListener::bind(settings.grpc_addr).await?;
    let grpc_addr = listener.local_addr()?;
    let peer_id = swarm.local_peer_id().to_string();
    let address = first_address(&mut swarm).await.to_string();
    let service = DaemonServiceServer::new(BareDaemon::new(settings.peers));
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let server = tokio::spawn(Server::builder().add_service(service).serve_with_incoming(incoming));
    println!("{}", json!({ "grpc": grpc_addr.to_string(), "peer_id": peer_id, "addrs": [address] }));
    tokio::select! {
        outcome = server => outcome??,
        () = drive(swarm) => {}
    }
    Ok(())
}
