//! What a measurement stands on: one upstream, Sidecall and the bare forwarder,
//! each a process of its own.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use serde_json::{Map, Value, json};

use crate::process::Process;

/// The programs, a folder for sockets, and the upstream that all share.
#[derive(Debug)]
pub(crate) struct Rig {
    sidecall: PathBuf,
    bench: PathBuf,
    folder: PathBuf,
    /// Held so that it lives.
    _upstream: Process,
    /// `127.0.0.1:port`.
    authority: String,
}

/// Something that serves on a socket.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) socket: PathBuf,
    /// From exec to its first answer.
    pub(crate) took: Duration,
}

impl Rig {
    /// Starts the upstream. `sidecall` is the program to be measured.
    pub(crate) fn new(sidecall: PathBuf) -> anyhow::Result<Self> {
        let bench = std::env::current_exe()?;
        let folder = std::env::temp_dir().join(format!("sidecall-bench-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let mut upstream = Process::start(&bench, ["upstream"])?;
        let authority = format!("127.0.0.1:{}", upstream.line()?);
        Ok(Self { sidecall, bench, folder, _upstream: upstream, authority })
    }

    /// A Sidecall that opens at most `connections` to the upstream.
    pub(crate) fn sidecall(&self, connections: usize) -> anyhow::Result<Server> {
        let tools = ["now", "wait20", "wait200"].map(|tool| (tool, json!({})));
        let name = format!("sidecall-{connections}");
        self.limited(&name, &json!({}), &json!({"concurrency": connections}), &tools)
    }

    /// A Sidecall with these sections, and these settings of its one API and of each
    /// tool. A tool's name is the first part of its path.
    pub(crate) fn limited(
        &self,
        name: &str,
        sections: &Value,
        api: &Value,
        tools: &[(&str, Value)],
    ) -> anyhow::Result<Server> {
        let (socket, config) = self.files(name);
        fs::write(&config, self.config(&socket, sections, api, tools))?;
        let process = Process::start(
            &self.sidecall,
            [Path::new("serve"), Path::new("--config"), config.as_path()],
        )?;
        Server::ready(process, socket)
    }

    /// A bare forwarder with the same bound.
    pub(crate) fn bare(&self, connections: usize) -> anyhow::Result<Server> {
        let (socket, _) = self.files(&format!("bare-{connections}"));
        let (path, connections) = (socket.display().to_string(), connections.to_string());
        let process = Process::start(&self.bench, ["bare", &path, &self.authority, &connections])?;
        Server::ready(process, socket)
    }

    /// Host and port of the upstream.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// Where files of this run may be.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// This program again, as something else.
    pub(crate) fn role<'a>(
        &self,
        args: impl IntoIterator<Item = &'a str>,
    ) -> anyhow::Result<Process> {
        Process::start(&self.bench, args)
    }

    /// What the upstream answers to a request beside what is measured.
    pub(crate) fn ask(&self, path: &str) -> anyhow::Result<String> {
        ask(&self.authority, path)
    }

    /// What came at the upstream since it was last asked.
    pub(crate) fn log(&self) -> anyhow::Result<Vec<Came>> {
        self.ask("/control/log")?.lines().map(Came::read).collect()
    }

    fn files(&self, name: &str) -> (PathBuf, PathBuf) {
        let socket = self.folder.join(format!("{name}.sock"));
        // Of one that was killed before.
        let _ = fs::remove_file(&socket);
        (socket, self.folder.join(format!("{name}.yaml")))
    }

    /// JSON, which is YAML.
    fn config(
        &self,
        socket: &Path,
        sections: &Value,
        api: &Value,
        tools: &[(&str, Value)],
    ) -> String {
        let tools: Map<_, _> = tools
            .iter()
            .map(|(name, more)| {
                let tool = json!({
                    "description": "One record.",
                    "input": {
                        "type": "object",
                        "properties": {"key": {"type": "string"}},
                        "required": ["key"],
                    },
                    "http": {"api": "upstream", "get": format!("/{name}/{{key}}")},
                });
                ((*name).to_owned(), merged(tool, more))
            })
            .collect();
        let api = merged(json!({"url": format!("http://{}", self.authority)}), api);
        let config = json!({
            "listen": {"unix": {"path": socket}},
            "apis": {"upstream": api},
            "bounds": {"session_calls": 100_000, "calls": 100_000, "batch_calls": 100_000},
            "tools": tools,
        });
        merged(config, sections).to_string()
    }
}

/// Both, and within what both have both again.
fn merged(one: Value, other: &Value) -> Value {
    match (one, other) {
        (Value::Object(mut one), Value::Object(other)) => {
            for (key, other) in other {
                let both = one.remove(key).map_or_else(|| other.clone(), |one| merged(one, other));
                one.insert(key.clone(), both);
            }
            Value::Object(one)
        }
        (_, other) => other.clone(),
    }
}

/// What is answered to a request over HTTP/1.
pub(crate) fn ask(authority: &str, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(authority)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (_, body) = answer.split_once("\r\n\r\n").context("nothing was answered")?;
    Ok(body.to_owned())
}

/// A request that came at the upstream.
#[derive(Clone, Debug)]
pub(crate) struct Came {
    /// By the upstream's own clock.
    pub(crate) at: Duration,
    pub(crate) status: u16,
    /// The first part of the path.
    pub(crate) tool: String,
    /// The second.
    pub(crate) key: String,
}

impl Came {
    fn read(line: &str) -> anyhow::Result<Self> {
        let mut words = line.split([' ', '/']);
        let mut word = || words.next().with_context(|| format!("a line of no log: {line}"));
        Ok(Self {
            at: Duration::from_nanos(word()?.parse()?),
            status: word()?.parse()?,
            tool: word()?.to_owned(),
            key: word()?.to_owned(),
        })
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        // Left behind at worst: a few empty sockets.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Server {
    fn ready(mut process: Process, socket: PathBuf) -> anyhow::Result<Self> {
        let took = process.serves(&socket)?;
        Ok(Self { process, socket, took })
    }
}
