//! TLS at the TCP address: who is let in, who is not, and certificates that change
//! while everything runs.

use std::{
    net::SocketAddr,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Output,
};

use rustls::{
    ALL_VERSIONS,
    version::{TLS12, TLS13},
};
use sidecall::proto::v1::sidecall_service_client::SidecallServiceClient;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Command,
    task::JoinSet,
    time::timeout,
};
use tonic::transport::Channel;

use crate::{
    clients::{program, report_of},
    support::{
        PATIENCE, Peer, Reply, Running, Turn, World,
        certificates::{Authority, Identity, channel, client, shake},
    },
};

const TOOLS: &str = r#"
apis:
  crm: {url: "{peer}"}
tools:
  number:
    description: Something about a number.
    input: {type: object, properties: {n: {type: integer}}, required: [n]}
    http: {api: crm, get: "/number/{n}"}
telemetry: {}
listen:
  unix: {path: "{folder}/sidecall.sock"}
  tcp:
    address: 127.0.0.1:0
    tls: {certificate: "{folder}/tls/server.crt", key: "{folder}/tls/server.key", client_ca: "{folder}/tls/ca.crt"}
  admin: 127.0.0.1:0
"#;

/// A world whose clients must show a certificate of its authority.
struct Guarded {
    world: World,
    authority: Authority,
    folder: PathBuf,
}

impl Guarded {
    async fn start() -> Self {
        let authority = Authority::new("first");
        Self::start_with(authority.of("localhost"), authority).await
    }

    async fn start_with(server: Identity, authority: Authority) -> Self {
        let mut folder = PathBuf::new();
        let prepare = |path: &Path| {
            folder = path.to_owned();
            symlink("tls-1", path.join("tls")).unwrap();
            write(path, "tls-1", &server, &[&authority]);
        };
        let world = World::start_in_folder(Peer::start().await, TOOLS, prepare).await;
        world.peer.on("GET /number/*", Reply::json("{}"));
        Self { world, authority, folder }
    }

    /// Swaps the certificates as Kubernetes does a secret's.
    fn swap(&self, version: &str, server: &Identity, clients: &[&Authority]) {
        write(&self.folder, version, server, clients);
        let link = self.folder.join("next");
        symlink(version, &link).unwrap();
        std::fs::rename(link, self.folder.join("tls")).unwrap();
    }

    async fn channel(&self, identity: &Identity) -> Channel {
        let config = client(&[&self.authority], Some(identity), ALL_VERSIONS);
        channel(self.world.tcp, config).await.unwrap()
    }

    /// Why a client is not let in that speaks TLS so.
    async fn refusal(&self, config: rustls::ClientConfig) -> String {
        refusal(self.world.tcp, config).await
    }
}

fn write(folder: &Path, version: &str, server: &Identity, clients: &[&Authority]) {
    let folder = folder.join(version);
    std::fs::create_dir(&folder).unwrap();
    server.write(&folder, "server");
    let bundle: String = clients.iter().map(|authority| authority.certificate.as_str()).collect();
    std::fs::write(folder.join("ca.crt"), bundle).unwrap();
}

/// A client learns of a refusal while it shakes hands or, in TLS 1.3, when it reads.
async fn refusal(address: SocketAddr, config: rustls::ClientConfig) -> String {
    let mut stream = match shake(address, "localhost", config).await {
        Ok(stream) => stream,
        Err(error) => return error.to_string(),
    };
    let mut bytes = Vec::new();
    let error = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.unwrap().unwrap_err();
    assert!(bytes.is_empty(), "it is told more than an alert: {bytes:?}");
    error.to_string()
}

