//! Who may call, and what: whoever is not known gets nothing, and whoever is learns
//! nothing of what is not his.

use nix::unistd::{getgid, getuid};
use prost::Message as _;
use sidecall::proto::v1::{
    CancelBatchRequest, Effect, ExecuteStreamRequest, FailureCode, ListToolsRequest,
    LogLevelsRequest, ServeToolsRequest, StatusRequest, ToolResult,
    serve_tools_request::Message as Said,
};
use tokio::time::timeout;
use tonic::{Code, Request, Status, transport::Endpoint};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest,
};
use tonic_types::StatusExt;

use crate::support::{
    Gate, PATIENCE, Peer, Ran, Reply, Turn, World,
    tools::{BASE, base_with, base_with_api},
    worker::{hello, shared, tool},
};

mod certificates;
mod jwt;
mod moment;
mod strangers;

/// Three callers, each with a token of its name; two of them of one tenant.
const CALLERS: &str = r#"
callers:
  allowed:
    planner:
      token: {file: "{folder}/planner"}
      tools: [read, "agent_*"]
      tenant: acme
      limits: {batches: 2, concurrency: 1}
    reviewer:
      token: {file: "{folder}/reviewer"}
      tenant: acme
    operator:
      token: {file: "{folder}/operator"}
      admin: on
"#;

/// The token of a caller.
fn token(name: &str) -> String {
    format!("the-token-of-{name}")
}

/// What a caller asks.
fn of<T>(name: &str, message: T) -> Request<T> {
    with(&token(name), message)
}

fn with<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let text = format!("Bearer {token}").parse().unwrap();
    request.metadata_mut().insert("authorization", text);
    request
}

/// A world whose callers are those of [`CALLERS`].
async fn world() -> World {
    world_of(&base_with(CALLERS)).await
}

async fn world_of(yaml: &str) -> World {
    World::start_in_folder(Peer::start().await, yaml, |folder| {
        for name in ["planner", "reviewer", "operator"] {
            std::fs::write(folder.join(name), token(name) + "\n").unwrap();
        }
    })
    .await
}

async fn run(world: &World, name: &str, turn: &Turn) -> Ran {
    let shown = format!("Bearer {}", token(name));
    world.send_with(turn, &[("authorization", &shown)]).await.unwrap().finish().await
}

