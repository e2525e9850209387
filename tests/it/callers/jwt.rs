//! Callers that an issuer of tokens vouches for.

use sidecall::proto::v1::ListToolsRequest;
use tonic::{Code, Status};

use super::with;
use crate::support::{Peer, World, issuer::Issuer, tools::base_with};

const CALLERS: &str = r#"
callers:
  jwt: {jwks: "{folder}/jwks.json", issuer: "https://issuer.test", audience: sidecall}
  allowed:
    planner: {subject: "system:serviceaccount:agents:planner", tools: [read]}
    other: {subject: [other, another]}
"#;

async fn tools(world: &World, token: &str) -> Result<usize, Status> {
    let request = with(token, ListToolsRequest::default());
    let answer = world.client().list_tools(request).await?;
    Ok(answer.into_inner().tools.len())
}

#[tokio::test]
async fn a_callers_token_is_taken_where_its_issuer_vouches_for_it() {
    let [first, second] = ["k1", "k2"].map(Issuer::new);
    let world = World::start_in_folder(Peer::start().await, &base_with(CALLERS), |path| {
        first.publish(path);
    })
    .await;
    let planner = "system:serviceaccount:agents:planner";
    assert_eq!(tools(&world, &first.token(planner, "sidecall", 60)).await.unwrap(), 1);
    assert_eq!(tools(&world, &first.token("another", "sidecall", 60)).await.unwrap(), 3);
    for token in [
        first.token(planner, "sidecall", -600),
        first.token(planner, "somebody-else", 60),
        first.token("nobody", "sidecall", 60),
        second.token(planner, "sidecall", 60),
    ] {
        assert_eq!(tools(&world, &token).await.unwrap_err().code(), Code::Unauthenticated);
    }
    world.end().await;
}
