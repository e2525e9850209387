//! The wire itself: who may connect where, what the server tells of itself,
//! and what no request can ever carry.

use std::{
    collections::BTreeSet,
    os::unix::{fs::PermissionsExt, net::UnixListener},
};

use prost_reflect::{DescriptorPool, Kind, MessageDescriptor};
use serde_json::Value;
use sidecall::proto::{
    DESCRIPTORS,
    v1::{
        EdgeKind, EdgeStrength, Effect, FailureCode, ListToolsRequest, References, Shape,
        sidecall_service_client::SidecallServiceClient,
    },
};
use tokio_stream::StreamExt;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use crate::support::{Gate, Reply, Turn, World, tools::BASE};

/// Words that a field for a command, an origin, a database or a credential
/// would have in its name.
const FORBIDDEN: &str = "command cmd args argv env environment exec shell script binary program \
    path file url uri origin host endpoint address port dsn database query sql connection \
    credential credentials secret password token key auth authorization bearer header headers \
    certificate user config";

/// Looked at, and none of it.
const KNOWN: &[&str] = &[
    "sidecall.v1.ListToolsRequest.page_token",
    // What a tool of a worker answered, for the model to read.
    "sidecall.v1.Link.uri",
];

/// Incident 31: a test endpoint took a command line over the network. Here no
/// field of any request could carry one.
#[test]
fn no_request_has_a_field_for_a_command_an_origin_a_database_or_a_credential() {
    let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
    let methods = pool.services().flat_map(|service| service.methods().collect::<Vec<_>>());
    let mut open: Vec<MessageDescriptor> = methods.map(|method| method.input()).collect();
    assert!(open.len() >= 4);
    let mut seen = BTreeSet::new();
    while let Some(message) = open.pop() {
        if !seen.insert(message.full_name().to_owned()) {
            continue;
        }
        for field in message.fields() {
            let name = field.full_name();
            let mut parts = field.name().split('_');
            let word = parts.find(|part| FORBIDDEN.split_whitespace().any(|word| word == *part));
            assert!(word.is_none() || KNOWN.contains(&name), "{name} speaks of a {word:?}");
            // Free-form values are where such things hide.
            assert!(!field.is_map(), "{name} is a map");
            if let Kind::Message(inner) = field.kind() {
                open.push(inner);
            }
        }
    }
    assert!(seen.contains("sidecall.v1.ToolUse"));
    let is_free_form =
        |name: &String| name.starts_with("google.protobuf.") && name != "google.protobuf.Duration";
    assert!(!seen.iter().any(is_free_form), "{seen:?}");
}

#[tokio::test]
async fn reflection_tells_the_service_as_it_is_compiled() {
    let world = World::start(BASE).await;
    let mut client = ServerReflectionClient::new(world.channel());
    let ask = |request| {
        tokio_stream::once(ServerReflectionRequest {
            host: String::new(),
            message_request: Some(request),
        })
    };
    let listed = client
        .server_reflection_info(ask(MessageRequest::ListServices(String::new())))
        .await
        .unwrap()
        .into_inner()
        .next()
        .await
        .unwrap()
        .unwrap();
    let Some(MessageResponse::ListServicesResponse(services)) = listed.message_response else {
        panic!("{listed:?}")
    };
    let names: Vec<_> = services.service.into_iter().map(|service| service.name).collect();
    for name in ["sidecall.v1.SidecallService", "grpc.health.v1.Health"] {
        assert!(names.iter().any(|listed| listed == name), "{names:?}");
    }
    let symbol = "sidecall.v1.SidecallService".to_owned();
    let file = client
        .server_reflection_info(ask(MessageRequest::FileContainingSymbol(symbol)))
        .await
        .unwrap()
        .into_inner()
        .next()
        .await
        .unwrap()
        .unwrap();
    assert!(
        matches!(file.message_response, Some(MessageResponse::FileDescriptorResponse(_))),
        "{file:?}"
    );
    world.end().await;
}

#[tokio::test]
async fn health_says_serving_for_the_server_and_for_its_service() {
    let world = World::start(BASE).await;
    let mut client = HealthClient::new(world.channel());
    for service in ["", "sidecall.v1.SidecallService"] {
        let request = HealthCheckRequest { service: service.to_owned() };
        let status = client.check(request).await.unwrap().into_inner().status;
        assert_eq!(status, 1, "{service:?} is not SERVING");
    }
    let unknown = HealthCheckRequest { service: "no.such.Service".to_owned() };
    assert_eq!(client.check(unknown).await.unwrap_err().code(), tonic::Code::NotFound);
    world.end().await;
}

#[tokio::test]
async fn a_socket_is_its_owners_alone_unless_told_otherwise() {
    for (listen, expected) in [("", 0o600), (", mode: \"0660\"", 0o660)] {
        let yaml = format!(
            "{BASE}\nlisten:\n  unix: {{path: \"{{folder}}/s.sock\"{listen}}}\n  tcp: 127.0.0.1:0\n"
        );
        let world = World::start(&yaml).await;
        let mode = std::fs::metadata(&world.socket).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, expected);
        world.end().await;
    }
}