fn read(id: &str) -> Turn {
    Turn::of([("a".to_owned(), "read".to_owned(), format!(r#"{{"id":"{id}"}}"#))])
}

/// Every RPC with what it is asked as nobody, and what is said to that.
async fn refusals(world: &World) -> Vec<Status> {
    let mut client = world.client();
    let stream = tokio_stream::iter([ExecuteStreamRequest::default()]);
    let worker = ServeToolsRequest { message: Some(Said::Hello(shared("w", Vec::new()))) };
    let reflect = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut reflection = ServerReflectionClient::new(world.channel());
    vec![
        world.send(&read("1")).await.err().unwrap(),
        client.execute_stream(stream).await.err().unwrap(),
        client.plan_batch(read("1").to_plan()).await.unwrap_err(),
        client.cancel_batch(CancelBatchRequest::default()).await.unwrap_err(),
        client.list_tools(ListToolsRequest::default()).await.unwrap_err(),
        client.status(StatusRequest::default()).await.unwrap_err(),
        client.log_levels(LogLevelsRequest::default()).await.unwrap_err(),
        client.serve_tools(tokio_stream::iter([worker])).await.err().unwrap(),
        reflection.server_reflection_info(tokio_stream::iter([reflect])).await.err().unwrap(),
    ]
}

fn by_process(uids: &str, gids: &str) -> String {
    base_with(&format!(
        "callers: {{allowed: {{app: {{unix: {{uids: [{uids}], gids: [{gids}]}}}}}}}}\n"
    ))
}

#[tokio::test]
async fn a_process_of_another_user_is_refused_everything_but_health() {
    let (uid, gid) = (getuid().as_raw(), getgid().as_raw());
    let world = World::start(&by_process(&(uid + 1).to_string(), &(gid + 1).to_string())).await;
    let refusals = refusals(&world).await;
    for status in &refusals {
        assert_eq!(status.code(), Code::Unauthenticated, "{status:?}");
        // The same words for everything.
        assert_eq!(status.message(), refusals[0].message());
        assert_eq!(status.get_error_details().error_info().unwrap().reason, "UNAUTHENTICATED");
    }
    let health = HealthClient::new(world.channel()).check(HealthCheckRequest::default()).await;
    assert!(health.is_ok());
    world.end().await;
}

#[tokio::test]
async fn a_process_is_let_in_by_its_own_user_or_its_own_group() {
    let (uid, gid) = (getuid().as_raw(), getgid().as_raw());
    for allowed in [by_process(&uid.to_string(), ""), by_process("", &gid.to_string())] {
        let world = World::start(&allowed).await;
        world.peer.on("GET /read/1", Reply::json("{}"));
        world.run(&read("1")).await.assert_succeeded("a", "{}");
        world.end().await;
    }
}

/// On TCP there is no user to go by.
#[tokio::test]
async fn over_tcp_only_what_is_shown_counts() {
    let callers = format!("{CALLERS}    app: {{unix: {{uids: [{}]}}}}\n", getuid());
    let world = world_of(&base_with(&callers)).await;
    world.peer.on("GET /read/1", Reply::json("{}"));
    world.run(&read("1")).await.assert_succeeded("a", "{}");
    let channel = Endpoint::from_shared(format!("http://{}", world.tcp)).unwrap();
    let client = sidecall::proto::v1::sidecall_service_client::SidecallServiceClient::new(
        channel.connect().await.unwrap(),
    );
    let ask = |request: Request<ListToolsRequest>| {
        let mut client = client.clone();
        async move { client.list_tools(request).await }
    };
    for request in [
        Request::new(ListToolsRequest::default()),
        with("the-token-of-nobody", ListToolsRequest::default()),
        with("", ListToolsRequest::default()),
    ] {
        assert_eq!(ask(request).await.unwrap_err().code(), Code::Unauthenticated);
    }
    assert!(ask(of("reviewer", ListToolsRequest::default())).await.is_ok());
    // A token that is not right is refused, also from a process that would be let in.
    let wrong = world.client().list_tools(with("wrong", ListToolsRequest::default())).await;
    assert_eq!(wrong.unwrap_err().code(), Code::Unauthenticated);
    drop(client);
    world.end().await;
}

/// All that a model and its caller can read of a call, but for how long it took.
fn without_times(result: &ToolResult) -> Vec<u8> {
    ToolResult { timings: None, ..result.clone() }.encode_to_vec()
}

/// The same, byte for byte, from a server that has the tool and from one that has not.
#[tokio::test]
async fn a_tool_that_is_denied_is_a_tool_that_does_not_exist() {
    let (start, end) = (BASE.find("  write:").unwrap(), BASE.find("  echo:").unwrap());
    let (without, rest) = BASE.split_at(start);
    assert!(start < end);
    // The tool that it may call is ordered after one that it may not know of.
    let without = format!("{}\n    after: [write]\n", without.trim_end());
    let has = world_of(&(without.clone() + rest + CALLERS)).await;
    let has_not = world_of(&(without.replace("after: [write]", "") + CALLERS)).await;
    let both = [("a", "write", r#"{"id":"1","value":2}"#), ("b", "read", r#"{"id":"1"}"#)];
    let both = Turn::of(both);
    let calls = [
        ("write", r#"{"id":"1","value":2}"#),
        ("echo", "{}"),
        ("wirte", "{}"),
        ("nobody", "{}"),
        ("write", "no JSON"),
    ];
    for (tool, input) in calls {
        let turn = Turn::one(tool, input).batch_id(&format!("turn-{tool}-{}", input.len()));
        let (one, other) =
            (run(&has, "planner", &turn).await, run(&has_not, "planner", &turn).await);
        one.assert_failed("a", FailureCode::UnknownTool, &[tool]);
        assert!(!one.failure("a").message.contains("echo") || tool == "echo");
        assert_eq!(without_times(one.result("a")), without_times(other.result("a")));
        assert_eq!(one.bundle, other.bundle);
        assert_eq!(one.accepted.encode_to_vec(), other.accepted.encode_to_vec());
        let plan = |world: &World| {
            let (mut client, turn) = (world.client(), turn.to_plan());
            async move { client.plan_batch(of("planner", turn)).await.unwrap().into_inner() }
        };
        assert_eq!(plan(&has).await.encode_to_vec(), plan(&has_not).await.encode_to_vec());
    }
    let plan = |world: &World| {
        let (mut client, turn) = (world.client(), both.to_plan());
        async move { client.plan_batch(of("planner", turn)).await.unwrap().into_inner() }
    };
    assert_eq!(plan(&has).await.encode_to_vec(), plan(&has_not).await.encode_to_vec());
    let list = |world: &World| {
        let mut client = world.client();
        let request = of("planner", ListToolsRequest { shape: 1, ..ListToolsRequest::default() });
        async move { client.list_tools(request).await.unwrap().into_inner() }
    };
    let listed = list(&has).await;
    assert_eq!(listed.tools.iter().map(|tool| &*tool.name).collect::<Vec<_>>(), ["read"]);
    assert_eq!(listed.encode_to_vec(), list(&has_not).await.encode_to_vec());
    // Another caller has them all.
    let all = has.client().list_tools(of("reviewer", ListToolsRequest::default())).await.unwrap();
    assert_eq!(all.into_inner().tools.len(), 3);
    has.end().await;
    has_not.end().await;
}

#[tokio::test]
async fn a_batch_is_cancelled_by_its_owner_alone_and_no_other_learns_of_it() {
    let world = world().await;
    let gate = Gate::closed();
    world.peer.on("GET /read/1", Reply::json("{}").behind(&gate));
    let cancel = |name: &'static str| {
        let mut client = world.client();
        let request = CancelBatchRequest { batch_id: "turn-1".into(), call_ids: Vec::new() };
        async move { client.cancel_batch(of(name, request)).await }
    };
    let told =
        |status: Status| (status.code(), status.message().to_owned(), status.details().to_vec());
    let before = told(cancel("reviewer").await.unwrap_err());
    let turn = read("1").batch_id("turn-1");
    let shown = format!("Bearer {}", token("planner"));
    let mut running = world.send_with(&turn, &[("authorization", &shown)]).await.unwrap();
    running.until_started("a").await;
    assert_eq!(told(cancel("reviewer").await.unwrap_err()), before);
    assert_eq!(before.0, Code::NotFound);
    // Another's batch of that id is another batch.
    let (gate_of, other) = (&gate, world.send_with(&turn, &[("authorization", &shown)]).await);
    assert_eq!(other.err().unwrap().code(), Code::AlreadyExists);
    let theirs = format!("Bearer {}", token("reviewer"));
    let others = world.send_with(&turn, &[("authorization", &theirs)]).await.unwrap();
    assert_eq!(cancel("planner").await.unwrap().into_inner().call_ids, ["a"]);
    running.finish().await.assert_failed("a", FailureCode::Cancelled, &[]);
    gate_of.open();
    others.finish().await.assert_succeeded("a", "{}");
    world.end().await;
}

#[tokio::test]
async fn a_worker_offers_only_what_its_caller_may() {
    let world = world().await;
    let offer = |name: &'static str, hello| {
        let mut client = world.client();
        let said = ServeToolsRequest { message: Some(Said::Hello(hello)) };
        let said =
            tokio_stream::StreamExt::chain(tokio_stream::iter([said]), tokio_stream::pending());
        async move { client.serve_tools(of(name, said)).await }
    };
    let tools = |names: &[&str]| names.iter().map(|name| tool(name, Effect::ReadOnly)).collect();
    // One that the configuration has, and one that nobody has.
    for name in ["write", "pay"] {
        let status =
            offer("planner", hello("w", "s", tools(&["agent_a", name]))).await.err().unwrap();
        assert_eq!(status.code(), Code::PermissionDenied);
        assert_eq!(
            status.message(),
            format!(
                "this caller may not offer {name}; its policy lets it offer and call read, agent_*"
            )
        );
    }
    let theirs = offer("planner", hello("w", "s", tools(&["agent_a"]))).await.unwrap();
    let listed = |name: &'static str| {
        let mut client = world.client();
        let request = ListToolsRequest { session_id: "s".into(), ..ListToolsRequest::default() };
        async move {
            let listed = client.list_tools(of(name, request)).await.unwrap().into_inner();
            listed.tools.into_iter().map(|tool| tool.name).collect::<Vec<_>>()
        }
    };
    assert_eq!(listed("planner").await, ["agent_a", "read"]);
    // A session of the same name, tenant and all, of another owner.
    assert_eq!(listed("reviewer").await, ["echo", "read", "write"]);
    let ours = offer("reviewer", shared("w", tools(&["agent_b", "pay"]))).await.unwrap();
    // What is shared is the tenant's, as far as each of its callers may call it.
    assert_eq!(listed("planner").await, ["agent_a", "agent_b", "read"]);
    assert_eq!(listed("reviewer").await, ["agent_b", "echo", "pay", "read", "write"]);
    assert_eq!(listed("operator").await, ["echo", "read", "write"]);
    let status = world.client().status(of("planner", StatusRequest::default())).await.unwrap();
    let workers = status.into_inner().workers.unwrap();
    let mut seen: Vec<_> = workers.busiest.into_iter().map(|worker| worker.tools).collect();
    seen.sort();
    assert_eq!(seen, [["agent_a"], ["agent_b"]]);
    drop((theirs, ours));
    world.end().await;
}

#[tokio::test]
async fn a_caller_has_no_more_open_than_its_limits_allow() {
    let world = world().await;
    let gate = Gate::closed();
    world.peer.on("GET /read/*", Reply::json("{}").behind(&gate));
    let send = |name: &str, id: &str| {
        let (turn, shown) = (read(id).session(id), format!("Bearer {}", token(name)));
        let world = &world;
        async move { world.send_with(&turn, &[("authorization", &shown)]).await }
    };
    let open = [send("planner", "1").await.unwrap(), send("planner", "2").await.unwrap()];
    let status = send("planner", "3").await.err().unwrap();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.message().contains("limits.batches (2)"), "{status:?}");
    assert!(status.get_error_details().retry_info().unwrap().retry_delay.is_some());
    // Nobody else is held up: not by its batches, and not by its attempts.
    let others = send("reviewer", "4").await.unwrap();
    world.peer.arrived(2).await;
    let one_waits = async {
        let ask = || of("operator", StatusRequest::default());
        let mut client = world.client();
        while client.status(ask()).await.unwrap().into_inner().process.unwrap().waiting != 1 {}
    };
    timeout(PATIENCE, one_waits).await.expect("the planner's other attempt does not wait");
    gate.open();
    for running in open.into_iter().chain([others]) {
        running.finish().await.assert_succeeded("a", "{}");
    }
    assert_eq!(world.peer.in_flight_max(), 2, "one of the planner's, one of the reviewer's");
    run(&world, "planner", &read("5")).await.assert_succeeded("a", "{}");
    world.end().await;
}

#[tokio::test]
async fn only_an_operator_touches_the_log_and_others_see_no_more_than_is_theirs() {
    let tools =
        "  audit: {description: Audits., concurrency: 1, http: {api: ledger, get: /audit}}\n";
    let yaml = BASE.replace("tools:\n", "  ledger: {url: \"{peer}\"}\ntools:\n") + tools + CALLERS;
    let world = world_of(&yaml).await;
    let levels = |name: &'static str| {
        let mut client = world.client();
        async move { client.log_levels(of(name, LogLevelsRequest::default())).await.unwrap_err() }
    };
    for name in ["planner", "reviewer"] {
        let status = levels(name).await;
        assert_eq!(status.code(), Code::PermissionDenied);
        assert!(status.message().contains("`admin: on`"), "{status:?}");
    }
    // It is asked, and this process does not log.
    assert_eq!(levels("operator").await.code(), Code::FailedPrecondition);

    world.peer.on("GET /read/1", Reply::json("{}"));
    run(&world, "reviewer", &read("1").session("secret-plan")).await;
    let look = |name: &'static str| {
        let mut client = world.client();
        async move { client.status(of(name, StatusRequest::default())).await.unwrap().into_inner() }
    };
    let (ours, theirs) = (look("reviewer").await, look("planner").await);
    assert!(ours.apis.iter().any(|api| api.name == "ledger"), "{:?}", ours.apis);
    assert_eq!(ours.tools.iter().map(|tool| &*tool.name).collect::<Vec<_>>(), ["audit"]);
    assert_eq!(ours.budgets.as_ref().unwrap().lowest[0].session_id, "secret-plan");
    let shown = format!("{theirs:?}");
    for hidden in ["audit", "ledger", "secret-plan"] {
        assert!(!shown.contains(hidden), "{hidden}: {shown}");
    }
    assert_eq!((theirs.apis_omitted, theirs.tools_omitted), (0, 0));
    world.end().await;
}
