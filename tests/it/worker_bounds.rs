//! What workers may take, as the configuration bounds it, and what is shown of them.

use sidecall::proto::v1::{Effect, FailureCode, Outcome, StatusRequest, Usage, WorkerHello};
use tokio::time::timeout;
use tonic::Code;
use tonic_types::StatusExt;

use crate::support::{
    PATIENCE, Peer, Turn, World,
    tools::base_with,
    worker::{Worker, hello, json, tool},
};

#[tokio::test]
async fn the_bounds_of_workers_hold() {
    let bounds =
        "workers: {total: 2, per_session: 1, tools: 1, attempts: 2, result_bytes: 1 KiB}\n";
    let world = World::start(&base_with(bounds)).await;
    let refused = async |hello: WorkerHello| match Worker::try_join(&world, hello).await {
        Err(status) => (status.code(), status.message().to_owned()),
        Ok(_) => panic!("it was let in"),
    };
    let one = || vec![tool("t", Effect::ReadOnly)];
    let (code, why) = refused(hello("w", "s", [one(), one()].concat())).await;
    assert_eq!(code, Code::InvalidArgument);
    assert!(why.contains("has 2 tools; workers.tools allows 1"), "{why}");
    let (code, why) =
        refused(WorkerHello { attempts_max: Some(3), ..hello("w", "s", one()) }).await;
    assert_eq!(code, Code::InvalidArgument);
    assert!(why.contains("3 is not from 1 to 2"), "{why}");

    let mut worker = Worker::join(&world, hello("w", "s", one())).await;
    let (code, why) = refused(hello("x", "s", one())).await;
    assert_eq!(code, Code::ResourceExhausted);
    assert!(why.contains("workers.per_session (1)"), "{why}");
    let _other = Worker::join(&world, hello("x", "other", one())).await;
    let (code, why) = refused(hello("y", "third", one())).await;
    assert_eq!(code, Code::ResourceExhausted);
    assert!(why.contains("workers.total (2)"), "{why}");

    // Two at once, the third when one of them is done; and no result too large.
    let calls = (0..3).map(|n| (format!("c{n}"), "t".to_owned(), format!(r#"{{"n":{n}}}"#)));
    let running = world.send(&Turn::of(calls).session("s")).await.unwrap();
    let (first, second) = (worker.attempt().await, worker.attempt().await);
    let status = world.client().status(StatusRequest::default()).await.unwrap().into_inner();
    let seen = status.workers.unwrap();
    assert_eq!(seen.connected, Some(Usage { used: 2, max: Some(2) }));
    assert_eq!(seen.busiest[0].attempts, Some(Usage { used: 2, max: Some(2) }));
    assert_eq!((seen.busiest[0].name.as_str(), seen.busiest[0].session_id.as_str()), ("w", "s"));
    assert_eq!(seen.busiest[0].tools, ["t"]);
    worker.answer(second.attempt_id, json(&format!("\"{}\"", "x".repeat(1023)))).await;
    let third = worker.attempt().await;
    worker.answer(third.attempt_id, json(&format!("\"{}\"", "x".repeat(1022)))).await;
    worker.answer(first.attempt_id, json("1")).await;
    let ran = running.finish().await;
    ran.assert_succeeded("c0", "1");
    assert_eq!(ran.failure("c1").code(), FailureCode::ResultTooLarge);
    assert_eq!(ran.result("c2").outcome(), Outcome::Succeeded);
    world.end().await;
}

/// Two callers of one tenant.
const CALLERS: &str = r#"
workers: {total: 4}
callers:
  allowed:
    planner: {token: {file: "{folder}/planner"}, tenant: acme, limits: {workers: 2}}
    reviewer: {token: {file: "{folder}/reviewer"}, tenant: acme}
"#;

#[tokio::test]
async fn a_callers_own_bound_is_told_first_and_of_its_own_workers_alone() {
    let world = World::start_in_folder(Peer::start().await, &base_with(CALLERS), |folder| {
        for name in ["planner", "reviewer"] {
            std::fs::write(folder.join(name), format!("the-token-of-{name}")).unwrap();
        }
    })
    .await;
    let join = async |name: &str, session: &str| {
        let hello = hello("w", session, vec![tool("t", Effect::ReadOnly)]);
        let token = format!("the-token-of-{name}");
        Worker::try_join_as(world.socket.clone(), Some(&token), hello).await
    };
    let refused = async |name: &str| {
        let status = join(name, "last").await.err().expect("it was let in");
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert!(status.get_error_details().retry_info().is_some(), "{status:?}");
        status.message().to_owned()
    };
    let ours = [join("planner", "1").await.unwrap(), join("planner", "2").await.unwrap()];
    let own = "2 workers of the caller are connected, one more would pass limits.workers (2)";
    assert!(refused("planner").await.starts_with(own));
    // Nobody else is held up, and the bound of all is not what is told.
    let _theirs = [join("reviewer", "1").await.unwrap(), join("reviewer", "2").await.unwrap()];
    assert!(refused("planner").await.starts_with(own));
    assert!(refused("reviewer").await.contains("workers.total (4)"));
    let [one, _] = ours;
    one.cut();
    let comes_again = async { while join("planner", "3").await.is_err() {} };
    timeout(PATIENCE, comes_again).await.expect("its place is not free");
    world.end().await;
}
