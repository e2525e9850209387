//! Callers that are known by their certificates.

use rustls::ALL_VERSIONS;
use sidecall::proto::v1::{ListToolsRequest, sidecall_service_client::SidecallServiceClient};
use tonic::{Code, Request};

use super::{of, token, with};
use crate::support::{
    Peer, World,
    certificates::{Authority, Identity, channel, client},
    tools::base_with,
};

const GUARDED: &str = r#"
callers:
  allowed:
    planner: {certificate: {names: [planner.agents.svc]}, tools: [read]}
    reviewer: {certificate: {names: ["spiffe://cluster/ns/agents/sa/reviewer"]}, tools: [read, write]}
    operator: {token: {file: "{folder}/operator"}}
listen:
  unix: {path: "{folder}/sidecall.sock"}
  tcp:
    address: 127.0.0.1:0
    tls: {certificate: "{folder}/server.crt", key: "{folder}/server.key", client_ca: "{folder}/ca.crt"}
"#;

/// How many tools there are for who comes so.
async fn tools(
    world: &World,
    authority: &Authority,
    identity: &Identity,
    request: Request<ListToolsRequest>,
) -> Result<usize, Code> {
    let config = client(&[authority], Some(identity), ALL_VERSIONS);
    let channel = channel(world.tcp, config).await.unwrap();
    let listed = SidecallServiceClient::new(channel).list_tools(request).await;
    listed.map(|listed| listed.into_inner().tools.len()).map_err(|status| status.code())
}

#[tokio::test]
async fn a_caller_is_known_by_the_names_of_its_certificate() {
    let authority = Authority::new("clients");
    let world = World::start_in_folder(Peer::start().await, &base_with(GUARDED), |folder| {
        authority.of("localhost").write(folder, "server");
        std::fs::write(folder.join("ca.crt"), &authority.certificate).unwrap();
        std::fs::write(folder.join("operator"), token("operator")).unwrap();
    })
    .await;
    let nothing = || Request::new(ListToolsRequest::default());
    let planner = authority.of("planner.agents.svc");
    let uri = "spiffe://cluster/ns/agents/sa/reviewer";
    for (identity, seen) in [
        (planner.clone(), Ok(1)),
        (authority.of_uri(uri), Ok(2)),
        (authority.of_common_name("planner.agents.svc", &[]), Ok(1)),
        // The authority vouches for them, and nobody named them.
        (authority.of("stranger.agents.svc"), Err(Code::Unauthenticated)),
        (authority.of_uri("spiffe://cluster/ns/agents/sa/other"), Err(Code::Unauthenticated)),
        // What has other names is known by them alone.
        (
            authority.of_common_name("planner.agents.svc", &["stranger.agents.svc"]),
            Err(Code::Unauthenticated),
        ),
        (authority.of_common_name(uri, &[]), Err(Code::Unauthenticated)),
    ] {
        assert_eq!(tools(&world, &authority, &identity, nothing()).await, seen);
    }
    // What is shown beside it counts alone.
    let shown = of("operator", ListToolsRequest::default());
    assert_eq!(tools(&world, &authority, &planner, shown).await, Ok(3));
    let wrong = with("wrong", ListToolsRequest::default());
    assert_eq!(tools(&world, &authority, &planner, wrong).await, Err(Code::Unauthenticated));
    world.end().await;
}
