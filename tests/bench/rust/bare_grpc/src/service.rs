//! The five calls with fixed answers.

use tonic::{Request, Response, Status};

/// What build.rs generated from the contract.
pub mod proto {
    #![allow(clippy::all)]
    tonic::include_proto!("almena.daemon.v1");
}

use proto::daemon_service_server::DaemonService;
use proto::{
    GetGeolocationRequest, GetGeolocationResponse, GetSystemInfoRequest, GetSystemInfoResponse,
    GetVersionRequest, GetVersionResponse, ListPeersRequest, ListPeersResponse, PeerInfo, PingRequest,
    PingResponse,
};

/// Answers from memory.
pub struct BareDaemon {
    peers: Vec<PeerInfo>,
}

impl BareDaemon {
    /// A service whose peer list has `count` entries of ordinary size.
    pub fn new(count: usize) -> Self {
        Self { peers: (0..count).map(fixed_peer).collect() }
    }
}

/// The same entry that bare_node.ts makes, so both move the same bytes.
fn fixed_peer(index: usize) -> PeerInfo {
    PeerInfo {
        peer_id: format!("12D3KooW{index:044}"),
        addresses: vec![
            format!("/ip4/10.0.{}.{}/tcp/{}", index / 250, index % 250 + 1, 40_000 + index % 20_000),
            format!("/ip6/fd00::{index:x}/tcp/{}", 40_000 + index % 20_000),
        ],
        is_internal: true,
        is_connected: index % 2 == 0,
        is_self: index == 0,
        geo: None,
    }
}

#[tonic::async_trait]
impl DaemonService for BareDaemon {
    async fn ping(&self, _: Request<PingRequest>) -> Result<Response<PingResponse>, Status> {
        Ok(Response::new(PingResponse { message: "pong".into() }))
    }

    async fn get_version(
        &self,
        _: Request<GetVersionRequest>,
    ) -> Result<Response<GetVersionResponse>, Status> {
        Ok(Response::new(GetVersionResponse { version: env!("CARGO_PKG_VERSION").into() }))
    }

    async fn get_system_info(
        &self,
        _: Request<GetSystemInfoRequest>,
    ) -> Result<Response<GetSystemInfoResponse>, Status> {
        Ok(Response::new(GetSystemInfoResponse {
            os_name: std::env::consts::OS.into(),
            os_version: String::new(),
        }))
    }

    async fn get_geolocation(
        &self,
        _: Request<GetGeolocationRequest>,
    ) -> Result<Response<GetGeolocationResponse>, Status> {
        Err(Status::unavailable("the reference program asks no online service"))
    }

    async fn list_peers(&self, _: Request<ListPeersRequest>) -> Result<Response<ListPeersResponse>, Status> {
        Ok(Response::new(ListPeersResponse { peers: self.peers.clone() }))
    }
}
