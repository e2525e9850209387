//! Another configuration while the server runs: what changes at once, what a batch
//! that runs keeps, and what no change takes away.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use sidecall::{
    app::{self, Reload, reload::Watched},
    config,
    drain::Drain,
    proto::v1::{
        FailureCode, ListToolsRequest, Outcome, Source, StatusRequest, StatusResponse,
        sidecall_service_client::SidecallServiceClient,
    },
    telemetry::reloads::Reloads,
};
use tempfile::TempDir;
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinSet,
    time::timeout,
};
use tonic::transport::Channel;

use crate::support::{
    Gate, PATIENCE, Peer, Reply, Turn,
    events::{Ran, Running},
    tools::{BASE, base_with, base_with_api},
    world::connect,
};

mod callers;
mod keys;
mod processes;
mod rollouts;
mod withheld;
mod workers;

/// A server whose configuration can be changed, by its file or without.
struct Server {
    peer: Peer,
    folder: TempDir,
    reload: Option<Reload>,
    reloads: Reloads,
    drain: Drain,
    server: JoinSet<()>,
    channel: Channel,
}

impl Server {
    async fn start(yaml: &str) -> Self {
        Self::start_in(TempDir::new().unwrap(), yaml).await
    }

    async fn start_in(folder: TempDir, yaml: &str) -> Self {
        let peer = Peer::start().await;
        let config = text(&peer, folder.path(), yaml);
        let config = config::read("test.yaml", &config, &config::env::Process);
        let mut bound = app::bind(config.unwrap_or_else(|faults| panic!("{faults}"))).unwrap();
        let (reload, drain) = (bound.reload(), bound.drain.clone());
        let reloads = reload.as_ref().unwrap().reloads().clone();
        let mut server = JoinSet::new();
        server.spawn(bound.run());
        let channel = connect(folder.path().join("sidecall.sock")).await;
        Self { peer, folder, reload, reloads, drain, server, channel }
    }

    /// One that follows its file, which is at this path in its folder.
    async fn follow(folder: TempDir, path: &str, prepare: impl FnOnce(&Self, &Path)) -> Self {
        let mut server = Self::start_in(folder, BASE).await;
        let path = server.folder.path().join(path);
        prepare(&server, &path);
        let reload = server.reload.take().unwrap();
        let watched = Watched {
            path,
            // Of what runs nothing is known: the file is taken over at the first look.
            sources: config::Sources::default(),
            overrides: Box::new(|config| config),
        };
        let hangup = signal(SignalKind::hangup()).unwrap();
        app::reload::watch(reload, watched, hangup, &server.drain);
        server.runs(2).await;
        server
    }

    /// The text of a configuration of this server's.
    fn text(&self, yaml: &str) -> String {
        text(&self.peer, self.folder.path(), yaml)
    }

    /// Takes another configuration over; gives what takes a restart.
    fn change(&mut self, yaml: &str) -> Vec<&'static str> {
        let text = self.text(yaml);
        let config = config::read("test.yaml", &text, &config::env::Process);
        let config = config.unwrap_or_else(|faults| panic!("{faults}"));
        self.reload.as_mut().unwrap().apply(config).unwrap().needs_restart
    }

    /// Ready once that many configurations have run.
    async fn runs(&self, generation: u64) {
        let runs = self.reloads.until(|seen| seen.generation >= generation);
        timeout(PATIENCE, runs).await.expect("it was not read again");
    }

    fn client(&self) -> SidecallServiceClient<Channel> {
        SidecallServiceClient::new(self.channel.clone())
    }

    async fn send(&self, turn: &Turn) -> Running {
        Running::new(self.client().execute_batch(turn.0.clone()).await.unwrap().into_inner())
    }

    async fn run(&self, turn: &Turn) -> Ran {
        self.send(turn).await.finish().await
    }

    async fn status(&self) -> StatusResponse {
        self.client().status(StatusRequest::default()).await.unwrap().into_inner()
    }

    async fn tools(&self) -> Vec<String> {
        let listed = self.client().list_tools(ListToolsRequest::default()).await.unwrap();
        listed.into_inner().tools.into_iter().map(|tool| tool.name).collect()
    }

    async fn end(mut self) {
        self.drain.start();
        timeout(PATIENCE, self.server.join_next()).await.expect("it did not end").unwrap().unwrap();
        assert_eq!(self.drain.tasks_open(), 0, "tasks are left");
    }
}

