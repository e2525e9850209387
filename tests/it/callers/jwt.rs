//! Callers that an issuer of tokens vouches for.

use std::{fs, path::Path};

use aws_lc_rs::signature::Ed25519KeyPair;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
use serde_json::json;
use sidecall::proto::v1::ListToolsRequest;
use tonic::{Code, Status};

use super::with;
use crate::support::{PATIENCE, Peer, World, tools::base_with};

const CALLERS: &str = r#"
callers:
  jwt: {jwks: "{folder}/jwks.json", issuer: "https://issuer.test", audience: sidecall}
  allowed:
    planner: {subject: "system:serviceaccount:agents:planner", tools: [read]}
    other: {subject: [other, another]}
"#;

/// An issuer of tokens, with one key.
struct Issuer {
    id: &'static str,
    key: EncodingKey,
}

impl Issuer {
    fn new(id: &'static str) -> Self {
        let key = Ed25519KeyPair::generate().unwrap();
        Self { id, key: EncodingKey::from_ed_der(key.to_pkcs8v1().unwrap().as_ref()) }
    }

    /// Its keys, in the place of those that are there, as a mounted volume is changed.
    fn publish(&self, folder: &Path) {
        let mut key = Jwk::from_encoding_key(&self.key, Algorithm::EdDSA).unwrap();
        key.common.key_id = Some(self.id.to_owned());
        fs::write(folder.join("next"), json!({ "keys": [key] }).to_string()).unwrap();
        fs::rename(folder.join("next"), folder.join("jwks.json")).unwrap();
    }

    /// A token that holds for so many seconds from now.
    fn token(&self, subject: &str, audience: &str, seconds: i64) -> String {
        let now = i64::try_from(jsonwebtoken::get_current_timestamp()).unwrap();
        let claims = json!({
            "iss": "https://issuer.test", "sub": subject, "aud": [audience], "exp": now + seconds,
        });
        let header = Header { kid: Some(self.id.to_owned()), ..Header::new(Algorithm::EdDSA) };
        encode(&header, &claims, &self.key).unwrap()
    }
}

async fn tools(world: &World, token: &str) -> Result<usize, Status> {
    let request = with(token, ListToolsRequest::default());
    let answer = world.client().list_tools(request).await?;
    Ok(answer.into_inner().tools.len())
}

#[tokio::test]
async fn a_callers_token_is_taken_while_its_issuer_vouches_for_it() {
    let [first, second] = ["k1", "k2"].map(Issuer::new);
    let mut folder = None;
    let world = World::start_in_folder(Peer::start().await, &base_with(CALLERS), |path| {
        first.publish(path);
        folder = Some(path.to_owned());
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

    second.publish(&folder.unwrap());
    let new = second.token(planner, "sidecall", 60);
    let taken = async { while tools(&world, &new).await.is_err() {} };
    tokio::time::timeout(PATIENCE, taken).await.expect("the new keys are not taken");
    let old = first.token(planner, "sidecall", 60);
    assert_eq!(tools(&world, &old).await.unwrap_err().code(), Code::Unauthenticated);
    world.end().await;
}
