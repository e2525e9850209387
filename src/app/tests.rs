use std::num::NonZeroUsize;

use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::AsyncReadExt,
    net::{TcpStream, UnixStream},
    task::JoinHandle,
};
use tokio_util::sync::DropGuard;
use tonic::{
    Code, Request, Streaming,
    transport::{Channel, Endpoint, Uri},
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_types::StatusExt;

use super::*;
use crate::{
    backend::{Attempt, Backend, Pending, Reply},
    model::{Content, Effect, Json},
    proto::v1::{
        self, batch_event::Event, sidecall_service_client::SidecallServiceClient as Client,
    },
    registry::{self, Schema, Tool},
};

/// Longer than any of these tests may take: what waits for it has hung.
const LONG: Duration = Duration::from_secs(60);
/// What an end takes at the most once nothing is left to wait for.
const SOON: Duration = Duration::from_secs(2);

/// A tool that answers once it is let.
#[derive(Clone, Debug, Default)]
struct Gate {
    /// A call of it runs.
    running: CancellationToken,
    /// It may answer.
    open: CancellationToken,
    /// A call of it was dropped.
    dropped: CancellationToken,
}

impl Backend for Gate {
    fn attempt(&self, _: Attempt) -> Pending {
        let Self { running, open, dropped } = self.clone();
        Box::pin(async move {
            let on_drop: DropGuard = dropped.drop_guard();
            running.cancel();
            open.cancelled().await;
            on_drop.disarm();
            Ok(Reply::new(vec![Content::Text("through".into())]))
        })
    }
}

fn registry(gate: &Gate) -> Registry {
    let name = ToolName::try_new("pass").unwrap();
    let schema = Schema::try_new(Json::try_new(r#"{"type":"object"}"#).unwrap()).unwrap();
    let api = ApiName::try_new("gate").unwrap();
    let settings = registry::tool::Settings {
        timeout: LONG,
        ..registry::tool::Settings::new(name, schema, api)
    };
    Registry::new([Tool::new(settings, Effect::ReadOnly, Arc::new(gate.clone()))])
}

fn bounds() -> schedule::Settings {
    let many = NonZeroUsize::new(1000).unwrap();
    schedule::Settings {
        batches_max: many,
        batch_calls_max: many,
        batch_bytes_max: NonZeroUsize::new(1 << 20).unwrap(),
        session_calls_max: many,
        calls_max: many,
        batch_concurrency: many,
        session_concurrency: many,
        concurrency: many,
        batch_timeout: LONG,
        sessions: crate::budget::Settings::default(),
        apis: Vec::new(),
        tools: Vec::new(),
    }
}

struct Served {
    gate: Gate,
    address: SocketAddr,
    socket: PathBuf,
    drain: Drain,
    run: JoinHandle<()>,
    _directory: tempfile::TempDir,
}

impl Served {
    fn start(drain_timeout: Duration) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("s.sock");
        let unix = listen::Unix { path: socket.clone(), ..listen::Unix::default() };
        let tcp = listen::Tcp::new(([127, 0, 0, 1], 0).into());
        let listen =
            listen::Settings { unix: Some(unix), tcp: Some(tcp), ..listen::Settings::default() };
        let gate = Gate::default();
        let rpc = rpc::Settings::default();
        let bound = Bound::try_new(
            registry(&gate),
            (bounds(), None),
            (&rpc, &listen, Auth::new(None)),
            drain_timeout,
            Telemetry::default(),
        )
        .unwrap();
        assert_eq!(bound.unix.as_deref(), Some(socket.as_path()));
        let (address, drain) = (bound.tcp.unwrap(), bound.drain.clone());
        // Not one of its own tasks, for whose end it waits.
        let run = Drain::new().spawn(bound.run());
        Self { gate, address, socket, drain, run, _directory: directory }
    }

    async fn tcp(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.address)).unwrap().connect().await.unwrap()
    }

    async fn unix(&self) -> Channel {
        let socket = self.socket.clone();
        let connect = tower::service_fn(move |_: Uri| {
            let socket = socket.clone();
            async move { UnixStream::connect(socket).await.map(TokioIo::new) }
        });
        let endpoint = Endpoint::from_static("http://sidecall");
        endpoint.connect_with_connector(connect).await.unwrap()
    }

    /// The server has ended, soon and leaving nothing.
    async fn ends(self) {
        timeout(SOON, self.run).await.expect("the server did not end").unwrap();
        assert!(!self.socket.exists());
        assert_eq!(self.drain.tasks_open(), 0);
        TcpStream::connect(self.address).await.unwrap_err();
    }
}

