//! A fault of Sidecall's own is one call's result, and nobody else's.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use sidecall::{
    backend::{Attempt, Backend, Pending, Reply},
    drain::Drain,
    model::{ApiName, Content, Effect, Json, ToolName},
    policy::Caller,
    proto::v1::{
        FailureCode, FailureOrigin, Outcome, sidecall_service_client::SidecallServiceClient,
        sidecall_service_server::SidecallServiceServer,
    },
    registry::{Registry, Schema, Tool, tool},
    rpc::service::Service,
    schedule::{Scheduler, Settings},
};
use tempfile::TempDir;
use tokio::{net::UnixListener, task::JoinSet};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::Request;

use crate::support::{Turn, events::Running, world::connect};

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
    let timeout = Duration::from_secs(5);
    let settings = tool::Settings { timeout, ..tool::Settings::new(name, schema, api) };
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
        batch_timeout: Duration::from_secs(5),
        sessions: sidecall::budget::Settings::default(),
        apis: Vec::new(),
        tools: Vec::new(),
    };
    let tools = [("now", Broken::AtOnce), ("later", Broken::Later), ("whole", Broken::Never)];
    let registry = Registry::new(tools.map(|(name, broken)| tool(name, broken)));
    let drain = Drain::new();
    let scheduler = Scheduler::new(Arc::new(registry), settings, drain.clone());
    let service = Service::new(scheduler, NonZeroUsize::new(3 << 20).unwrap());
    let folder = TempDir::new().unwrap();
    let socket = folder.path().join("s.sock");
    let incoming = UnixListenerStream::new(UnixListener::bind(&socket).unwrap());
    let mut server = JoinSet::new();
    server.spawn(
        tonic::transport::Server::builder()
            .add_service(SidecallServiceServer::with_interceptor(
                service,
                |mut request: Request<()>| {
                    request.extensions_mut().insert(Arc::new(Caller::local()));
                    Ok(request)
                },
            ))
            .serve_with_incoming(incoming),
    );

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
