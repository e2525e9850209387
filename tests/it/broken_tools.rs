//! A fault of Sidecall's own is one call's result, and nobody else's.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use sidecall::{
    backend::{Attempt, Backend, Pending, Reply},
    drain::Drain,
    model::{ApiName, Content, Effect, Json, ToolName},
    proto::v1::{
        FailureCode, FailureOrigin, Outcome, sidecall_service_client::SidecallServiceClient,
    },
    registry::{Registry, Schema, Tool, tool},
    rpc::{self, auth::Auth, layers::Server, listen, service::Service},
    schedule::{Scheduler, Settings},
    telemetry::Telemetry,
};
use tempfile::TempDir;

use crate::support::{Turn, events::Running, world::connect};

/// To write down where a panic was takes a debug build long on a machine that is busy.
const TIME: Duration = Duration::from_secs(60);

/// Breaks when it is called, while it works, or not at all.
#[derive(Clone, Copy, Debug)]
enum Broken {
    AtOnce,
    Later,
    Never,
}

impl Backend for Broken {
    fn attempt(&self, _: Attempt) -> Pending {
        let this = *self;
        assert!(!matches!(this, Self::AtOnce), "broken at once");
        Box::pin(async move {
            tokio::task::yield_now().await;
            assert!(!matches!(this, Self::Later), "broken later");
            Ok(Reply::new(vec![Content::Text("whole".into())]))
        })
    }
}

fn tool(name: &str, backend: Broken) -> Tool {
    let name = ToolName::try_new(name).unwrap();
    let schema = Schema::try_new(Json::try_new(r#"{"type":"object"}"#).unwrap()).unwrap();
    let api = ApiName::try_new("none").unwrap();
    let settings = tool::Settings { timeout: TIME, ..tool::Settings::new(name, schema, api) };
    Tool::new(settings, Effect::ReadOnly, Arc::new(backend))
}

/// Incident 9: a tool that breaks never told anybody, and its turn waited for
/// ever.
#[tokio::test]
async fn a_call_that_panics_is_one_internal_failure_and_its_siblings_go_on() {
    let some = NonZeroUsize::new(64).unwrap();
    let settings = Settings {
        batches_max: some,
        batch_calls_max: some,
        batch_bytes_max: NonZeroUsize::new(1 << 20).unwrap(),
        session_calls_max: some,
        calls_max: some,
        batch_concurrency: some,
        session_concurrency: some,
        concurrency: some,
        batch_timeout: TIME,
        sessions: sidecall::budget::Settings::default(),
        apis: Vec::new(),
        tools: Vec::new(),
    };
    let tools = [("now", Broken::AtOnce), ("later", Broken::Later), ("whole", Broken::Never)];
    let registry = Registry::new(tools.map(|(name, broken)| tool(name, broken)));
    let drain = Drain::new();
    let scheduler = Scheduler::new(Arc::new(registry), settings, drain.clone());
    let service = Service::new(scheduler, NonZeroUsize::new(3 << 20).unwrap());
    let (sizes, auth) = (rpc::Settings::default(), Auth::new(None));
    let server = Server::try_new(service, auth, &sizes, some, Telemetry::default()).unwrap();
    let folder = TempDir::new().unwrap();
    let socket = folder.path().join("s.sock");
    let unix = Some(listen::Unix { path: socket.clone(), ..listen::Unix::default() });
    let bound = listen::bind(&listen::Settings { unix, ..listen::Settings::default() }).unwrap();
    let ends = drain.killed().clone();
    for incoming in bound.into_incoming(&drain, &ends) {
        drain.detach(server.clone().serve(incoming, ends.clone()));
    }

    let mut client = SidecallServiceClient::new(connect(socket).await);
    let turn = Turn::of([
        ("a", "now", "{}"),
        ("b", "later", "{}"),
        ("c", "whole", "{}"),
        ("d", "whole", "{}"),
        ("e", "whole", r#"{"n":1}"#),
    ])
    .depends_on(3, &["b"]);
    for _ in 0..2 {
        let stream = client.execute_batch(turn.0.clone()).await.unwrap().into_inner();
        let ran = Running::new(stream).finish().await;
        for broken in ["a", "b"] {
            ran.assert_failed(broken, FailureCode::Internal, &[]);
            assert_eq!(ran.failure(broken).origin(), FailureOrigin::Sidecall);
            assert!(!ran.failure(broken).message.contains("broken"), "the cause is the log's");
        }
        ran.assert_failed("d", FailureCode::DependencyFailed, &["b"]);
        for whole in ["c", "e"] {
            assert_eq!(ran.result(whole).outcome(), Outcome::Succeeded);
        }
    }
    drain.kill();
    drain.finished().await;
}
