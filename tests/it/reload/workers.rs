//! Workers whose callers may do less from now on.

use sidecall::proto::v1::{Effect, WorkerTool};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

use super::*;
use crate::support::worker::{Worker, json, shared, tool};

/// Two callers of one tenant, each with the token in the file of its name.
const BOTH: &str = r#"
callers:
  allowed:
    planner: {token: {file: "{folder}/planner"}, tenant: acme, tools: ["agent_*"]}
    reviewer: {token: {file: "{folder}/reviewer"}, tenant: acme}
"#;

/// The line of the first of them.
const PLANNER: &str =
    "    planner: {token: {file: \"{folder}/planner\"}, tenant: acme, tools: [\"agent_*\"]}\n";

async fn server() -> Server {
    let folder = TempDir::new().unwrap();
    for name in ["planner", "reviewer"] {
        fs::write(folder.path().join(name), token(name)).unwrap();
    }
    Server::start_in(folder, &base_with(BOTH)).await
}

fn token(name: &str) -> String {
    format!("the-token-of-{name}")
}

impl Server {
    async fn worker(&self, caller: &str, name: &str, tools: Vec<WorkerTool>) -> Worker {
        Worker::join_as(self.socket(), &token(caller), shared(name, tools)).await
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("sidecall.sock")
    }

    /// A turn of the reviewer's.
    async fn review(&self, turn: &Turn) -> Running {
        let mut request = Request::new(turn.0.clone());
        let bearer = format!("Bearer {}", token("reviewer")).parse().unwrap();
        request.metadata_mut().insert("authorization", bearer);
        Running::new(self.client().execute_batch(request).await.unwrap().into_inner())
    }

    /// The tools that workers offer, as the reviewer sees them.
    async fn offered(&self) -> Vec<String> {
        let mut names = callers::tools(self, Some(&token("reviewer"))).await.unwrap();
        names.retain(|name| name.starts_with("agent_"));
        names
    }
}

fn reason(status: &Status) -> String {
    status.get_error_details().error_info().unwrap().reason.clone()
}

#[tokio::test]
async fn a_withdrawn_callers_worker_hears_nothing_more_and_its_calls_are_lost_at_once() {
    let mut server = server().await;
    let read = || tool("agent_read", Effect::ReadOnly);
    let tools =
        vec![read(), tool("agent_pay", Effect::AtMostOnce), tool("agent_own", Effect::Keyed)];
    let mut withdrawn = server.worker("planner", "stolen", tools).await;
    let calls = ["agent_read", "agent_pay"].map(|name| (name, name, r#"{"card":"4711"}"#));
    let running = server.review(&Turn::of(calls)).await;
    let both = [withdrawn.attempt().await, withdrawn.attempt().await];
    let mut replica = server.worker("reviewer", "ours", vec![read()]).await;

    server.change(&base_with(&BOTH.replace(PLANNER, "")));
    // Nothing of it is offered by now, and what it says does not count.
    assert_eq!(server.offered().await, ["agent_read"]);
    for attempt in &both {
        withdrawn.answer(attempt.attempt_id, json("\"forged\"")).await;
    }
    let again = replica.attempt().await;
    replica.answer(again.attempt_id, json("\"ours\"")).await;
    let ran = running.finish().await;
    ran.assert_succeeded("agent_read", "\"ours\"");
    let words = "\"stolen\", which ran the call, was lost: its caller may not offer its tools";
    ran.assert_failed("agent_pay", FailureCode::OutcomeUnknown, &[words]);

    let ran = server.review(&Turn::one("agent_own", "{}")).await.finish().await;
    ran.assert_failed("a", FailureCode::WorkerLost, &["its caller may not offer its tools"]);
    let status = withdrawn.ended().await;
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::Unauthenticated, "UNAUTHENTICATED")
    );
    let hello = shared("stolen", vec![read()]);
    let again = Worker::try_join_as(server.socket(), Some(&token("planner")), hello).await;
    assert_eq!(again.err().unwrap().code(), Code::Unauthenticated);
    drop(replica);
    server.end().await;
}

#[tokio::test]
async fn a_worker_that_offers_more_than_its_caller_may_by_now_is_sent_away_and_others_stay() {
    let mut server = server().await;
    let [both, one] = [vec!["agent_a", "agent_b"], vec!["agent_a"]]
        .map(|names| names.into_iter().map(|name| tool(name, Effect::ReadOnly)).collect());
    let mut both = server.worker("planner", "both", both).await;
    let mut one = server.worker("planner", "one", one).await;
    server.change(&base_with(&BOTH.replace("agent_*", "agent_a")));
    let status = both.ended().await;
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::PermissionDenied, "TOOLS_NOT_ALLOWED")
    );
    assert!(status.message().contains("may not offer agent_b"), "{status:?}");
    assert_eq!(server.offered().await, ["agent_a"]);
    let running = server.review(&Turn::one("agent_a", "{}")).await;
    let attempt = one.attempt().await;
    one.answer(attempt.attempt_id, json("1")).await;
    running.finish().await.assert_succeeded("a", "1");

    // One of another tenant's tools are another tenant's.
    let elsewhere = BOTH.replace(PLANNER, &PLANNER.replace("acme", "other"));
    server.change(&base_with(&elsewhere));
    let status = one.ended().await;
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unavailable, "CALLER_CHANGED"));
    assert_eq!(server.offered().await, [""; 0]);
    server.end().await;
}

/// Whoever has the old one is not to be told from a thief by now.
#[tokio::test]
async fn a_worker_goes_with_the_token_that_it_showed_and_with_nothing_else() {
    let mut server = server().await;
    let tools = || vec![tool("agent_a", Effect::ReadOnly)];
    let mut by_old = server.worker("planner", "old", tools()).await;
    let new = |server: &Server| fs::write(server.folder.path().join("new"), "new-token-of-planner");
    new(&server).unwrap();
    let two = "token: [{file: \"{folder}/planner\"}, {file: \"{folder}/new\"}]";
    let two = BOTH.replace("token: {file: \"{folder}/planner\"}", two);
    let only = BOTH.replace("{folder}/planner", "{folder}/new");
    server.change(&base_with(&two));
    let hello = shared("new", tools());
    let mut by_new = Worker::join_as(server.socket(), "new-token-of-planner", hello).await;
    server.change(&(base_with(&two) + "drain: {timeout: 7s}\n"));
    assert_eq!(server.offered().await, ["agent_a"]);
    server.change(&base_with(&only));
    assert_eq!(by_old.ended().await.code(), Code::Unauthenticated);
    let running = server.review(&Turn::one("agent_a", "{}")).await;
    let attempt = by_new.attempt().await;
    by_new.answer(attempt.attempt_id, json("1")).await;
    running.finish().await.assert_succeeded("a", "1");
    server.end().await;
}
