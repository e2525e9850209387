//! gRPC health probes, as a kubelet makes them: a new connection each time, and a
//! second for the answer.

use std::{net::SocketAddr, time::Duration};

use tokio::time::timeout;
use tonic::transport::Endpoint;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

/// A probe of one service.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    /// The admin port.
    pub(crate) address: SocketAddr,
    pub(crate) service: &'static str,
    pub(crate) timeout: Duration,
}

impl Health {
    /// Whether it is served, in time.
    pub(crate) async fn passes(&self) -> bool {
        timeout(self.timeout, self.is_serving()).await == Ok(Some(true))
    }

    async fn is_serving(&self) -> Option<bool> {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address)).ok()?;
        let channel = endpoint.connect().await.ok()?;
        let request = HealthCheckRequest { service: self.service.to_owned() };
        let answer = HealthClient::new(channel).check(request).await.ok()?;
        Some(answer.into_inner().status() == ServingStatus::Serving)
    }
}
