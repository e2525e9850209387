//! An API as a process of its own (`tests/upstream`), with a log that nothing
//! of ours writes.

use std::{path::Path, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
    time::timeout,
};

use super::{PATIENCE, addresses::own_address, data::exported};

/// The process. Dropping it ends it.
pub(crate) struct Upstream {
    port: u16,
    _process: Child,
}

/// A request that came.
#[derive(Clone, Debug)]
pub(crate) struct Came {
    /// By the upstream's own clock, which began whenever.
    pub(crate) at: Duration,
    /// What it answered.
    pub(crate) status: u16,
    /// `GET /ok/7`.
    pub(crate) line: String,
}

impl Upstream {
    /// Starts it with these arguments; nothing where a plain `cargo test` has no
    /// tools.
    pub(crate) async fn start(arguments: &[&str]) -> Option<Self> {
        let python = exported("SIDECALL_TEST_PYTHON", "`make test` sets it")?;
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/upstream/upstream.py");
        let mut command = Command::new(python);
        command.arg(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = command.kill_on_drop(true).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap();
        let port = line.expect("the upstream ended").parse().unwrap();
        Some(Self { port, _process: process })
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Everything that came, in order of arrival.
    pub(crate) async fn log(&self) -> Vec<Came> {
        let text = self.ask("GET /log").await;
        let came = text.lines().map(|line| {
            let mut words = line.splitn(3, ' ');
            let mut word = || words.next().unwrap();
            let at = Duration::from_nanos(word().parse().unwrap());
            Came { at, status: word().parse().unwrap_or(0), line: word().to_owned() }
        });
        came.collect()
    }

    /// Effects that it had, by their names.
    pub(crate) async fn effects(&self) -> Vec<(String, usize)> {
        let text = self.ask("GET /effects").await;
        let effects = text.lines().map(|line| line.split_once(' ').unwrap());
        effects.map(|(count, name)| (name.to_owned(), count.parse().unwrap())).collect()
    }

    /// Answers a request of the test's own, beside what is tested.
    pub(crate) async fn ask(&self, line: &str) -> String {
        let ask = async {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
            let request = format!("{line} HTTP/1.1\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        };
        let answer = timeout(PATIENCE, ask).await.expect("the upstream does not answer");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{line}: {head}");
        body.to_owned()
    }
}

/// A store in a process of its own. Dropping it ends it.
pub(crate) struct Redis {
    port: u16,
    _process: Child,
}

impl Redis {
    /// Starts an empty one; nothing where a plain `cargo test` has no tools.
    pub(crate) async fn start() -> Option<Self> {
        let program = exported("SIDECALL_TEST_REDIS", "`make test` sets it")?;
        // It takes no port 0.
        let port = own_address().port();
        let mut command = Command::new(program);
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"]);
        command.arg(port.to_string()).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = command.kill_on_drop(true).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let ready = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if line.contains("Ready to accept connections") {
                    return;
                }
            }
            panic!("Redis ended before it was ready");
        };
        timeout(PATIENCE, ready).await.expect("Redis never was ready");
        Some(Self { port, _process: process })
    }

    /// Where it listens on this machine.
    pub(crate) fn port(&self) -> String {
        self.port.to_string()
    }
}
