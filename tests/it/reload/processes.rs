//! The program as a process: what it says of its configuration, and to which signal.

use std::process::Stdio;

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    net::TcpStream,
    process::{Child, ChildStderr, Command},
};

use super::*;
use crate::support::own_address;

/// `sidecall serve` on a file, whose log is JSON. Killed when it is dropped.
struct Process {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
    /// Its folder, for its file and its socket.
    folder: TempDir,
    peer: Peer,
    admin: String,
}

impl Process {
    async fn start(yaml: &str) -> Self {
        let (peer, folder) = (Peer::start().await, TempDir::new().unwrap());
        let admin = own_address().to_string();
        let path = folder.path().join("sidecall.yaml");
        write(&path, (&peer, &admin), yaml);
        let mut command = Command::new(env!("CARGO_BIN_EXE_sidecall"));
        command.args(["serve", "--config"]).arg(&path);
        let mut child = command.stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut process = Self { child, log, folder, peer, admin };
        process.says("Serving").await;
        process
    }

    /// Writes another configuration.
    fn write(&self, yaml: &str) {
        write(&self.folder.path().join("sidecall.yaml"), (&self.peer, &self.admin), yaml);
    }

    /// The first line of the log that says this.
    async fn says(&mut self, what: &str) -> Value {
        self.until(what).await.pop().unwrap()
    }

    /// The lines of the log up to it.
    async fn until(&mut self, what: &str) -> Vec<Value> {
        let mut lines: Vec<Value> = Vec::new();
        let found = async {
            while !lines.last().is_some_and(|line| said(line).contains(what)) {
                let line = self.log.next_line().await.unwrap();
                lines.push(serde_json::from_str(&line.expect("it ended")).unwrap());
            }
        };
        let is_found = timeout(3 * PATIENCE, found).await.is_ok();
        assert!(is_found, "it never said {what:?}: {lines:#?}");
        lines
    }

    async fn signal(&self, name: &str) {
        let pid = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().await.unwrap().success());
    }

    /// The value of a metric.
    async fn metric(&self, name: &str) -> f64 {
        let mut stream = TcpStream::connect(&self.admin).await.unwrap();
        let request = "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let line = text.lines().find(|line| line.starts_with(name));
        let line = line.unwrap_or_else(|| panic!("there is no {name}: {text}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }

    async fn end(mut self) {
        self.signal("-TERM").await;
        assert!(timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap().success());
    }
}

fn said(line: &Value) -> &str {
    line["message"].as_str().unwrap_or_default()
}

/// Writes a configuration that listens at `admin`, too, and logs as JSON.
fn write(path: &Path, (peer, admin): (&Peer, &str), yaml: &str) {
    let yaml = format!("{yaml}telemetry: {{log: {{format: json}}}}\n");
    let text = text(peer, path.parent().unwrap(), &yaml);
    let listen = format!("listen: {{admin: '{admin}', unix: ");
    fs::write(path, text.replacen("listen: {unix: ", &listen, 1)).unwrap();
}

#[tokio::test]
async fn sighup_reads_it_again_and_what_takes_a_restart_is_said() {
    let mut process = Process::start(BASE).await;
    process.signal("-HUP").await;
    process.says("The configuration is as it was").await;
    assert_eq!(process.metric("sidecall_config_generation").await, 1.0);

    process.write(&format!("{}drain: {{timeout: 7s}}\n", read_at("/new/{id}")));
    process.signal("-HUP").await;
    let said = process.says("holds from now on").await;
    assert_eq!(said["config.generation"], 2);
    process.says("drain.timeout changed: needs a restart").await;
    assert_eq!(process.metric("sidecall_config_generation").await, 2.0);
    assert_eq!(process.metric("sidecall_config_valid").await, 1.0);
    let applied = "sidecall_config_reloads_total{sidecall_config_outcome=\"applied\"";
    assert_eq!(process.metric(applied).await, 1.0);
    assert!(process.metric("sidecall_config_loaded").await > 1.7e9);

    let channel = connect(process.folder.path().join("sidecall.sock")).await;
    process.peer.on("GET /new/*", Reply::json("1"));
    let turn = SidecallServiceClient::new(channel).execute_batch(read("7").0).await.unwrap();
    Running::new(turn.into_inner()).finish().await.assert_succeeded("a", "1");
    process.end().await;
}

#[tokio::test]
async fn a_faulty_file_is_told_with_all_its_faults_and_where_they_are() {
    let mut process = Process::start(BASE).await;
    process
        .write(&BASE.replace("get: \"/read/{id}\"", "gt: \"/read/{id}\"").replace("url:", "ulr:"));
    let told = process.until("The configuration was not taken over").await;
    let of = |key: &str| told.iter().find(|line| said(line).starts_with(key)).unwrap();
    let key = of("apis.crm.ulr");
    assert_eq!(
        (&key["level"], &key["line"], &key["column"]),
        (&"ERROR".into(), &4.into(), &9.into())
    );
    assert!(said(key).contains("write `url`"), "{key}");
    assert_eq!(of("tools.read.http.gt")["line"], 9);
    let last = told.last().unwrap();
    assert!(last["config.faults"].as_u64().unwrap() >= 2, "{last}");
    assert_eq!(process.metric("sidecall_config_valid").await, 0.0);
    let refused = "sidecall_config_reloads_total{sidecall_config_outcome=\"refused\"";
    assert_eq!(process.metric(refused).await, 1.0);
    assert_eq!(process.metric("sidecall_config_generation").await, 1.0);

    fs::write(process.folder.path().join("sidecall.yaml"), "").unwrap();
    process.says("is empty. What ran goes on").await;
    assert_eq!(process.metric(refused).await, 2.0);

    process.write(BASE);
    process.says("The configuration is again the one that runs").await;
    assert_eq!(process.metric("sidecall_config_valid").await, 1.0);
    assert_eq!(process.metric(refused).await, 2.0, "once for what was in the file");
    process.end().await;
}
