//! Jaeger as a process of its own.

use std::{net::SocketAddr, path::Path, process::Stdio, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    time::timeout,
};

use super::{DEPLOYED, REMEDY};
use crate::support::{PATIENCE, data::exported, own_address};

/// Jaeger, on ports of its own. Dropping it ends it.
pub(super) struct Jaeger {
    pub(super) query: String,
    pub(super) collector: String,
    /// As `sidecall demo --jaeger` is told.
    pub(super) ports: String,
    _process: Child,
}

impl Jaeger {
    /// Nothing where this machine has none.
    pub(super) async fn start() -> Option<Self> {
        let page = exported("SIDECALL_TEST_JAEGER_UI", REMEDY)?;
        let listen = |command: &mut Command, ports: &[SocketAddr]| {
            command.env("JAEGER_UI_ASSETS", page);
            for (name, address) in [
                ("JAEGER_QUERY_HTTP_PORT", ports[0]),
                ("JAEGER_QUERY_GRPC_PORT", ports[1]),
                ("JAEGER_OTLP_GRPC_PORT", ports[2]),
                ("JAEGER_OTLP_HTTP_PORT", ports[3]),
            ] {
                command.env(name, address.port().to_string());
            }
        };
        Self::open("tests/jaeger/config.yaml", listen).await
    }

    /// The same by the configuration that others are given, but for its addresses.
    pub(super) async fn deployed() -> Option<Self> {
        let listen = |command: &mut Command, ports: &[SocketAddr]| {
            for (place, address) in [
                ("extensions.jaeger_query.http", ports[0]),
                ("extensions.jaeger_query.grpc", ports[1]),
                ("receivers.otlp.protocols.grpc", ports[2]),
                ("receivers.otlp.protocols.http", ports[3]),
                ("extensions.healthcheckv2.http", ports[4]),
            ] {
                command.arg("--set").arg(format!("{place}.endpoint={address}"));
            }
        };
        Self::open(&format!("{DEPLOYED}/jaeger.yaml"), listen).await
    }

    async fn open(config: &str, listen: impl FnOnce(&mut Command, &[SocketAddr])) -> Option<Self> {
        let program = exported("SIDECALL_TEST_JAEGER", REMEDY)?;
        let mut command = Command::new(program);
        let config = Path::new(env!("CARGO_MANIFEST_DIR")).join(config);
        command.arg("--config").arg(format!("file:{}", config.display()));
        let ports = [(); 5].map(|()| own_address());
        listen(&mut command, &ports);
        let folder = TempDir::new().unwrap();
        let log = folder.path().join("log");
        let mut process = command
            .kill_on_drop(true)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let query = format!("http://{}", ports[0]);
        tokio::select! {
            _ = until(&query, "v3/services", Value::is_object) => {}
            status = process.wait() => {
                let said = std::fs::read_to_string(&log).unwrap();
                panic!("Jaeger ended, {}: {said}", status.unwrap());
            }
        }
        Some(Self {
            query,
            collector: ports[2].to_string(),
            ports: format!("{},{}", ports[2], ports[0]),
            _process: process,
        })
    }

    /// What its API says of `path`, once it says what is wanted.
    pub(super) async fn until(&self, path: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
        until(&self.query, path, is_wanted).await
    }
}

async fn until(query: &str, path: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let url: http::Uri = format!("{query}/api/{path}").parse().unwrap();
    let mut last = Value::Null;
    let asked = async {
        loop {
            if let Ok(answer) = client.get(url.clone()).await {
                let body = answer.into_body().collect().await.unwrap().to_bytes();
                last = serde_json::from_slice(&body).unwrap_or(Value::Null);
                if is_wanted(&last) {
                    return;
                }
            }
            // It tells nobody when it has taken a span in.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    if timeout(PATIENCE, asked).await.is_err() {
        panic!("{url} says {last:#}");
    }
    last
}