/// A server that crashed leaves its socket; the next one takes its place.
#[tokio::test]
async fn a_socket_that_nobody_listens_on_is_replaced_and_one_in_use_is_not() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("s.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "the crashed server's socket");
    let yaml =
        format!("{BASE}\nlisten:\n  unix: {{path: \"{}\"}}\n  tcp: 127.0.0.1:0\n", path.display());
    let world = World::start(&yaml).await;
    world.peer.on("GET /read/*", Reply::json("{}"));
    let second = World::fault(&yaml.replace("{peer}", "http://127.0.0.1:9"));
    assert!(second.contains("s.sock"), "{second}");
    // The first still serves.
    world.run(&Turn::one("read", r#"{"id":1}"#)).await.assert_succeeded("a", "{}");
    world.end().await;
}

#[tokio::test]
async fn the_same_is_served_over_tcp() {
    let world = World::start(BASE).await;
    world.peer.on("GET /read/*", Reply::json("{}"));
    let mut client = SidecallServiceClient::connect(format!("http://{}", world.tcp)).await.unwrap();
    let turn = Turn::one("read", r#"{"id":1}"#);
    let running = client.execute_batch(turn.0).await.unwrap().into_inner();
    let ran = crate::support::events::Running::new(running).finish().await;
    ran.assert_succeeded("a", "{}");
    drop(client);
    world.end().await;
}

#[tokio::test]
async fn tools_are_listed_as_the_providers_request_wants_them() {
    let world = World::start(BASE).await;
    let request = ListToolsRequest {
        shape: Shape::Anthropic.into(),
        references: References::On.into(),
        ..ListToolsRequest::default()
    };
    let listed = world.client().list_tools(request).await.unwrap().into_inner();
    let names: Vec<_> = listed.tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["echo", "read", "write"]);
    let definitions: Value = serde_json::from_str(&listed.tools_json).unwrap();
    for (definition, tool) in definitions.as_array().unwrap().iter().zip(&listed.tools) {
        assert_eq!(definition["name"], *tool.name);
        assert_eq!(definition["description"], *tool.description);
        assert_eq!(definition["input_schema"]["type"], "object");
    }
    assert!(listed.instructions.contains("${"), "{}", listed.instructions);
    let plain = world.client().list_tools(ListToolsRequest::default()).await.unwrap().into_inner();
    assert!(plain.instructions.is_empty() && plain.tools_json.is_empty());
    assert_eq!(plain.tools.len(), 3);
    world.end().await;
}

#[tokio::test]
async fn a_plan_tells_edges_faults_and_times_and_runs_nothing() {
    let yaml = BASE
        .replace("  read:\n", "  read:\n    latency: 200ms\n")
        .replace("  echo:\n", "  echo:\n    latency: 300ms\n    after: [write]\n")
        .replace("  write:\n", "  write:\n    latency: 100ms\n");
    let world = World::start(&yaml).await;
    let turn = Turn::of([
        ("r1", "read", r#"{"id":1}"#),
        ("r2", "read", r#"{"id":"${write.id}"}"#),
        ("w", "write", r#"{"id":"x"}"#),
        ("e", "echo", r#"{"a":"${r2.x}","b":{"$ref":"r1.y","default":0}}"#),
        ("bad", "nobody", "{}"),
    ])
    .with_references();
    let response = world.client().plan_batch(turn.to_plan()).await.unwrap().into_inner();
    let plan = response.plan.unwrap();
    let edges: Vec<_> =
        plan.edges.iter().map(|edge| (edge.from, edge.to, edge.kind(), edge.strength())).collect();
    use {EdgeKind as K, EdgeStrength as S};
    assert_eq!(
        edges,
        [
            (2, 1, K::Reference, S::Need),
            (0, 3, K::Reference, S::Optional),
            (1, 3, K::Reference, S::Need),
            (2, 3, K::After, S::Order),
        ]
    );
    assert!(plan.edges[0].reason.contains("${write.id}"), "{:?}", plan.edges[0]);
    assert_eq!(plan.calls[4].fault.as_ref().unwrap().code(), FailureCode::UnknownTool);
    let estimate = plan.estimate.unwrap();
    let ms = |time: Option<prost_types::Duration>| {
        std::time::Duration::try_from(time.unwrap()).unwrap().as_millis()
    };
    // read, read, write, echo; and write → read → echo.
    assert_eq!((ms(estimate.sequential), ms(estimate.critical_path)), (800, 600));
    let critical: Vec<_> =
        plan.calls.iter().filter(|call| call.critical).map(|call| call.call_id.as_str()).collect();
    assert_eq!(critical, ["r2", "w", "e"]);
    assert_eq!(estimate.depth, 3);
    let effects: Vec<_> = plan.calls.iter().map(|call| call.effect()).collect();
    let (reads, writes) = (Effect::ReadOnly, Effect::AtMostOnce);
    assert_eq!(effects, [reads, reads, writes, writes, Effect::Unspecified]);
    assert!(world.peer.lines().is_empty());
    world.end().await;
}

/// Draining: what runs is finished, what is new is refused, health says so.
#[tokio::test]
async fn a_server_that_is_ending_finishes_what_runs_and_takes_nothing_new() {
    let world = World::start(BASE).await;
    let gate = Gate::closed();
    world.peer.on("GET /read/*", Reply::json("{}").behind(&gate));
    let turn = Turn::one("read", r#"{"id":1}"#);
    let running = world.send(&turn).await.unwrap();
    world.peer.arrived(1).await;
    world.drain.start();
    let status = world.refusal(&turn).await;
    assert_eq!(status.code(), tonic::Code::Unavailable, "{status:?}");
    gate.open();
    running.finish().await.assert_succeeded("a", "{}");
    world.end().await;
}
