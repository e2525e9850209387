//! A real HTTP server on port 0 that answers as it is told and writes down
//! what came. A request that nobody expects fails the test.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use sidecall::clock::{self, Instant};
use tokio::{net::TcpListener, sync::watch, task::JoinSet, time::timeout};

use super::{
    PATIENCE,
    reply::{Body, Reply, Step},
};

/// The peer. Dropping it ends it and fails the test if something unexpected
/// came.
pub(crate) struct Peer {
    address: SocketAddr,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

/// A request that came.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    /// `GET /customers/7?limit=2`.
    pub(crate) line: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Which connection brought it, from 0.
    pub(crate) connection: usize,
    /// When all of it was there.
    pub(crate) at: Instant,
    /// The whole answer was handed over.
    pub(crate) is_answered: bool,
    /// The caller went away before.
    pub(crate) is_abandoned: bool,
}

impl Arrival {
    /// A header as text; empty where it is absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The body as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

type Script = Box<dyn Fn(&Arrival) -> Reply + Send + Sync>;

struct Route {
    line: String,
    script: Script,
}

#[derive(Default)]
struct State {
    routes: Vec<Arc<Route>>,
    log: Vec<Arrival>,
    unexpected: Vec<String>,
    in_flight: usize,
    in_flight_max: usize,
    connections: usize,
}

struct Shared {
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

impl Shared {
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let given = change(&mut self.state.lock().unwrap());
        self.changed.send_replace(());
        given
    }
}

impl Peer {
    /// A peer that expects nothing yet.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared { state: Mutex::default(), changed: watch::Sender::new(()) });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&shared)));
        Self { address, shared, _tasks: tasks }
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Expects `line` (`GET /customers/7`; a final `*` takes any ending) and
    /// answers it so. The route that was added first wins.
    pub(crate) fn on(&self, line: &str, reply: Reply) -> &Self {
        self.script(line, move |_| reply.clone())
    }

    /// Expects `line` and answers what `script` makes of the request.
    pub(crate) fn script(
        &self,
        line: &str,
        script: impl Fn(&Arrival) -> Reply + Send + Sync + 'static,
    ) -> &Self {
        let route = Route { line: line.to_owned(), script: Box::new(script) };
        self.shared.change(|state| state.routes.push(Arc::new(route)));
        self
    }

    /// Everything that came, in order of arrival.
    pub(crate) fn log(&self) -> Vec<Arrival> {
        self.shared.change(|state| state.log.clone())
    }

    /// The request lines that came, in order of arrival.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.log().into_iter().map(|arrival| arrival.line).collect()
    }

    /// The one request that came with this line.
    #[track_caller]
    pub(crate) fn only(&self, line: &str) -> Arrival {
        let mut log = self.log();
        log.retain(|arrival| matches(line, &arrival.line));
        assert_eq!(log.len(), 1, "{line}: {log:#?}");
        log.remove(0)
    }

    /// Most requests that were open at once.
    pub(crate) fn in_flight_max(&self) -> usize {
        self.shared.change(|state| state.in_flight_max)
    }

    /// Ready once this many requests have come.
    pub(crate) async fn arrived(&self, count: usize) {
        self.until(|log| log.len() >= count).await;
    }

    /// Ready once a request of this line has come.
    pub(crate) async fn arrived_at(&self, line: &str) {
        self.until(|log| log.iter().any(|arrival| matches(line, &arrival.line))).await;
    }

    /// Ready once the caller has gone away from a request of this line that
    /// had no whole answer.
    pub(crate) async fn abandoned(&self, line: &str) {
        self.until(|log| log.iter().any(|a| a.is_abandoned && matches(line, &a.line))).await;
    }

    async fn until(&self, met: impl Fn(&[Arrival]) -> bool) {
        let mut changed = self.shared.changed.subscribe();
        let met = async {
            while !{
                changed.borrow_and_update();
                met(&self.shared.state.lock().unwrap().log)
            } {
                changed.changed().await.unwrap();
            }
        };
        if timeout(PATIENCE, met).await.is_err() {
            panic!("it never came to that: {:#?}", self.log());
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let unexpected = std::mem::take(&mut self.shared.state.lock().unwrap().unexpected);
        if !std::thread::panicking() {
            assert!(unexpected.is_empty(), "unexpected requests: {unexpected:#?}");
        }
    }
}

fn matches(pattern: &str, line: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == line, |start| line.starts_with(start))
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let connection = shared.change(|state| {
            state.connections += 1;
            state.connections - 1
        });
        let shared = Arc::clone(&shared);
        while connections.try_join_next().is_some() {}
        connections.spawn(async move {
            let answer = |request| answer(request, connection, Arc::clone(&shared));
            // A caller that goes away is in the log; a reply that cuts the
            // connection is an error here and meant so.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service_fn(answer))
                .await;
        });
    }
}

/// Cuts the connection.
#[derive(Debug, thiserror::Error)]
#[error("cut by the script")]
struct Cut;

async fn answer(
    request: Request<Incoming>,
    connection: usize,
    shared: Arc<Shared>,
) -> Result<Response<Body>, Cut> {
    let (head, body) = request.into_parts();
    let line = format!("{} {}", head.method, head.uri);
    let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
    let arrival = Arrival {
        line,
        headers: head.headers,
        body,
        connection,
        at: clock::now(),
        is_answered: false,
        is_abandoned: false,
    };
    let (place, route) = shared.change(|state| {
        state.log.push(arrival.clone());
        state.in_flight += 1;
        state.in_flight_max = state.in_flight_max.max(state.in_flight);
        let route = state.routes.iter().find(|route| matches(&route.line, &arrival.line));
        (state.log.len() - 1, route.cloned())
    });
    let mut open = Open { place, shared: Arc::clone(&shared), is_answered: false };
    let Some(route) = route else {
        shared.change(|state| state.unexpected.push(arrival.line.clone()));
        open.answered();
        return Ok(Reply::text(501, "nobody expects this request").respond(None));
    };
    let mut reply = (route.script)(&arrival);
    for step in reply.take_steps() {
        match step {
            Step::Wait(latency) => tokio::time::sleep(latency).await,
            Step::Gate(gate) => gate.passed().await,
            Step::Hang => std::future::pending::<()>().await,
            Step::Cut => return Err(Cut),
        }
    }
    if head.method == http::Method::HEAD {
        open.answered();
    }
    Ok(reply.respond(Some(Box::new(open))))
}

/// Writes down how a request ended.
pub(super) struct Open {
    place: usize,
    shared: Arc<Shared>,
    is_answered: bool,
}

impl Open {
    /// The whole answer was handed over.
    pub(super) fn answered(&mut self) {
        self.is_answered = true;
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.shared.change(|state| {
            state.in_flight -= 1;
            state.log[self.place].is_answered = self.is_answered;
            state.log[self.place].is_abandoned = !self.is_answered;
        });
    }
}
