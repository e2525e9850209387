//! How the process ends, whoever is connected.

use std::{fs, net::SocketAddr, sync::Arc};

use bytes::{BufMut, Bytes, BytesMut};
use h2::client;
use prost::Message;
use rcgen::{CertificateParams, KeyPair};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject},
};
use sidecall::{
    clock,
    proto::v1::{ExecuteBatchResponse, FailureOrigin, Outcome, ToolResult, batch_event::Event},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixStream as Socket},
    task::JoinSet,
};
use tokio_rustls::TlsConnector;
use tonic::{Code, Streaming};
use tonic_types::StatusExt;

use super::*;

/// A turn of one call, to an API that never answers.
fn turn() -> ExecuteBatchRequest {
    let tool_use = ToolUse { name: "read".to_owned(), ..ToolUse::default() };
    let turn = execute_batch_request::Turn::Typed(ToolUses { tool_uses: vec![tool_use] });
    ExecuteBatchRequest { turn: Some(turn), ..ExecuteBatchRequest::default() }
}

#[tokio::test]
async fn the_first_signal_lets_a_batch_go_on_and_the_second_ends_it_with_its_result() {
    // An API that takes the request and never answers.
    let api = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = Place::new(&format!("http://{}", api.local_addr().unwrap()));
    let mut program = place.serve(1024).await;
    let mut client = SidecallServiceClient::new(program.channel().await);
    let mut events = client.execute_batch(turn()).await.unwrap().into_inner();
    let (_held, _) = timeout(LONG, api.accept()).await.unwrap().unwrap();

    program.signal("TERM");
    program.says("Draining").await;
    assert!(program.child.try_wait().unwrap().is_none());
    program.signal("INT");
    program.says("A second signal").await;
    let mut sequence = 0;
    while let Some(message) = events.message().await.unwrap() {
        sequence = message.event.unwrap().sequence;
    }
    // Accepted, started, finished, the bundle and the end.
    assert_eq!(sequence, 5);
    assert_eq!(program.ends().await.code(), Some(0));
}

/// What a second is given to, beyond the drain timeout.
const SECOND: Duration = Duration::from_secs(1);

/// A server with a Unix socket and TLS, and everyone who could hold up its end.
struct Besieged {
    program: Program,
    api: TcpListener,
    /// Connections, and requests at the API, which must not be closed from here.
    held: Vec<Box<dyn Send>>,
    /// What drives the connections of clients that do not read.
    driving: JoinSet<()>,
    _place: Place,
}

/// A connection of any kind.
trait Io: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Io for T {}

impl Besieged {
    async fn begin(drain_timeout: &str) -> Self {
        let api = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let place = Place::new(&format!("http://{}", api.local_addr().unwrap()));
        let folder = place.0.path();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        fs::write(folder.join("tls.crt"), &certificate).unwrap();
        fs::write(folder.join("tls.key"), key.serialize_pem()).unwrap();
        let yaml = folder.join("sidecall.yaml");
        let socket = place.socket();
        let more = format!(
            "listen:\n  unix: {{path: {}}}\n  tcp:\n    address: 127.0.0.1:0\n    \
             tls: {{certificate: tls.crt, key: tls.key}}\ndrain: {{timeout: {drain_timeout}}}\n",
            socket.display()
        );
        fs::write(&yaml, fs::read_to_string(&yaml).unwrap() + &more).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_sidecall"));
        command.arg("serve").arg("--config").arg(yaml);
        let mut program = place.begin(command);
        let said = program.says("Serving 1 tool on unix://").await;
        let address = said.split("https://").nth(1).unwrap().trim_end_matches('.');
        let address: SocketAddr = address.parse().unwrap();

        let mut besieged =
            Self { program, api, held: Vec::new(), driving: JoinSet::new(), _place: place };
        besieged.connect(address, &certificate).await;
        besieged
    }

