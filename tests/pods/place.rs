//! Where a pod runs: its volumes, the API that its calls reach, and how its
//! containers are started.

use std::{
    fs::{self, OpenOptions},
    net::SocketAddr,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use tempfile::TempDir;
use tokio::process::Command;

use crate::{
    health::Health,
    kubelet::{Kind, Policy, Probe, Restart},
    pod::{MakesCommand, Pod, Runs},
    support::{addresses::own_address, data::exported, upstream::Upstream},
    verdict::{Tally, judge},
};

/// How long the API takes for an answer, in seconds.
const DELAY: &str = "0.02";
/// A kubelet's second is so long here, where nothing real takes the time.
const SECOND: Duration = Duration::from_millis(20);

/// The usual program, and all that the containers name it by.
pub(crate) const IMAGE: &str = env!("CARGO_BIN_EXE_sidecall");

/// Payments that are told apart by their keys or not at all.
const CONFIG: &str = r#"
listen: {unix: {path: "{socket}"}, admin: "{admin}"{tcp}}
drain: {timeout: 1s}
apis:
  bank:
    url: "{upstream}"
    ordering: none
    retry: {base: 1ms, budget: 100}
    breaker: off
tools:
  look:
    description: Reads a row.
    input: {type: object, properties: {name: {type: string}}, required: [name]}
    http: {api: bank, get: "/row/{name}"}
  pay:
    description: Pays.
    input: {type: object, properties: {kind: {type: string}, name: {type: string}}, required: [kind, name]}
    http: {api: bank, post: "/ledger/{kind}/{name}"}
  pay_keyed:
    description: Pays, once for each key.
    effect: keyed
    input: {type: object, properties: {kind: {type: string}, name: {type: string}}, required: [kind, name]}
    http: {api: bank, post: "/ledger/{kind}/{name}"}
"#;

/// TCP, where both sides show a certificate.
const TCP: &str = r#", tcp: {address: "{address}", tls: {certificate: "{folder}/tls.crt", key: "{folder}/tls.key", client_ca: "{folder}/ca.crt"}}"#;

/// How the sidecar stands in its pod.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Layout {
    /// An init container that restarts always.
    Native,
    /// An app beside the app.
    Classic,
}

/// What a scenario says of its pod.
pub(crate) struct Shape {
    pub(crate) layout: Layout,
    pub(crate) restart: Restart,
    pub(crate) grace: Duration,
    pub(crate) sidecar: Runs,
    pub(crate) agent: Runs,
}

/// A pod's volumes and the API.
pub(crate) struct Place {
    folder: TempDir,
    upstream: Upstream,
    /// Ports, which stay the same when the sidecar is started again.
    admin: SocketAddr,
    tcp: SocketAddr,
    python: String,
    seed: u64,
}

impl Place {
    /// A new one; nothing where a plain `cargo test` has no tools.
    pub(crate) async fn new(seed: u64) -> Option<Self> {
        let python = exported("SIDECALL_TEST_PYTHON", "`make test` sets it")?;
        let folder = TempDir::new().unwrap();
        let ledger = folder.path().join("ledger");
        let arguments = ["--delay", DELAY, "--ledger", ledger.to_str().unwrap()];
        let upstream = Upstream::start(&arguments).await?;
        let (admin, tcp) = (own_address(), own_address());
        let place = Self { folder, upstream, admin, tcp, python, seed };
        place.configure("");
        Some(place)
    }

    /// Puts a new version of a ConfigMap or a secret in the old one's place, as a
    /// kubelet does: a new folder, and a symbolic link that is swapped.
    pub(crate) fn mount(&self, volume: &str, files: &[(&str, &str)]) {
        let folder = self.volume(volume);
        fs::create_dir_all(&folder).unwrap();
        let version = fs::read_dir(&folder).unwrap().count();
        let new = format!("..version-{version}");
        fs::create_dir(folder.join(&new)).unwrap();
        for (name, text) in files {
            fs::write(folder.join(&new).join(name), text).unwrap();
            if !folder.join(name).is_symlink() {
                symlink(format!("..data/{name}"), folder.join(name)).unwrap();
            }
        }
        symlink(&new, folder.join("..data_tmp")).unwrap();
        fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    }