async fn health(channel: Channel) -> ServingStatus {
    let request = HealthCheckRequest { service: "sidecall.v1.SidecallService".to_owned() };
    HealthClient::new(channel).check(request).await.unwrap().into_inner().status()
}

fn turn(batch_id: &str) -> v1::ExecuteBatchRequest {
    let tool_use = v1::ToolUse { name: "pass".to_owned(), ..v1::ToolUse::default() };
    v1::ExecuteBatchRequest {
        batch_id: batch_id.to_owned(),
        turn: Some(v1::execute_batch_request::Turn::Typed(v1::ToolUses {
            tool_uses: vec![tool_use],
        })),
        ..v1::ExecuteBatchRequest::default()
    }
}

/// A turn whose one call runs.
async fn begun(served: &Served, channel: Channel) -> Streaming<v1::ExecuteBatchResponse> {
    let stream = Client::new(channel).execute_batch(turn("turn")).await.unwrap().into_inner();
    served.gate.running.cancelled().await;
    stream
}

/// The rest of a batch's events, in a word each; results with their outcome.
async fn rest(mut stream: Streaming<v1::ExecuteBatchResponse>) -> Vec<String> {
    let mut words = Vec::new();
    let mut sequence = 0;
    while let Some(message) = stream.message().await.unwrap() {
        let event = message.event.unwrap();
        sequence += 1;
        assert_eq!(event.sequence, sequence);
        words.push(match event.event.unwrap() {
            Event::Accepted(accepted) => format!("accepted {}", accepted.batch_id),
            Event::Started(started) => format!("started {}", started.call_id),
            Event::CallFinished(finished) => {
                let result = finished.result.unwrap();
                let code = result.failure.as_ref().map(|failure| failure.code().as_str_name());
                format!("{} {}", result.outcome().as_str_name(), code.unwrap_or_default())
            }
            Event::BundlePart(part) => format!("bundle of {}", part.items.len()),
            Event::BatchFinished(_) => "finished".to_owned(),
            other => panic!("{other:?}"),
        });
    }
    words
}

#[tokio::test]
async fn health_and_reflection_answer_on_both_sockets() {
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let served = Served::start(LONG);
    for channel in [served.tcp().await, served.unix().await] {
        assert_eq!(health(channel.clone()).await, ServingStatus::Serving);
        let list = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        let mut answers = ServerReflectionClient::new(channel)
            .server_reflection_info(tokio_stream::iter([list]))
            .await
            .unwrap()
            .into_inner();
        let answer = answers.message().await.unwrap().unwrap().message_response;
        let Some(MessageResponse::ListServicesResponse(services)) = answer else { panic!() };
        let names: Vec<_> = services.service.into_iter().map(|service| service.name).collect();
        assert!(names.iter().any(|name| name == "sidecall.v1.SidecallService"), "{names:?}");
    }
    served.drain.start();
    served.ends().await;
}

#[tokio::test]
async fn what_is_not_grpc_is_not_found_and_an_unknown_rpc_is_unimplemented() {
    let served = Served::start(LONG);
    let stream = TokioIo::new(TcpStream::connect(served.address).await.unwrap());
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    let connection = Drain::new().spawn(connection);
    for (path, grpc, status) in [
        ("/", false, 404),
        ("/healthz", false, 404),
        ("/sidecall.v1.SidecallServices/ExecuteBatch", false, 404),
        ("/sidecall.v1.SidecallService/Nothing", true, 200),
        ("/other.Service/Method", true, 200),
    ] {
        let mut request = ::http::Request::post(format!("http://sidecall{path}"));
        if grpc {
            request = request.header("content-type", "application/grpc");
        }
        let request = request.body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap();
        let response = client.send_request(request).await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        let code = response.headers().get("grpc-status").map(|code| code.as_bytes());
        assert_eq!(code, grpc.then_some(&b"12"[..]), "{path}");
    }
    drop(client);
    connection.await.unwrap().unwrap();
    served.drain.start();
    served.ends().await;
}