fn text(peer: &Peer, folder: &Path, yaml: &str) -> String {
    let folder = folder.display().to_string();
    let yaml = yaml.replace("{peer}", &peer.url()).replace("{folder}", &folder);
    format!("listen: {{unix: {{path: {folder}/sidecall.sock}}}}\n{yaml}")
}

fn read(id: &str) -> Turn {
    Turn::one("read", &format!(r#"{{"id":"{id}"}}"#))
}

/// [`BASE`] with its tool `read` elsewhere.
fn read_at(path: &str) -> String {
    BASE.replace("/read/{id}", path)
}

#[tokio::test]
async fn a_batch_that_runs_keeps_its_tools_and_the_next_one_has_the_new_ones() {
    let mut server = Server::start(BASE).await;
    let gate = Gate::closed();
    server.peer.on("GET /read/1", Reply::json("1").behind(&gate));
    server.peer.on("GET /read/2", Reply::json("2"));
    server.peer.on("GET /new/*", Reply::json("\"new\""));
    let turn = Turn::of([
        ("a", "read", r#"{"id":"1"}"#),
        ("b", "read", r#"{"id":"2"}"#),
        ("c", "write", r#"{"id":"3"}"#),
    ]);
    server.peer.on("POST /write/3", Reply::json("3"));
    let turn = turn.depends_on(1, &["a"]).depends_on(2, &["b"]);
    let running = server.send(&turn).await;
    server.peer.arrived_at("GET /read/1").await;

    let without_write = read_at("/new/{id}");
    let without_write = without_write.split("  write:").next().unwrap();
    assert_eq!(server.change(without_write), [""; 0]);
    assert_eq!(server.tools().await, ["read"]);
    server.run(&read("7")).await.assert_succeeded("a", "\"new\"");
    let gone = server.run(&Turn::one("write", r#"{"id":"3"}"#)).await;
    gone.assert_failed("a", FailureCode::UnknownTool, &["there is no tool"]);

    // What comes later in the batch that runs goes where it did when it came.
    gate.open();
    let ran = running.finish().await;
    for (id, text) in [("a", "1"), ("b", "2"), ("c", "3")] {
        ran.assert_succeeded(id, text);
    }
    assert_eq!(server.reloads.seen().generation, 2);
    server.end().await;
}

#[tokio::test]
async fn a_rate_that_changes_keeps_its_tokens_and_a_token_that_changes_its_connections() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("token"), "first-token").unwrap();
    let with = |rate: &str| {
        base_with_api(&format!("rate: {rate}, auth: {{bearer: {{file: '{{folder}}/token'}}}}"))
    };
    let mut server = Server::start_in(folder, &with("5/h burst 10")).await;
    server.peer.on("GET /read/*", Reply::json("1"));
    for id in ["1", "2", "3"] {
        server.run(&read(id)).await;
    }
    let tokens = async |server: &Server| server.status().await.apis[0].buckets[0].lowest[0].level;
    assert_eq!(tokens(&server).await, 7);
    fs::write(server.folder.path().join("token"), "second-token").unwrap();
    server.change(&with("10/h burst 20"));
    assert_eq!(tokens(&server).await, 7, "nothing is given");
    server.run(&read("4")).await;
    assert_eq!(tokens(&server).await, 6);
    let log = server.peer.log();
    let told = |at: usize| log[at].header("authorization").to_owned();
    assert_eq!(
        (told(2), told(3)),
        ("Bearer first-token".to_owned(), "Bearer second-token".to_owned())
    );
    assert_eq!(log[3].connection, log[2].connection, "the connection is the same");
    server.end().await;
}

#[tokio::test]
async fn an_api_that_is_removed_holds_its_limits_until_its_last_call_has_ended() {
    let both = format!(
        "{BASE}  other:\n    description: Another.\n    input: {{type: object}}\n    \
                        http: {{api: old, get: /other}}\n"
    );
    let both = both.replace("tools:", "  old: {url: \"{peer}\", concurrency: 1}\ntools:");
    let mut server = Server::start(&both).await;
    let gate = Gate::closed();
    server.peer.on("GET /other", Reply::json("1").behind(&gate));
    let two = Turn::of([("a", "other", r#"{"n":1}"#), ("b", "other", r#"{"n":2}"#)]);
    let running = server.send(&two).await;
    server.peer.arrived(1).await;
    server.change(BASE);
    assert_eq!(server.tools().await, ["echo", "read", "write"]);
    let names = async |server: &Server| -> Vec<String> {
        server.status().await.apis.into_iter().map(|api| api.name).collect()
    };
    assert_eq!(names(&server).await, ["old", "crm"], "its calls are shown");
    gate.open();
    let ran = running.finish().await;
    assert_eq!(ran.count(Outcome::Succeeded), 2);
    assert_eq!(server.peer.in_flight_max(), 1, "its cap held");
    assert_eq!(names(&server).await, ["crm"]);
    server.end().await;
}

#[tokio::test]
async fn answers_that_still_hold_are_kept_where_the_request_is_the_same() {
    let cached = |path: &str, more: &str| {
        let tool = format!("get: \"{path}\"}}\n    cache: {{ttl: 1h}}\n    {more}");
        BASE.replacen("get: \"/read/{id}\"}", &tool, 1)
    };
    let mut server = Server::start(&cached("/read/{id}", "")).await;
    server.peer.on("GET /read/*", Reply::json("1"));
    server.peer.on("GET /new/*", Reply::json("2"));
    let source = async |server: &Server| server.run(&read("7")).await.result("a").source();
    assert_eq!(source(&server).await, Source::Executed);
    server.change(&cached("/read/{id}", "timeout: 7s"));
    assert_eq!(source(&server).await, Source::Cached);
    server.change(&cached("/new/{id}", "timeout: 7s"));
    assert_eq!(source(&server).await, Source::Executed);
    assert_eq!(server.peer.lines(), ["GET /read/7", "GET /new/7"]);
    server.end().await;
}

#[tokio::test]
async fn what_a_session_has_spent_is_spent() {
    let with = |calls: u32| base_with(&format!("sessions: {{calls: {calls}}}\n"));
    let mut server = Server::start(&with(2)).await;
    server.peer.on("GET /read/*", Reply::json("1"));
    let mut ids = 0..;
    let mut next = async |server: &Server| {
        let turn = read(&ids.next().unwrap().to_string()).session("s");
        server.run(&turn).await.result("a").outcome()
    };
    assert_eq!(next(&server).await, Outcome::Succeeded);
    server.change(&with(3));
    assert_eq!(next(&server).await, Outcome::Succeeded);
    assert_eq!(next(&server).await, Outcome::Succeeded);
    assert_eq!(next(&server).await, Outcome::Failed);
    server.change(&with(4));
    assert_eq!(next(&server).await, Outcome::Succeeded);
    server.end().await;
}

#[tokio::test]
async fn what_takes_a_restart_is_named_and_the_rest_holds() {
    let mut server = Server::start(BASE).await;
    server.peer.on("GET /new/*", Reply::json("1"));
    let more = "drain: {timeout: 7s}\nworkers: {heartbeat: 7s, total: 7}\n\
                telemetry: {sampling: 0.5, log: {format: json}}\nbounds: {batch_bytes: 32 MiB}\n";
    let needs_restart = server.change(&format!("{}{more}", read_at("/new/{id}")));
    let named = [
        "bounds.batch_bytes",
        "workers.heartbeat",
        "telemetry.sampling",
        "telemetry.log.format",
        "drain.timeout",
    ];
    assert_eq!(needs_restart, named);
    server.run(&read("1")).await.assert_succeeded("a", "1");
    assert_eq!(server.change(BASE), [""; 0], "as it was when it began");
    server.end().await;
}

/// Kubernetes turns the link `..data` to a new folder; the file's own link stays.
#[tokio::test]
async fn a_config_map_is_followed_through_its_symbolic_links() {
    let folder = TempDir::new().unwrap();
    let version = |server: &Server, name: &str, yaml: &str| -> PathBuf {
        let version = server.folder.path().join(name);
        fs::create_dir(&version).unwrap();
        fs::write(version.join("sidecall.yaml"), server.text(yaml)).unwrap();
        version
    };
    let turn_to = |server: &Server, version: &str| {
        let (new, data) =
            (server.folder.path().join("..data_tmp"), server.folder.path().join("..data"));
        symlink(version, &new).unwrap();
        fs::rename(new, data).unwrap();
    };
    let server = Server::follow(folder, "sidecall.yaml", |server, path| {
        version(server, "..2026_1", BASE);
        turn_to(server, "..2026_1");
        symlink("..data/sidecall.yaml", path).unwrap();
    })
    .await;
    server.peer.on("GET /new/*", Reply::json("1"));
    let old = version(&server, "..2026_2", &read_at("/new/{id}"));
    turn_to(&server, "..2026_2");
    fs::remove_dir_all(server.folder.path().join("..2026_1")).unwrap();
    server.runs(3).await;
    server.run(&read("1")).await.assert_succeeded("a", "1");
    assert!(old.exists());
    server.end().await;
}

#[tokio::test]
async fn a_secret_is_read_again_when_its_file_changes() {
    let folder = TempDir::new().unwrap();
    let yaml = base_with_api("auth: {bearer: {file: token}}");
    let server = Server::follow(folder, "sidecall.yaml", |server, path| {
        fs::write(server.folder.path().join("token"), "first-token\n").unwrap();
        fs::write(path, server.text(&yaml)).unwrap();
    })
    .await;
    // An upstream that says what it was told.
    server.peer.script("GET /read/*", |arrival| {
        Reply::text(403, &format!("no: {}", arrival.header("authorization")))
    });
    server.run(&read("1")).await;
    fs::write(server.folder.path().join("new"), "second-token\n").unwrap();
    fs::rename(server.folder.path().join("new"), server.folder.path().join("token")).unwrap();
    server.runs(3).await;
    let ran = server.run(&read("2")).await;
    let told: Vec<_> =
        server.peer.log().iter().map(|one| one.header("authorization").to_owned()).collect();
    assert_eq!(told, ["Bearer first-token", "Bearer second-token"]);
    assert!(!ran.failure("a").message.contains("second-token"), "{:?}", ran.failure("a"));
    server.end().await;
}

#[tokio::test]
async fn a_faulty_file_changes_nothing_and_the_next_good_one_holds() {
    let folder = TempDir::new().unwrap();
    let server = Server::follow(folder, "sidecall.yaml", |server, path| {
        fs::write(path, server.text(BASE)).unwrap();
    })
    .await;
    server.peer.on("GET /read/*", Reply::json("1"));
    server.peer.on("GET /new/*", Reply::json("2"));
    let path = server.folder.path().join("sidecall.yaml");
    fs::write(&path, server.text(&read_at("/new/{nobody}"))).unwrap();
    let until = |met: fn(&sidecall::telemetry::reloads::Seen) -> bool| {
        timeout(PATIENCE, server.reloads.until(met))
    };
    let seen = until(|seen| seen.is_refused).await.expect("it was not read");
    assert_eq!((seen.generation, seen.refused), (2, 1));
    server.run(&read("1")).await.assert_succeeded("a", "1");

    fs::write(&path, server.text(BASE)).unwrap();
    let seen = until(|seen| !seen.is_refused).await.expect("it was not read");
    assert_eq!(seen.generation, 2, "it is what ran all the time");
    fs::write(&path, server.text(&read_at("/new/{id}"))).unwrap();
    server.runs(3).await;
    server.run(&read("2")).await.assert_succeeded("a", "2");
    server.end().await;
}
