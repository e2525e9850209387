//! The real server in this process, its peer, and a client with nothing but
//! stubs.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use hyper_util::rt::TokioIo;
use sidecall::{
    app, config, drain::Drain, proto::v1::sidecall_service_client::SidecallServiceClient,
    telemetry::tracer::Tracer,
};
use tempfile::TempDir;
use tokio::{net::UnixStream, task::JoinSet, time::timeout};
use tonic::{
    Request, Status,
    transport::{Channel, Endpoint},
};

use super::{
    PATIENCE, Peer, Turn,
    events::{Ran, Running},
    whole::Watch,
};

/// A server and its peer. Must be brought to its [`end`](Self::end), which
/// says that nothing is left.
pub(crate) struct World {
    /// The scripted API; `{peer}` in the configuration.
    pub(crate) peer: Peer,
    /// The server's Unix socket.
    pub(crate) socket: PathBuf,
    /// The server's TCP address.
    pub(crate) tcp: std::net::SocketAddr,
    /// The server's admin address, where it has one.
    pub(crate) admin: Option<std::net::SocketAddr>,
    /// Ends the server.
    pub(crate) drain: Drain,
    /// Who takes its spans down.
    pub(crate) tracer: Option<Tracer>,
    watch: Watch,
    server: JoinSet<()>,
    channel: Channel,
    unended: Unended,
    _folder: TempDir,
}

impl World {
    /// A server with this configuration, listening on a socket of its own and
    /// on a free port. `{peer}` in it is the peer's address, `{folder}` a
    /// folder of the test's own.
    ///
    /// Where it says nothing of `telemetry:`, everything is traced, so that the
    /// [`end`](Self::end) can say that no span is missing.
    pub(crate) async fn start(yaml: &str) -> Self {
        Self::start_in_folder(Peer::start().await, yaml, |_| {}).await
    }

    /// The same with a peer that was made before, once `prepare` has put what
    /// the configuration names into the folder.
    pub(crate) async fn start_in_folder(
        peer: Peer,
        yaml: &str,
        prepare: impl FnOnce(&Path),
    ) -> Self {
        let folder = TempDir::new().unwrap();
        prepare(folder.path());
        let path = folder.path().display();
        let yaml = yaml.replace("{peer}", &peer.url()).replace("{folder}", &path.to_string());
        let listen =
            format!("listen:\n  unix: {{path: {path}/sidecall.sock}}\n  tcp: 127.0.0.1:0\n");
        let yaml = if yaml.contains("\nlisten:") { yaml } else { listen + &yaml };
        let (collector, yaml) = Watch::begin(&yaml).await;
        let bound = Self::bind(&yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"));
        let socket = bound.unix.clone().unwrap();
        let tcp = bound.tcp.unwrap();
        let admin = bound.admin();
        let drain = bound.drain.clone();
        let tracer = bound.tracer().cloned();
        let watch = Watch::new(tracer.clone(), collector);
        let mut server = JoinSet::new();
        server.spawn(bound.run());
        let channel = connect(socket.clone()).await;
        Self {
            peer,
            socket,
            tcp,
            admin,
            drain,
            tracer,
            watch,
            server,
            channel,
            unended: Unended(true),
            _folder: folder,
        }
    }

    /// What a server with this configuration says where it cannot start.
    pub(crate) fn fault(yaml: &str) -> String {
        match Self::bind(yaml) {
            Err(fault) => fault,
            Ok(bound) => panic!("it started: {bound:#?}"),
        }
    }

    fn bind(yaml: &str) -> Result<app::Bound, String> {
        let config = config::read("test.yaml", yaml, &config::env::Process)
            .map_err(|faults| faults.to_string())?;
        app::bind(config).map_err(|error| error.to_string())
    }

    /// A client over the Unix socket, as generated: no option is set.
    pub(crate) fn client(&self) -> SidecallServiceClient<Channel> {
        SidecallServiceClient::new(self.channel.clone())
    }

    /// The channel over the Unix socket.
    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Sends the turn and waits for the stream to open.
    pub(crate) async fn send(&self, turn: &Turn) -> Result<Running, Status> {
        self.request(Request::new(turn.0.clone())).await
    }

    /// The same with a deadline of the RPC's own.
    pub(crate) async fn send_within(&self, turn: &Turn, time: Duration) -> Result<Running, Status> {
        let mut request = Request::new(turn.0.clone());
        request.set_timeout(time);
        self.request(request).await
    }

    /// The same with metadata of the caller's.
    pub(crate) async fn send_with(
        &self,
        turn: &Turn,
        metadata: &[(&'static str, &str)],
    ) -> Result<Running, Status> {
        let mut request = Request::new(turn.0.clone());
        for (name, value) in metadata {
            request.metadata_mut().append(*name, value.parse().unwrap());
        }
        self.request(request).await
    }

    async fn request(
        &self,
        request: Request<sidecall::proto::v1::ExecuteBatchRequest>,
    ) -> Result<Running, Status> {
        let response = self.client().execute_batch(request).await?;
        Ok(Running::new(response.into_inner()))
    }

    /// Runs the turn to its end.
    pub(crate) async fn run(&self, turn: &Turn) -> Ran {
        self.send(turn).await.unwrap().finish().await
    }

    /// Why the turn is refused.
    pub(crate) async fn refusal(&self, turn: &Turn) -> Status {
        match self.send(turn).await {
            Err(status) => status,
            // A stream's first message may carry the refusal.
            Ok(mut running) => match running.next().await {
                Err(status) => status,
                Ok(event) => panic!("it was accepted: {event:#?}"),
            },
        }
    }

    /// Ends the server and says that nothing is left of it.
    pub(crate) async fn end(mut self) {
        self.unended.0 = false;
        self.channel = Endpoint::from_static("http://unused").connect_lazy();
        self.drain.start();
        let ended = timeout(PATIENCE, self.server.join_next()).await;
        ended.expect("the server did not end").unwrap().unwrap();
        assert_eq!(self.drain.tasks_open(), 0, "tasks are left");
        assert!(!self.socket.exists(), "the socket is left");
        self.watch.end();
    }
}

/// A world that is not brought to its end fails its test.
struct Unended(bool);

impl Drop for Unended {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(!self.0, "bring the world to its end()");
        }
    }
}

/// A channel over a Unix socket.
pub(crate) async fn connect(socket: PathBuf) -> Channel {
    Endpoint::from_static("http://localhost")
        .connect_with_connector(tower::service_fn(move |_| {
            let socket = socket.clone();
            async move { UnixStream::connect(socket).await.map(TokioIo::new) }
        }))
        .await
        .unwrap()
}
