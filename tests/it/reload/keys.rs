//! The keys of an issuer of tokens, which change while the server runs.

use std::{fs::OpenOptions, io::Write, os::unix::fs::OpenOptionsExt};

use nix::{libc::O_NONBLOCK, sys::stat::Mode, unistd::mkfifo};
use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use super::{
    callers::{TOKEN, tools},
    *,
};
use crate::support::issuer::Issuer;

const CALLERS: &str = r#"
callers:
  jwt: {jwks: "{folder}/jwks.json", issuer: "https://issuer.test", audience: sidecall}
  allowed:
    planner: {subject: planner, tools: [read]}
    reviewer: {token: {file: "{folder}/token"}}
"#;

async fn vouched_for(issuer: &Issuer) -> Server {
    Server::follow(TempDir::new().unwrap(), "sidecall.yaml", |server, path| {
        let folder = server.folder.path();
        issuer.publish(folder);
        fs::write(folder.join("token"), TOKEN).unwrap();
        fs::write(path, server.text(&base_with(CALLERS))).unwrap();
    })
    .await
}

#[tokio::test]
async fn keys_that_were_rotated_hold_and_those_before_do_not() {
    let [old, new] = ["k1", "k2"].map(Issuer::new);
    let [of_old, of_new] = [&old, &new].map(|issuer| issuer.token("planner", "sidecall", 60));
    let server = vouched_for(&old).await;
    assert_eq!(tools(&server, Some(&of_old)).await.unwrap(), ["read"]);
    assert_eq!(tools(&server, Some(&of_new)).await, Err(Code::Unauthenticated));
    new.publish(server.folder.path());
    server.runs(3).await;
    assert_eq!(tools(&server, Some(&of_new)).await.unwrap(), ["read"]);
    assert_eq!(tools(&server, Some(&of_old)).await, Err(Code::Unauthenticated));

    // What is no set of keys changes nothing.
    fs::write(server.folder.path().join("jwks.json"), "{").unwrap();
    let refused = server.reloads.until(|seen| seen.is_refused);
    timeout(PATIENCE, refused).await.expect("it was not read again");
    assert_eq!(tools(&server, Some(&of_new)).await.unwrap(), ["read"]);
    server.end().await;
}

/// A pipe that nobody fills stands for a disk that does not answer.
#[tokio::test]
async fn a_disk_that_hangs_holds_up_nobody() {
    let [old, new] = ["k1", "k2"].map(Issuer::new);
    let [of_old, of_new] = [&old, &new].map(|issuer| issuer.token("planner", "sidecall", 60));
    let server = vouched_for(&old).await;
    let pipe = server.folder.path().join("pipe");
    mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    let keys = server.folder.path().join("jwks.json");
    fs::rename(&pipe, &keys).unwrap();
    // It can be opened so once somebody reads it, who then waits for what comes.
    let open = || OpenOptions::new().write(true).custom_flags(O_NONBLOCK).open(&keys);
    let is_read = async {
        loop {
            assert_eq!(tools(&server, Some(&of_old)).await.unwrap(), ["read"]);
            if let Ok(pipe) = open() {
                return pipe;
            }
        }
    };
    let mut pipe = timeout(PATIENCE, is_read).await.expect("the pipe is not read");
    let answered = async {
        for _ in 0..8 {
            assert_eq!(tools(&server, Some(&of_old)).await.unwrap(), ["read"]);
            assert_eq!(tools(&server, Some(&of_new)).await, Err(Code::Unauthenticated));
            assert_eq!(tools(&server, Some(TOKEN)).await.unwrap().len(), 3);
            let health = HealthClient::new(server.channel.clone());
            health.clone().check(HealthCheckRequest::default()).await.unwrap();
        }
    };
    timeout(PATIENCE, answered).await.expect("the disk holds up who calls");

    // And what it had to say holds when it comes.
    pipe.write_all(new.keys().as_bytes()).unwrap();
    new.publish(server.folder.path());
    drop(pipe);
    server.runs(3).await;
    assert_eq!(tools(&server, Some(&of_new)).await.unwrap(), ["read"]);
    server.end().await;
}
