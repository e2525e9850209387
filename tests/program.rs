//! `sidecall serve` as a process: what it tells the system and the system tells
//! it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "program/abuse.rs"]
mod abuse;

#[path = "it/support/addresses.rs"]
mod addresses;

#[path = "program/drain.rs"]
mod drain;
#[path = "program/health.rs"]
mod health;

#[path = "program/log.rs"]
mod log;

#[path = "program/moment.rs"]
mod moment;

#[path = "program/overload.rs"]
mod overload;

#[path = "program/signals.rs"]
mod signals;

#[path = "program/strangers.rs"]
mod strangers;

#[path = "program/tokens.rs"]
mod tokens;

use std::{
    os::unix::{net::UnixStream, process::ExitStatusExt},
    path::PathBuf,
    process::Stdio,
    time::Duration,
};

use hyper_util::rt::TokioIo;
use sidecall::proto::v1::{
    ExecuteBatchRequest, ToolUse, ToolUses, execute_batch_request,
    sidecall_service_client::SidecallServiceClient,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    net::TcpListener,
    process::{Child, ChildStderr, Command},
    time::timeout,
};
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

/// Longer than any process may take here: what waits for it has hung.
const LONG: Duration = Duration::from_secs(60);

struct Program {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
    socket: PathBuf,
}

/// A place for a socket and a configuration of one tool at `url`.
struct Place(tempfile::TempDir);

impl Place {
    fn new(url: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let yaml = format!(
            "apis:\n  api: {{url: \"{url}\"}}\ntools:\n  read:\n    description: Reads.\n    \
             input: {{type: object}}\n    http: {{api: api, get: /}}\n"
        );
        std::fs::write(directory.path().join("sidecall.yaml"), yaml).unwrap();
        Self(directory)
    }

    /// The configuration has this, too.
    fn adds(&self, yaml: &str) {
        let path = self.0.path().join("sidecall.yaml");
        let text = std::fs::read_to_string(&path).unwrap() + yaml;
        std::fs::write(&path, text).unwrap();
    }

    fn socket(&self) -> PathBuf {
        self.0.path().join("s.sock")
    }

    /// `sidecall serve` with room for so many descriptors.
    async fn serve(&self, descriptors: u32) -> Program {
        self.serve_after(&format!("ulimit -n {descriptors}")).await
    }

    /// The same once a shell has done something.
    async fn serve_after(&self, first: &str) -> Program {
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(format!("{first}; exec \"$0\" \"$@\""))
            .arg(env!("CARGO_BIN_EXE_sidecall"))
            .arg("serve")
            .arg("--config")
            .arg(self.0.path().join("sidecall.yaml"))
            .arg("--unix")
            .arg(self.socket());
        let mut program = self.begin(command);
        program.says("Serving 1 tool on unix://").await;
        program
    }

    /// A program whose log is read.
    fn begin(&self, mut command: Command) -> Program {
        command.stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap()).lines();
        Program { child, log, socket: self.socket() }
    }
}

impl Program {
    /// Waits for a line of the log that holds `text`; gives it.
    async fn says(&mut self, text: &str) -> String {
        self.until(text).await.1
    }

    /// The same; gives the lines before it, too.
    async fn until(&mut self, text: &str) -> (Vec<String>, String) {
        let mut before = Vec::new();
        let found = async {
            while let Some(line) = self.log.next_line().await.unwrap() {
                if line.contains(text) {
                    return line;
                }
                before.push(line);
            }
            panic!("it ended without saying {text:?}: {before:?}");
        };
        let found = timeout(LONG, found).await;
        let found = found.unwrap_or_else(|_| panic!("it never said {text:?}"));
        (before, found)
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().unwrap().to_string();
        let sent = std::process::Command::new("kill").args(["-s", signal, &pid]).status().unwrap();
        assert!(sent.success());
    }

    async fn ends(&mut self) -> std::process::ExitStatus {
        timeout(LONG, self.child.wait()).await.expect("it did not end").unwrap()
    }

    async fn channel(&self) -> Channel {
        let socket = self.socket.clone();
        let connect = tower::service_fn(move |_| {
            let socket = socket.clone();
            async move { tokio::net::UnixStream::connect(socket).await.map(TokioIo::new) }
        });
        let endpoint = Endpoint::from_static("http://localhost");
        endpoint.connect_with_connector(connect).await.unwrap()
    }

    /// It may open so many descriptors more, from now on. What it knows of when it begins
    /// it shares out among those who connect and the rest.
    async fn leave_descriptors(&self, count: usize) {
        let pid = self.child.id().unwrap();
        let open = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
        let mut command = Command::new("prlimit");
        command.arg(format!("--pid={pid}")).arg(format!("--nofile={}", open + count));
        assert!(command.status().await.unwrap().success());
    }