    /// Everyone who could hold up the end.
    async fn connect(&mut self, address: SocketAddr, certificate: &str) {
        let socket = || Socket::connect(self.program.socket.clone());
        // Silent, and in the middle of what a connection begins with.
        for begun in [&b""[..], b"PRI * HTTP/2.0\r\n\r\nSM"] {
            let mut stream = socket().await.unwrap();
            stream.write_all(begun).await.unwrap();
            self.held.push(Box::new(stream));
        }
        for begun in [&b""[..], &[22, 3, 1], &[22, 3, 1, 0, 90, 1, 0, 0, 86, 3, 3]] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(begun).await.unwrap();
            self.held.push(Box::new(stream));
        }
        // Served once and idle; and one whose client does nothing any more, not even
        // read what it is sent.
        let channel = self.program.channel().await;
        HealthClient::new(channel.clone()).check(HealthCheckRequest::default()).await.unwrap();
        self.held.push(Box::new(channel));
        let (frozen, connection) = client::handshake(socket().await.unwrap()).await.unwrap();
        self.held.push(Box::new((frozen, connection)));
        // One that asks without end.
        let mut health = HealthClient::new(self.program.channel().await);
        let watch = health.watch(HealthCheckRequest::default()).await.unwrap();
        self.held.push(Box::new(watch));
        // Batches whose events nobody takes, over both.
        let stream = socket().await.unwrap();
        self.unread(stream).await;
        let stream = TcpStream::connect(address).await.unwrap();
        let name = "localhost".try_into().unwrap();
        let tls = TlsConnector::from(Arc::new(trusting(certificate)));
        let stream = tls.connect(name, stream).await.unwrap();
        self.unread(stream).await;
    }

    /// A batch over a connection whose windows are zero.
    async fn unread(&mut self, io: impl Io) {
        let handshake = client::Builder::new().initial_window_size(0).handshake(io);
        let (client, connection) = handshake.await.unwrap();
        self.driving.spawn(async move { drop(connection.await) });
        let request =
            http::Request::post("http://localhost/sidecall.v1.SidecallService/ExecuteBatch")
                .header("content-type", "application/grpc")
                .header("te", "trailers")
                .body(())
                .unwrap();
        let mut client = client.ready().await.unwrap();
        let (response, mut body) = client.send_request(request, false).unwrap();
        body.send_data(framed(&turn()), true).unwrap();
        let response = timeout(LONG, response).await.unwrap().unwrap();
        assert_eq!(response.status(), 200);
        self.held.push(Box::new((client, response)));
        self.runs().await;
    }

    /// A batch whose events are read.
    async fn read(&mut self) -> Streaming<ExecuteBatchResponse> {
        let mut client = SidecallServiceClient::new(self.program.channel().await);
        let events = client.execute_batch(turn()).await.unwrap().into_inner();
        self.runs().await;
        events
    }

    /// Waits until one more call has arrived at the API.
    async fn runs(&mut self) {
        let (request, _) = timeout(LONG, self.api.accept()).await.unwrap().unwrap();
        self.held.push(Box::new(request));
    }
}

/// A client that trusts this certificate alone.
fn trusting(certificate: &str) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

/// A message as gRPC frames it.
fn framed(message: &impl Message) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(message.encoded_len()).unwrap());
    message.encode(&mut bytes).unwrap();
    bytes.freeze()
}

/// The result of a batch's one call, once the batch has ended as it should.
async fn result(mut events: Streaming<ExecuteBatchResponse>) -> ToolResult {
    let (mut result, mut has_ended) = (None, false);
    while let Some(message) = events.message().await.unwrap() {
        match message.event.unwrap().event.unwrap() {
            Event::CallFinished(finished) => result = finished.result,
            Event::BatchFinished(_) => has_ended = true,
            _ => {}
        }
    }
    assert!(has_ended, "the batch has no end");
    result.expect("the call has no result")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_ends_a_second_after_the_drain_timeout_whoever_is_connected() {
    let mut besieged = Besieged::begin("2s").await;
    let events = besieged.read().await;

    let start = clock::now();
    besieged.program.signal("TERM");
    besieged.program.says("Draining").await;
    let mut client = SidecallServiceClient::new(besieged.program.channel().await);
    let refused = client.execute_batch(turn()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(refused.get_details_retry_info().unwrap().retry_delay.is_some());

    let (ended, result) = tokio::join!(besieged.program.ends(), result(events));
    let took = start.elapsed();
    assert_eq!(ended.code(), Some(0));
    assert!(took < Duration::from_secs(2) + SECOND, "it took {took:?}");
    assert_eq!(result.outcome(), Outcome::Cancelled);
    // Nobody asked for that.
    assert_eq!(result.failure.unwrap().origin(), FailureOrigin::Sidecall);
    assert!(!besieged.program.socket.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_ends_at_once_when_it_is_told_twice_whoever_is_connected() {
    let mut besieged = Besieged::begin("10m").await;
    let events = besieged.read().await;
    besieged.program.signal("TERM");
    besieged.program.says("Draining").await;
    let start = clock::now();
    besieged.program.signal("TERM");
    let (ended, result) = tokio::join!(besieged.program.ends(), result(events));
    let took = start.elapsed();
    assert_eq!(ended.code(), Some(0));
    assert!(took < SECOND, "it took {took:?}");
    assert_eq!(result.outcome(), Outcome::Cancelled);
}

#[tokio::test]
async fn a_server_that_nobody_uses_ends_long_before_the_drain_timeout() {
    let place = Place::new("http://127.0.0.1:1");
    let mut program = place.serve(1024).await;
    let mut idle = Socket::connect(program.socket.clone()).await.unwrap();
    // By then it was accepted: the system itself cuts one that was not.
    assert!(program.is_healthy().await);
    let start = clock::now();
    program.signal("TERM");
    assert_eq!(program.ends().await.code(), Some(0));
    // Whoever is connected has a moment to close.
    let took = start.elapsed();
    assert!(took < 10 * SECOND, "it took {took:?}");
    let mut rest = Vec::new();
    assert!(idle.read_to_end(&mut rest).await.is_ok(), "it is closed, not cut");
}
