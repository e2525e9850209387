//! What the tests stand on: a scripted peer, the real server in process, a
//! client with nothing but stubs, and the promises that hold for every turn.

pub(crate) mod addresses;
pub(crate) mod certificates;
pub(crate) mod collector;
pub(crate) mod data;
pub(crate) mod events;
pub(crate) mod issuer;
pub(crate) mod nestools;
pub(crate) mod peer;
pub(crate) mod promises;
pub(crate) mod reply;
pub(crate) mod tools;
pub(crate) mod turn;
pub(crate) mod upstream;
pub(crate) mod whole;
pub(crate) mod worker;
pub(crate) mod world;

pub(crate) use addresses::own_address;
pub(crate) use collector::Collector;
pub(crate) use events::{Ran, Running};
pub(crate) use peer::Peer;
pub(crate) use reply::{Gate, Reply};
pub(crate) use turn::Turn;
pub(crate) use world::World;

/// After so long something that is awaited will never come. Only a test that
/// fails waits for it.
pub(crate) const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

/// Runs a program to its end; gives the JSON that it printed.
pub(crate) async fn report(command: &mut tokio::process::Command) -> serde_json::Value {
    let output = command.output().await.unwrap();
    let (stdout, stderr) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{stdout}\n{stderr}", output.status);
    serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}\n{stderr}"))
}
