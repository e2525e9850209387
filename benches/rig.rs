//! What a measurement stands on: one upstream, Sidecall and the bare forwarder,
//! each a process of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::json;

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
        let (socket, config) = self.files("sidecall", connections);
        fs::write(&config, self.config(&socket, connections))?;
        let process = Process::start(
            &self.sidecall,
            [Path::new("serve"), Path::new("--config"), config.as_path()],
        )?;
        Server::ready(process, socket)
    }

    /// A bare forwarder with the same bound.
    pub(crate) fn bare(&self, connections: usize) -> anyhow::Result<Server> {
        let (socket, _) = self.files("bare", connections);
        let (path, connections) = (socket.display().to_string(), connections.to_string());
        let process = Process::start(&self.bench, ["bare", &path, &self.authority, &connections])?;
        Server::ready(process, socket)
    }

    fn files(&self, name: &str, connections: usize) -> (PathBuf, PathBuf) {
        let name = format!("{name}-{connections}");
        let socket = self.folder.join(format!("{name}.sock"));
        // Of one that was killed before.
        let _ = fs::remove_file(&socket);
        (socket, self.folder.join(format!("{name}.yaml")))
    }

    /// JSON, which is YAML.
    fn config(&self, socket: &Path, connections: usize) -> String {
        let tool = |name: &str| {
            json!({
                "description": "One record.",
                "input": {
                    "type": "object",
                    "properties": {"key": {"type": "string"}},
                    "required": ["key"],
                },
                "http": {"api": "upstream", "get": format!("/{name}/{{key}}")},
            })
        };
        json!({
            "listen": {"unix": {"path": socket}},
            "apis": {
                "upstream": {
                    "url": format!("http://{}", self.authority),
                    "concurrency": connections,
                },
            },
            "tools": {"now": tool("now"), "wait20": tool("wait20"), "wait200": tool("wait200")},
        })
        .to_string()
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