#[tokio::test]
async fn a_turn_runs_to_its_bundle() {
    let served = Served::start(LONG);
    served.gate.open.cancel();
    let stream = begun(&served, served.unix().await).await;
    let expected =
        ["accepted turn", "started call_1", "OUTCOME_SUCCEEDED ", "bundle of 1", "finished"];
    assert_eq!(rest(stream).await, expected);
    served.drain.start();
    served.ends().await;
}

#[tokio::test]
async fn a_caller_that_goes_away_takes_its_batch_with_it() {
    let served = Served::start(LONG);
    let stream = begun(&served, served.unix().await).await;
    drop(stream);
    served.gate.dropped.cancelled().await;
    served.drain.start();
    served.ends().await;
}

#[tokio::test]
async fn the_bundle_arrives_before_the_rpcs_own_deadline() {
    let served = Served::start(LONG);
    let mut request = Request::new(turn("turn"));
    request.set_timeout(Duration::from_secs(1));
    let stream = Client::new(served.tcp().await).execute_batch(request).await.unwrap();
    let words = rest(stream.into_inner()).await;
    let expected = "OUTCOME_FAILED FAILURE_CODE_DEADLINE_EXCEEDED";
    assert!(words.iter().any(|word| word == expected), "{words:?}");
    assert_eq!(words.last().unwrap(), "finished");
    served.drain.start();
    served.ends().await;
}

#[tokio::test]
async fn connections_that_do_nothing_do_not_delay_the_end() {
    let served = Served::start(LONG);
    // One that never spoke, one that is served and idle, one with an RPC that
    // has no end of its own.
    let mut silent = TcpStream::connect(served.address).await.unwrap();
    let idle = served.unix().await;
    assert_eq!(health(idle.clone()).await, ServingStatus::Serving);
    let request = HealthCheckRequest { service: String::new() };
    let mut watch =
        HealthClient::new(served.tcp().await).watch(request).await.unwrap().into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::Serving);

    served.drain.start();
    assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    served.ends().await;
    let closed = silent.read(&mut [0; 1 << 10]).await;
    assert!(closed.is_err() || silent.read(&mut [0; 1]).await.is_ok_and(|read| read == 0));
}

#[tokio::test]
async fn a_draining_server_ends_what_runs_and_takes_nothing_new() {
    let served = Served::start(LONG);
    let stream = begun(&served, served.unix().await).await;
    served.drain.start();

    // A connection made now is still served.
    let late = served.tcp().await;
    while health(late.clone()).await != ServingStatus::NotServing {}
    let refused = Client::new(late).execute_batch(turn("other")).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(refused.get_details_retry_info().unwrap().retry_delay.is_some());

    served.gate.open.cancel();
    assert_eq!(rest(stream).await.last().unwrap(), "finished");
    served.ends().await;
}

#[tokio::test]
async fn a_batch_can_be_cancelled_while_the_server_drains() {
    let served = Served::start(LONG);
    let stream = begun(&served, served.unix().await).await;
    served.drain.start();
    let request = v1::CancelBatchRequest { batch_id: "turn".to_owned(), call_ids: Vec::new() };
    let mut client = Client::new(served.tcp().await);
    let cancelled = client.cancel_batch(request).await.unwrap().into_inner();
    assert_eq!(cancelled.call_ids, ["call_1"]);
    let words = rest(stream).await;
    let expected = "OUTCOME_CANCELLED FAILURE_CODE_CANCELLED";
    assert!(words.iter().any(|word| word == expected), "{words:?}");
    served.ends().await;
}

#[tokio::test]
async fn at_the_drain_timeout_open_calls_end_with_a_result() {
    let served = Served::start(Duration::from_millis(100));
    let stream = begun(&served, served.unix().await).await;
    served.drain.start();
    let words = rest(stream).await;
    assert!(words.iter().any(|word| word.starts_with("OUTCOME_CANCELLED")), "{words:?}");
    assert_eq!(words.last().unwrap(), "finished");
    served.ends().await;
}

#[tokio::test]
async fn a_caller_that_does_not_read_does_not_delay_the_end() {
    let served = Served::start(Duration::from_millis(100));
    let stream = begun(&served, served.unix().await).await;
    served.drain.start();
    served.ends().await;
    drop(stream);
}