    async fn is_healthy(&self) -> bool {
        let mut client = HealthClient::new(self.channel().await);
        client.check(HealthCheckRequest::default()).await.is_ok()
    }
}

#[tokio::test]
async fn a_server_out_of_descriptors_serves_again_once_it_has_some() {
    let place = Place::new("http://127.0.0.1:1");
    let mut program = place.serve(1024).await;
    program.leave_descriptors(4).await;
    let held: Vec<_> = (0..64).map(|_| UnixStream::connect(place.socket()).unwrap()).collect();
    program.says("Connections cannot be accepted").await;
    drop(held);
    program.says("Connections are accepted again").await;
    assert!(program.is_healthy().await);
    program.signal("TERM");
    assert_eq!(program.ends().await.code(), Some(0));
}

#[tokio::test]
async fn a_killed_servers_socket_is_taken_over_and_a_living_ones_is_not() {
    let place = Place::new("http://127.0.0.1:1");
    let mut killed = place.serve(1024).await;
    killed.signal("KILL");
    assert_eq!(killed.ends().await.signal(), Some(9));
    assert!(place.socket().exists());

    let mut living = place.serve(1024).await;
    let second = Command::new(env!("CARGO_BIN_EXE_sidecall"))
        .arg("serve")
        .arg("--config")
        .arg(place.0.path().join("sidecall.yaml"))
        .arg("--unix")
        .arg(place.socket())
        .output()
        .await
        .unwrap();
    assert_eq!(second.status.code(), Some(3));
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(said.contains("another process is listening on"), "{said}");
    assert!(living.is_healthy().await);

    living.signal("TERM");
    assert_eq!(living.ends().await.code(), Some(0));
    assert!(!place.socket().exists());
}

#[tokio::test]
async fn what_is_wrong_with_how_it_was_started_is_told_with_what_to_write() {
    let place = Place::new("http://127.0.0.1:1");
    let yaml = place.0.path().join("sidecall.yaml");
    let yaml = yaml.to_str().unwrap();
    for (arguments, code, says) in [
        (&["serve"][..], 2, "`-c FILE`"),
        (&["serve", "-c", "/no/such/file"], 2, "no such file"),
        (&["serve", "-c", yaml, "--tcp", "0.0.0.0:0"], 2, "127.0.0.1"),
        (&["serve", "-c", yaml, "--tcp", "localhost"], 2, "--tcp <IP:PORT>"),
        (&["serve", "-c", yaml, "--unix", "/proc/s.sock"], 3, "`--unix`"),
        (&["serve", "-c", yaml, "--unix", yaml], 3, "is not a socket"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sidecall"));
        let output = command.args(arguments).env_remove("SIDECALL_CONFIG").output().await.unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(says), "{arguments:?}: {said}");
    }
}

/// `sidecall status` of a server at this address.
fn status(address: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidecall"));
    command.args(["status", "--address", address]).kill_on_drop(true);
    command
}

#[tokio::test]
async fn how_a_server_is_can_be_asked_until_it_is_not_there() {
    let place = Place::new("http://127.0.0.1:1");
    let mut program = place.serve(1024).await;
    let address = format!("unix://{}", place.socket().display());

    let output = status(&address).output().await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("nothing waits") && said.contains("\napi "), "{said}");
    assert!(!said.contains('\u{1b}'), "{said:?}");

    let output = status(&address).args(["--json", "--rows", "1"]).output().await.unwrap();
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["apis"][0]["name"], "api");

    // One look after the other, until it is told to stop: which is no failure.
    let mut watch = status(&address)
        .args(["--watch", "--interval", "0.1", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut looks = BufReader::new(watch.stdout.take().unwrap()).lines();
    for _ in 0..3 {
        let look = timeout(LONG, looks.next_line()).await.unwrap().unwrap().unwrap();
        assert!(look.starts_with(r#"{"process":{"version":"#), "{look}");
    }
    let pid = watch.id().unwrap().to_string();
    std::process::Command::new("kill").args(["-s", "INT", &pid]).status().unwrap();
    assert_eq!(timeout(LONG, watch.wait()).await.unwrap().unwrap().code(), Some(0));

    let mut watch = status(&address)
        .args(["--watch", "--interval", "0.1"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    program.signal("TERM");
    assert_eq!(program.ends().await.code(), Some(0));
    let mut errors = BufReader::new(watch.stderr.take().unwrap()).lines();
    let said = timeout(LONG, errors.next_line()).await.unwrap().unwrap().unwrap();
    assert!(said.contains("no server answers at unix://"), "{said}");
    assert_eq!(timeout(LONG, watch.wait()).await.unwrap().unwrap().code(), Some(3));
    let said = status(&address).output().await.unwrap();
    assert_eq!(said.status.code(), Some(3));
}
