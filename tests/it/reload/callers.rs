//! Other callers while the server runs: from the next RPC on, on open connections too.

use nix::unistd::getuid;
use tonic::{Code, Request};

use super::*;

pub(super) const TOKEN: &str = "the-token-of-planner";

/// Known by a token whose file has this name; where there is one, by the test's user.
fn callers(name: &str, tools: &str, more: &str) -> String {
    base_with(&format!(
        "callers: {{allowed: {{{name}: {{token: {{file: \"{{folder}}/token\"}}, tools: {tools}}}\
         {more}}}}}\n"
    ))
}

/// The tools that there are for whoever shows this, if anybody.
pub(super) async fn tools(server: &Server, token: Option<&str>) -> Result<Vec<String>, Code> {
    let mut request = Request::new(ListToolsRequest::default());
    if let Some(token) = token {
        let bearer = format!("Bearer {token}").parse().unwrap();
        request.metadata_mut().insert("authorization", bearer);
    }
    match server.client().list_tools(request).await {
        Ok(listed) => Ok(listed.into_inner().tools.into_iter().map(|tool| tool.name).collect()),
        Err(status) => Err(status.code()),
    }
}

#[tokio::test]
async fn who_may_call_and_what_changes_for_the_next_rpc() {
    let mut server = Server::start(BASE).await;
    std::fs::write(server.folder.path().join("token"), TOKEN).unwrap();
    let all = ["echo", "read", "write"].map(str::to_owned);
    assert_eq!(tools(&server, None).await.unwrap(), all);

    assert!(server.change(&callers("planner", "[read]", "")).is_empty());
    assert_eq!(tools(&server, None).await, Err(Code::Unauthenticated));
    assert_eq!(tools(&server, Some(TOKEN)).await.unwrap(), ["read"]);
    let us = format!(", us: {{unix: {{uids: [{}]}}}}", getuid());
    server.change(&callers("planner", "['*e*']", &us));
    assert_eq!(tools(&server, Some(TOKEN)).await.unwrap(), all);
    assert_eq!(tools(&server, None).await.unwrap(), all);

    // A batch that runs goes on, whoever may call by then.
    let gate = Gate::closed();
    server.peer.on("GET /read/1", Reply::json("{}").behind(&gate));
    let running = server.send(&read("1")).await;
    server.peer.arrived(1).await;
    std::fs::write(server.folder.path().join("token"), "another-token-of-planner").unwrap();
    server.change(&callers("planner", "[]", ""));
    assert_eq!(tools(&server, Some(TOKEN)).await, Err(Code::Unauthenticated));
    assert_eq!(tools(&server, Some("another-token-of-planner")).await.unwrap(), [""; 0]);
    gate.open();
    running.finish().await.assert_succeeded("a", "{}");

    assert_eq!(server.change(BASE), ["callers"]);
    assert_eq!(tools(&server, None).await, Err(Code::Unauthenticated));
    server.end().await;
}

/// Half of a file may be a whole configuration.
#[tokio::test]
async fn callers_are_taken_away_by_a_restart_alone() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("token"), TOKEN).unwrap();
    let of = |callers: &str| {
        let folder = folder.path().display();
        let text = format!(
            "listen: {{unix: {{path: {folder}/s.sock}}}}\n{}",
            callers
                .replace("{folder}", &folder.to_string())
                .replace("{peer}", "http://127.0.0.1:1")
        );
        config::read("test.yaml", &text, &config::env::Process).unwrap_or_else(|e| panic!("{e}"))
    };
    let mut bound = app::bind(of(&callers("planner", "[read]", ""))).unwrap();
    let (mut reload, drain) = (bound.reload().unwrap(), bound.drain.clone());
    let mut server = JoinSet::new();
    server.spawn(bound.run());
    let channel = connect(folder.path().join("s.sock")).await;
    let mut client = SidecallServiceClient::new(channel);
    let applied = reload.apply(of(BASE)).unwrap();
    assert_eq!(applied.needs_restart, ["callers"]);
    let refused = client.list_tools(ListToolsRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    drop(client);
    drain.start();
    server.join_next().await.unwrap().unwrap();
}

#[tokio::test]
async fn attempts_that_wait_for_their_callers_limit_go_when_it_is_raised() {
    let of = |limits: &str| {
        let uid = getuid();
        base_with(&format!("callers: {{allowed: {{us: {{unix: {{uids: [{uid}]}}{limits}}}}}}}\n"))
    };
    let mut server = Server::start(&of(", limits: {concurrency: 1}")).await;
    let gate = Gate::closed();
    server.peer.on("GET /read/*", Reply::json("{}").behind(&gate));
    let mut running = Vec::new();
    for id in ["1", "2", "3"] {
        running.push(server.send(&read(id).session(id)).await);
    }
    let two_wait = async { while server.status().await.process.unwrap().waiting != 2 {} };
    timeout(PATIENCE, two_wait).await.expect("they do not wait");
    for (arrived, limits) in [(1, ""), (2, ", limits: {concurrency: 2}"), (3, "")] {
        if arrived > 1 {
            server.change(&of(limits));
        }
        server.peer.arrived(arrived).await;
        assert_eq!(server.peer.in_flight_max(), arrived);
    }
    gate.open();
    for running in running {
        running.finish().await.assert_succeeded("a", "{}");
    }
    server.end().await;
}
