//! Scripted peers: real sockets on port 0 that speak the protocol, or break it.

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt;
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::super::{
    Api, ApiSettings, BaseUrl, CaBundle, Endpoint, Method, PathTemplate, RequestSettings,
};
use crate::{
    backend::{Attempt, Backend, Error, Pending, ProgressMark, Reply, SentMark, Whose},
    clock,
    model::{ApiName, Json, Sent},
};

/// A server on loopback that does what a test says.
pub(super) struct Peer(TcpListener);

/// A connection that a client made to it.
pub(super) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// A request as it came over the wire.
pub(super) struct Received {
    /// The request line and the headers.
    pub(super) head: String,
    pub(super) body: String,
}

impl Received {
    pub(super) fn line(&self) -> &str {
        self.head.lines().next().unwrap()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        headers.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

impl Peer {
    pub(super) async fn bind() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(super) fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    /// Settings of an API that is here.
    pub(super) fn settings(&self) -> ApiSettings {
        settings(&format!("http://127.0.0.1:{}", self.port()))
    }

    /// The same over TLS, its authority trusted.
    pub(super) fn tls_settings(&self) -> ApiSettings {
        let ca = CaBundle::try_new(include_bytes!("data/ca.pem")).unwrap();
        let url = format!("https://localhost:{}", self.port());
        ApiSettings { ca: Some(ca), ..settings(&url) }
    }

    /// A tool that gets `/x` here.
    pub(super) fn get(&self) -> Endpoint {
        endpoint(self.settings(), Method::Get)
    }

    /// A tool that posts to `/x` here.
    pub(super) fn post(&self) -> Endpoint {
        endpoint(self.settings(), Method::Post)
    }

    pub(super) async fn accept(&self) -> Connection {
        let (stream, _) = self.0.accept().await.unwrap();
        Connection { stream, buffer: Vec::new() }
    }

    /// Accepts with TLS, offering these protocols.
    ///
    /// # Errors
    ///
    /// The client gave up in the middle of the handshake.
    pub(super) async fn accept_tls(
        &self,
        protocols: &[&[u8]],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let certificate =
            CertificateDer::from_pem_slice(include_bytes!("data/localhost.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_slice(include_bytes!("data/localhost.key")).unwrap();
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![certificate], key)
                .unwrap();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        let (stream, _) = self.0.accept().await.unwrap();
        TlsAcceptor::from(Arc::new(config)).accept(stream).await
    }

    /// Accepts once, reads one request and answers it.
    pub(super) async fn answer(&self, answer: impl AsRef<[u8]>) -> (Connection, Received) {
        let mut connection = self.accept().await;
        let received = connection.receive().await;
        connection.send(answer).await;
        (connection, received)
    }

    /// Whether nobody has come.
    pub(super) fn is_unvisited(&self) -> bool {
        self.0.accept().now_or_never().is_none()
    }
}

impl Connection {
    /// Reads one request, its body as long as its `Content-Length` says.
    pub(super) async fn receive(&mut self) -> Received {
        let head = loop {
            if let Some(at) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                let rest = self.buffer.split_off(at + 4);
                break String::from_utf8(std::mem::replace(&mut self.buffer, rest)).unwrap();
            }
            self.fill().await;
        };
        let mut received = Received { head, body: String::new() };
        let length = received.header("content-length").map_or(0, |length| length.parse().unwrap());
        while self.buffer.len() < length {
            self.fill().await;
        }
        let rest = self.buffer.split_off(length);
        received.body = String::from_utf8(std::mem::replace(&mut self.buffer, rest)).unwrap();
        received
    }

    async fn fill(&mut self) {
        let count = self.stream.read_buf(&mut self.buffer).await.unwrap();
        assert!(count > 0, "the client left in the middle of a request");
    }

    pub(super) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Sends until the client takes no more.
    pub(super) async fn flood(&mut self, bytes: &[u8]) {
        while self.stream.write_all(bytes).await.is_ok() {}
    }

    /// Closes the connection and waits until the client has noticed.
    pub(super) async fn close(mut self) {
        self.stream.shutdown().await.unwrap();
        self.closed().await;
    }

    /// Returns when the client has closed the connection, in order or by reset.
    pub(super) async fn closed(mut self) {
        let mut rest = [0; 1024];
        while !matches!(self.stream.read(&mut rest).await, Ok(0) | Err(_)) {}
    }
}

pub(super) fn settings(url: &str) -> ApiSettings {
    ApiSettings::new(ApiName::try_new("crm").unwrap(), BaseUrl::try_new(url).unwrap())
}

pub(super) fn endpoint(settings: ApiSettings, method: Method) -> Endpoint {
    let path = PathTemplate::try_new("/x").unwrap();
    Endpoint::new(Api::try_new(settings).unwrap(), RequestSettings::new(method, path))
}

/// Begins an attempt with that much time, more than any test takes unless it
/// says otherwise.
pub(super) fn begin(endpoint: &Endpoint, input: &str, time: Duration) -> (Pending, SentMark) {
    let sent = SentMark::default();
    let attempt = Attempt {
        key: None,
        input: Json::try_new(input).unwrap(),
        number: std::num::NonZeroU32::MIN,
        deadline: clock::now() + time,
        sent: sent.clone(),
        trace: None,
        progress: ProgressMark::default(),
        whose: Whose::nobodys(),
    };
    (endpoint.attempt(attempt), sent)
}

/// One attempt with an empty input, while the peer does `script`.
pub(super) async fn meet<T>(
    endpoint: &Endpoint,
    script: impl Future<Output = T>,
) -> (Result<Reply, Error>, T) {
    let (attempt, sent) = begin(endpoint, "{}", Duration::from_secs(20));
    let (result, done) = tokio::join!(attempt, script);
    assert_eq!(sent.get(), Sent::Maybe, "a peer was met, so that bytes may have been sent");
    (result, done)
}