/// Runs a turn of one call.
async fn turn(channel: Channel) {
    let turn = Turn::one("number", r#"{"n":1}"#);
    let stream = SidecallServiceClient::new(channel).execute_batch(turn.0).await.unwrap();
    Running::new(stream.into_inner()).finish().await.assert_succeeded("a", "{}");
}

#[tokio::test]
async fn a_client_with_a_certificate_of_the_authority_is_served() {
    let guarded = Guarded::start().await;
    let identity = guarded.authority.of("planner");
    for version in [&TLS12, &TLS13] {
        let config = client(&[&guarded.authority], Some(&identity), &[version]);
        turn(channel(guarded.world.tcp, config).await.unwrap()).await;
    }
    guarded.world.end().await;
}

#[tokio::test]
async fn a_client_that_shows_none_or_a_wrong_certificate_gets_an_alert_and_nothing_else() {
    let guarded = Guarded::start().await;
    let stranger = Authority::new("stranger");
    for (identity, alert) in [
        (None, "CertificateRequired"),
        (Some(stranger.of("planner")), "UnknownCA"),
        (Some(guarded.authority.expired("planner")), "CertificateExpired"),
    ] {
        let config = |version| client(&[&guarded.authority], identity.as_ref(), &[version]);
        let said = guarded.refusal(config(&TLS13)).await;
        assert_eq!(said, format!("received fatal alert: {alert}"));
        let said = guarded.refusal(config(&TLS12)).await;
        assert!(said.starts_with("received fatal alert: "), "{said}");
        // And no RPC is answered.
        let channel = channel(guarded.world.tcp, config(&TLS13)).await;
        if let Ok(channel) = channel {
            let turn = Turn::one("number", r#"{"n":1}"#);
            let refused = SidecallServiceClient::new(channel).execute_batch(turn.0).await;
            let message = refused.unwrap_err().message().to_owned();
            assert!(!message.contains("number"), "{message}");
        }
    }
    assert!(guarded.world.peer.lines().is_empty());
    guarded.world.end().await;
}

#[tokio::test]
async fn a_server_whose_certificate_does_not_hold_is_seen_for_what_it_is() {
    let authority = Authority::new("first");
    let stranger = Authority::new("stranger");
    let identity = authority.of("planner");
    for (server, trusted, says) in [
        (authority.expired("localhost"), &authority, "certificate expired"),
        (authority.of("elsewhere"), &authority, "not valid for name"),
        (authority.of("localhost"), &stranger, "UnknownIssuer"),
    ] {
        let guarded = Guarded::start_with(server, Authority::new("of clients")).await;
        let config = client(&[trusted], Some(&identity), ALL_VERSIONS);
        let said = guarded.refusal(config).await;
        assert!(said.contains(says), "{said}");
        guarded.world.end().await;
    }
}

/// All that comes back for these bytes.
async fn answer(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A reset is an end, too.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("it stays open");
    answer
}

/// A TLS record (RFC 5246, section 6.2.1).
fn record(kind: u8, version: [u8; 2], content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[kind], &version[..], &length, content].concat()
}

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
/// `handshake_failure` and `protocol_version`.
const NO: [u8; 2] = [40, 70];

/// A ClientHello (RFC 4346, section 7.4.1.2) that knows this version at the most.
fn hello(version: [u8; 2]) -> Vec<u8> {
    let suites = [0xc0, 0x14, 0xc0, 0x0a, 0x00, 0x2f];
    let hello = [&version[..], &[7; 32], &[0], &[0, 6], &suites, &[1, 0]].concat();
    let length = u32::try_from(hello.len()).unwrap().to_be_bytes();
    record(HANDSHAKE, version, &[&[1], &length[1..], &hello].concat())
}

#[tokio::test]
async fn tls_before_1_2_is_refused() {
    let guarded = Guarded::start().await;
    for version in [[3, 0], [3, 1], [3, 2]] {
        let said = answer(guarded.world.tcp, &hello(version)).await;
        assert_eq!((said[0], said.len(), said[5]), (ALERT, 7, 2), "{version:?}: {said:?}");
        assert!(NO.contains(&said[6]), "{version:?}: {said:?}");
    }
    guarded.world.end().await;
}

#[tokio::test]
async fn whoever_speaks_no_tls_is_told_nothing_but_an_alert() {
    let guarded = Guarded::start().await;
    for bytes in ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"] {
        let said = answer(guarded.world.tcp, bytes.as_bytes()).await;
        assert_eq!((said[0], said.len()), (ALERT, 7), "{said:?}");
    }
    guarded.world.end().await;
}

#[tokio::test]
async fn peers_that_never_finish_a_handshake_delay_neither_others_nor_the_end() {
    let guarded = Guarded::start().await;
    let mut silent = Vec::new();
    for sent in [&b""[..], &[HANDSHAKE], &hello([3, 3])[..20]] {
        for _ in 0..20 {
            let mut stream = TcpStream::connect(guarded.world.tcp).await.unwrap();
            stream.write_all(sent).await.unwrap();
            silent.push(stream);
        }
    }
    let channel = guarded.channel(&guarded.authority.of("planner")).await;
    timeout(PATIENCE, turn(channel)).await.unwrap();
    guarded.world.end().await;
}

