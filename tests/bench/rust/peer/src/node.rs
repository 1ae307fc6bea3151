//! The node: swarm events go out as lines, commands come in, transfers run in tasks of their own.

use std::collections::HashMap;
use std::time::Duration;

use futures::StreamExt as _;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{ConnectionId, NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, SwarmBuilder, identify, mdns, noise, ping, tcp, yamux};
use libp2p_stream as stream;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::command::{Action, Command};
use crate::settings::Settings;
use crate::transfers;
use crate::{Failure, emit};

#[derive(NetworkBehaviour)]
pub struct Behaviour {
    identify: identify::Behaviour,
    mdns: Toggle<mdns::tokio::Behaviour>,
    ping: ping::Behaviour,
    stream: stream::Behaviour,
}

/// A libp2p node that is steered by commands.
pub struct Node {
    swarm: Swarm<Behaviour>,
    dial_discovered: bool,
    /// Commands that wait for a connection.
    dialling: HashMap<ConnectionId, u64>,
}

impl Node {
    /// Builds the swarm and begins to listen; nothing runs before `run`.
    pub fn new(settings: &Settings) -> Result<Self, Failure> {
        let mut swarm = build_swarm(settings)?;
        for address in &settings.listen {
            swarm.listen_on(address.clone())?;
        }
        Ok(Self { swarm, dial_discovered: settings.dial_discovered, dialling: HashMap::new() })
    }

    /// Serves until stdin ends or says quit. `listeners` addresses are awaited before the ready line.
    pub async fn run(
        mut self,
        listeners: usize,
        mut commands: UnboundedReceiver<Command>,
    ) -> Result<(), Failure> {
        let mut control = self.swarm.behaviour().stream.new_control();
        let mut sinks = control.accept(transfers::SINK)?;
        let mut sources = control.accept(transfers::SOURCE)?;
        let mut discards = control.accept(transfers::DISCARD)?;
        let mut addresses: Vec<Multiaddr> = Vec::new();
        loop {
            tokio::select! {
                event = self.swarm.select_next_some() => {
                    if let SwarmEvent::NewListenAddr { address, .. } = &event {
                        addresses.push(address.clone());
                        self.announce(&addresses, listeners);
                    }
                    self.on_event(event);
                }
                Some((peer, stream)) = sinks.next() => serve("sink", peer, transfers::serve_sink(stream)),
                Some((peer, stream)) = sources.next() => serve("source", peer, transfers::serve_source(stream)),
                Some((peer, stream)) = discards.next() => serve("discard", peer, transfers::serve_discard(stream)),
                command = commands.recv() => match command {
                    None | Some(Command { action: Action::Quit, .. }) => return Ok(()),
                    Some(command) => self.on_command(command),
                },
            }
        }
    }