    fn volume(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Mounts the usual configuration, with more tools.
    pub(crate) fn configure(&self, more: &str) {
        self.mount_config("", more);
    }

    /// The same with TCP, and the certificates of the volume `tls`.
    pub(crate) fn configure_encrypted(&self) {
        let tcp = TCP
            .replace("{address}", &self.tcp.to_string())
            .replace("{folder}", self.volume("tls").to_str().unwrap());
        self.mount_config(&tcp, "");
    }

    fn mount_config(&self, tcp: &str, more: &str) {
        let yaml = CONFIG
            .replace("{socket}", self.socket().to_str().unwrap())
            .replace("{admin}", &self.admin.to_string())
            .replace("{tcp}", tcp)
            .replace("{upstream}", &self.upstream.url());
        self.mount("config", &[("sidecall.yaml", &(yaml + more))]);
    }

    pub(crate) fn tcp_address(&self) -> String {
        format!("https://localhost:{}", self.tcp.port())
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("run/sidecall.sock")
    }

    pub(crate) fn address(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    fn log(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.log"))
    }

    /// The sidecar from this image; what goes before it on its command line may be
    /// another program that becomes it.
    pub(crate) fn image(&self, before: &[String], image: &Path) -> MakesCommand {
        let words: Vec<_> = before.iter().map(PathBuf::from).chain([image.to_owned()]).collect();
        let config = self.volume("config").join("sidecall.yaml");
        let log = self.log("sidecar");
        Box::new(move || {
            let mut command = Command::new(&words[0]);
            command.args(&words[1..]).arg("serve").arg("--config").arg(&config);
            logged(&mut command, &log);
            command
        })
    }

    pub(crate) fn sidecar(&self) -> Runs {
        let probe = |probe, service| {
            (probe, Health { address: self.admin, service, timeout: Duration::from_secs(1) })
        };
        Runs {
            name: "sidecar",
            kind: Kind::Sidecar,
            command: self.image(&[], Path::new(IMAGE)),
            probes: vec![
                probe(Probe::Startup, ""),
                probe(Probe::Readiness, ""),
                probe(Probe::Liveness, "liveness"),
            ],
            probe_period: SECOND,
            failures_max: 3,
            hook: None,
        }
    }

    /// The agent, with arguments for each start: the last ones for all that follow.
    pub(crate) fn agent(&self, starts: &[&[&str]]) -> Runs {
        let starts: Vec<Vec<String>> = starts
            .iter()
            .map(|words| words.iter().map(|&word| word.to_owned()).collect())
            .collect();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut words = vec![
            root.join("tests/pods/agent.py").display().to_string(),
            "--address".to_owned(),
            self.address(),
        ];
        words.extend(["--seed".to_owned(), self.seed.to_string()]);
        words.extend(["--reports".to_owned(), self.reports().display().to_string()]);
        let (python, log) = (self.python.clone(), self.log("agent"));
        let package = root.join("clients/python/src");
        let started = AtomicUsize::new(0);
        let command = move || {
            let start = started.fetch_add(1, Ordering::Relaxed);
            let mut command = Command::new(&python);
            command.args(&words).args(&starts[start.min(starts.len() - 1)]);
            command.env("PYTHONPATH", &package).env("PYTHONDONTWRITEBYTECODE", "1");
            logged(&mut command, &log);
            command
        };
        Runs {
            name: "agent",
            kind: Kind::App,
            command: Box::new(command),
            probes: Vec::new(),
            probe_period: SECOND,
            failures_max: 1,
            hook: None,
        }
    }

    /// The usual pod: it goes on until it is deleted.
    pub(crate) fn usual(&self, agent: &[&str]) -> Shape {
        Shape {
            layout: Layout::Native,
            restart: Restart::Always,
            grace: Duration::from_secs(10),
            sidecar: self.sidecar(),
            agent: self.agent(&[agent]),
        }
    }

    pub(crate) fn pod(&self, shape: Shape) -> Pod {
        let Shape { layout, restart, grace, mut sidecar, agent } = shape;
        let backoff = SECOND;
        let policy = Policy { restart, grace, backoff, backoff_max: 10 * backoff };
        if layout == Layout::Classic {
            sidecar.kind = Kind::App;
        }
        Pod::start(policy, vec![sidecar, agent])
    }

    /// Waits until the API was asked so many times more.
    pub(crate) async fn asked(&self, more: usize) {
        let now: usize = self.upstream.ask("GET /came/0").await.parse().unwrap();
        self.upstream.ask(&format!("GET /came/{}", now + more)).await;
    }

    fn reports(&self) -> PathBuf {
        self.folder.path().join("turns.jsonl")
    }

    /// What became of every call, held against the ledger. The pod has ended.
    pub(crate) async fn judge(&self, open_max: usize) -> Tally {
        self.upstream.ask("GET /quiet").await;
        assert!(!self.socket().exists(), "the socket is left");
        let read = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
        judge(&read(self.reports()), &read(self.folder.path().join("ledger")), open_max)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for name in ["sidecar", "agent"] {
                let text = fs::read_to_string(self.log(name)).unwrap_or_default();
                let lines: Vec<_> = text.lines().collect();
                let last = &lines[lines.len().saturating_sub(40)..];
                let told = format!("--- the {name}'s last words\n{}\n", last.join("\n"));
                let _ = std::io::Write::write_all(&mut std::io::stderr(), told.as_bytes());
            }
        }
    }
}

/// Its output goes to a file, which a test that fails shows.
fn logged(command: &mut Command, path: &Path) {
    let log = OpenOptions::new().create(true).append(true).open(path).unwrap();
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
}