/// The certificate that the server shows now.
async fn shown(address: SocketAddr, config: rustls::ClientConfig) -> Vec<u8> {
    let stream = shake(address, "localhost", config).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_that_change_under_load_fail_no_call_and_drop_no_connection() {
    let guarded = Guarded::start().await;
    let (first, second) = (&guarded.authority, Authority::new("second"));
    let (old, new) = (first.of("planner"), second.of("planner"));
    let speaking = |identity| client(&[first, &second], Some(identity), ALL_VERSIONS);

    // Two that stay connected from the beginning, and call all the time.
    let mut load = JoinSet::new();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    for _ in 0..2 {
        let channel = channel(guarded.world.tcp, speaking(&old)).await.unwrap();
        let stopped = stopped.clone();
        load.spawn(async move {
            let mut turns = 0;
            while !*stopped.borrow() {
                turn(channel.clone()).await;
                turns += 1;
            }
            turns
        });
    }

    // A new server certificate, clients of both authorities; then the first one's are
    // not let in any more. Others connect anew for every turn meanwhile.
    let steps: [(&str, &Identity, &[&Authority]); 2] =
        [("tls-2", &old, &[first, &second]), ("tls-3", &new, &[&second])];
    for (version, identity, clients) in steps {
        let server = second.of("localhost");
        guarded.swap(version, &server, clients);
        let swapped = async {
            // Whoever connects by then is of the authority that both know.
            let identity = if version == "tls-2" { identity } else { &new };
            while shown(guarded.world.tcp, speaking(identity)).await != *server.der() {
                turn(channel(guarded.world.tcp, speaking(identity)).await.unwrap()).await;
            }
            turn(channel(guarded.world.tcp, speaking(identity)).await.unwrap()).await;
        };
        timeout(PATIENCE, swapped).await.expect("the new certificates are not taken");
    }
    assert_eq!(refusal(guarded.world.tcp, speaking(&old)).await, "received fatal alert: UnknownCA");

    stop.send(true).unwrap();
    let turns: Vec<i32> = load.join_all().await;
    assert!(turns.iter().all(|turns| *turns > 10), "{turns:?}");
    guarded.world.end().await;
}

#[tokio::test]
async fn when_the_certificate_ends_is_measured_also_of_one_that_has_changed() {
    let authority = Authority::new("first");
    let guarded = Guarded::start_with(authority.expired("localhost"), authority).await;
    let admin = guarded.world.admin.unwrap();
    let ends_at = || async move {
        let ask = b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        let text = String::from_utf8(answer(admin, ask).await).unwrap();
        let line = text.lines().find(|line| line.starts_with("sidecall_tls_certificate_not_after"));
        let value = line.and_then(|line| line.rsplit(' ').next()).map(str::to_owned);
        value.unwrap_or_else(|| panic!("it is not measured: {text}")).parse::<f64>().unwrap()
    };
    // 2001, and 4096.
    assert_eq!(ends_at().await, 978_307_200.0);
    guarded.swap("tls-2", &guarded.authority.of("localhost"), &[&guarded.authority]);
    let swapped = async { while ends_at().await != 67_090_118_400.0 {} };
    timeout(PATIENCE, swapped).await.expect("that of the new one is not measured");
    guarded.world.end().await;
}

/// `sidecall status` of the server, with these files.
async fn status(guarded: &Guarded, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidecall"));
    let address = format!("https://localhost:{}", guarded.world.tcp.port());
    command.args(["status", "--json", "--address", &address]).args(arguments);
    command.current_dir(&guarded.folder).kill_on_drop(true).output().await.unwrap()
}

#[tokio::test]
async fn the_command_line_speaks_tls() {
    let guarded = Guarded::start().await;
    guarded.authority.of("operator").write(&guarded.folder, "operator");
    let stranger = Authority::new("stranger");
    stranger.of("operator").write(&guarded.folder, "stranger");
    std::fs::write(guarded.folder.join("stranger.ca"), &stranger.certificate).unwrap();
    let shows = |ca, name| {
        [format!("--ca={ca}"), format!("--cert={name}.crt"), format!("--key={name}.key")]
    };
    for (arguments, code, says) in [
        (shows("tls/ca.crt", "operator"), 0, ""),
        (shows("tls/ca.crt", "stranger"), 3, "--cert and --key"),
        (shows("stranger.ca", "operator"), 3, "UnknownIssuer"),
        (shows("tls/ca.crt", "nobody"), 2, "nobody.crt cannot be read"),
    ] {
        let arguments = arguments.each_ref().map(String::as_str);
        let output = status(&guarded, &arguments).await;
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(says), "{arguments:?}: {said}");
        assert_eq!(output.stdout.is_empty(), code != 0);
    }
    guarded.world.end().await;
}

/// An agent in this language, with stubs and its runtime's own TLS.
async fn an_agent_calls_with_its_certificate(language: &str) {
    let Some(with) = program(language, "client") else { return };
    let guarded = Guarded::start().await;
    guarded.authority.of("planner").write(&guarded.folder, "planner");
    let file = |name: &str| guarded.folder.join(name).display().to_string();
    let (ca, cert, key) = (file("tls/ca.crt"), file("planner.crt"), file("planner.key"));
    let address = format!("localhost:{}", guarded.world.tcp.port());
    let arguments =
        ["--tool", "number", "--calls", "3", "--ca", &ca, "--cert", &cert, "--key", &key];
    let seen = report_of(with, &address, &arguments).await;
    assert_eq!(seen["bundle_ids"], serde_json::json!(["toolu_0", "toolu_1", "toolu_2"]));

    let mut without = program(language, "client").unwrap();
    without.args(["--address", &address, "--tool", "number", "--calls", "1", "--ca", &ca]);
    let output = timeout(PATIENCE * 3, without.output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("UNAVAILABLE"), "{said}");
    guarded.world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_python_agent_calls_with_its_certificate() {
    an_agent_calls_with_its_certificate("python").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_agent_calls_with_its_certificate() {
    an_agent_calls_with_its_certificate("node").await;
}