    fn announce(&self, addresses: &[Multiaddr], listeners: usize) {
        let event = if addresses.len() == listeners { "ready" } else { "listening" };
        emit(
            json!({ "event": event, "peer_id": self.swarm.local_peer_id().to_string(), "addrs": addresses }),
        );
    }

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour(event),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                emit(json!({
                    "event": "connected", "peer": peer_id.to_string(),
                    "addr": endpoint.get_remote_address(), "dialer": endpoint.is_dialer(),
                }));
                if let Some(id) = self.dialling.remove(&connection_id) {
                    answer(id, Ok(json!({ "peer": peer_id.to_string() })));
                }
            }
            SwarmEvent::ConnectionClosed { peer_id, num_established, cause, .. } => emit(json!({
                "event": "disconnected", "peer": peer_id.to_string(),
                "open": num_established, "cause": cause.map(|cause| cause.to_string()),
            })),
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                if let Some(id) = self.dialling.remove(&connection_id) {
                    answer(id, Err(format!("dial failed: {error}")));
                }
            }
            SwarmEvent::IncomingConnectionError { error, .. } => {
                emit(json!({ "event": "refused", "message": error.to_string() }));
            }
            _ => {}
        }
    }

    fn on_behaviour(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Mdns(mdns::Event::Discovered(found)) => {
                for (peer, addr) in found {
                    emit(json!({ "event": "discovered", "peer": peer.to_string(), "addr": addr }));
                    if self.dial_discovered && !self.swarm.is_connected(&peer) {
                        let _ = self.swarm.dial(addr);
                    }
                }
            }
            BehaviourEvent::Mdns(mdns::Event::Expired(gone)) => {
                for (peer, addr) in gone {
                    emit(json!({ "event": "expired", "peer": peer.to_string(), "addr": addr }));
                }
            }
            BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. }) => emit(json!({
                "event": "identified", "peer": peer_id.to_string(), "agent": info.agent_version,
                "protocols": info.protocols.iter().map(|protocol| protocol.to_string()).collect::<Vec<_>>(),
                "addrs": info.listen_addrs,
            })),
            BehaviourEvent::Ping(ping::Event { peer, result, .. }) => emit(match result {
                Ok(rtt) => {
                    json!({ "event": "pinged", "peer": peer.to_string(), "rtt_us": rtt.as_micros() as u64 })
                }
                Err(error) => {
                    json!({ "event": "unpinged", "peer": peer.to_string(), "message": error.to_string() })
                }
            }),
            _ => {}
        }
    }

    fn on_command(&mut self, Command { id, action }: Command) {
        let control = self.swarm.behaviour().stream.new_control();
        match action {
            Action::Dial { addr } => self.dial(id, addr),
            Action::Disconnect { peer } => {
                let outcome = self.swarm.disconnect_peer_id(peer);
                answer(id, outcome.map(|()| json!({})).map_err(|()| format!("{peer} is not connected")));
            }
            Action::Ping { peer, count } => later(id, transfers::ping(control, peer, count)),
            Action::Send { peer, bytes, half_close } => {
                later(id, transfers::send(control, peer, bytes, half_close));
            }
            Action::Blast { peer, bytes } => later(id, transfers::blast(control, peer, bytes)),
            Action::Receive { peer, bytes } => later(id, transfers::receive(control, peer, bytes)),
            Action::Peers => {
                let peers: Vec<String> = self.swarm.connected_peers().map(PeerId::to_string).collect();
                answer(id, Ok(json!({ "peers": peers })));
            }
            Action::Quit => {}
        }
    }

    fn dial(&mut self, id: u64, addr: Multiaddr) {
        let options = DialOpts::from(addr);
        let connection = options.connection_id();
        match self.swarm.dial(options) {
            Ok(()) => {
                self.dialling.insert(connection, id);
            }
            Err(error) => answer(id, Err(format!("dial failed: {error}"))),
        }
    }
}

fn build_swarm(settings: &Settings) -> Result<Swarm<Behaviour>, Failure> {
    let swarm = SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)?
        .with_behaviour(|key| {
            let config = mdns::Config { query_interval: Duration::from_secs(5), ..Default::default() };
            let peer_id = key.public().to_peer_id();
            let mdns = settings.mdns.then(|| mdns::tokio::Behaviour::new(config, peer_id)).transpose()?;
            Ok(Behaviour {
                identify: identify::Behaviour::new(identify::Config::new(
                    "almena-test/1.0.0".into(),
                    key.public(),
                )),
                mdns: mdns.into(),
                ping: ping::Behaviour::new(ping::Config::new()),
                stream: stream::Behaviour::new(),
            })
        })?
        .with_swarm_config(|config| config.with_idle_connection_timeout(settings.idle_timeout))
        .build();
    Ok(swarm)
}

fn answer(id: u64, outcome: Result<Value, String>) {
    emit(match outcome {
        Ok(result) => json!({ "event": "done", "id": id, "result": result }),
        Err(message) => json!({ "event": "failed", "id": id, "message": message }),
    });
}

fn later(id: u64, work: impl Future<Output = Result<Value, String>> + Send + 'static) {
    tokio::spawn(async move { answer(id, work.await) });
}

fn serve(
    what: &'static str,
    peer: PeerId,
    work: impl Future<Output = std::io::Result<Value>> + Send + 'static,
) {
    tokio::spawn(async move {
        let peer = peer.to_string();
        emit(match work.await {
            Ok(moved) => json!({ "event": "served", "what": what, "peer": peer, "moved": moved }),
            Err(error) => {
                json!({ "event": "serve_failed", "what": what, "peer": peer, "message": error.to_string() })
            }
        });
    });
}
