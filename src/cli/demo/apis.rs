//! The demo's APIs: a small HTTP/1.1 server on loopback.
//!
//! Each route is a line of [`ROUTES`]: what it matches, how long it takes and
//! what it answers. Another kind of API is another [`Answer`].

use std::{
    collections::HashMap,
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use crate::{
    clock::{self, Instant},
    drain::Drain,
};

/// Most bytes of a request that are read.
const REQUEST_BYTES_MAX: usize = 64 << 10;

/// One thing that the APIs can do.
struct Route {
    method: Method,
    /// Its segments; `*` matches any one.
    path: &'static str,
    latency: Duration,
    answer: Answer,
}

/// What a route answers.
#[derive(Clone, Copy)]
enum Answer {
    /// This document.
    Document(&'static str),
    /// Where the shipment of that name is.
    Shipment,
    /// What was sent, as it was sent.
    Echo,
    /// What a share costs, to whom does not ask too often.
    Quote,
    /// Out of service.
    Down(&'static str),
    /// A file, unless the archive is down.
    File,
    /// What is in stock, with the failures that [`FAILURES`] has for it.
    Stock,
}

/// What the warehouse does to the requests for an article, one after the other and
/// then from the beginning; to one that is not named here nothing.
const FAILURES: [(&str, &[Failure]); 4] = [
    ("desk", &[Failure::Status(StatusCode::SERVICE_UNAVAILABLE), Failure::None]),
    ("chair", &[Failure::Status(StatusCode::TOO_MANY_REQUESTS), Failure::None]),
    ("shelf", &[Failure::Silence, Failure::None]),
    ("forecast", &[Failure::Status(StatusCode::BAD_GATEWAY)]),
];

/// How a request may go wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Failure {
    /// It does not.
    None,
    /// This status.
    Status(StatusCode),
    /// No answer at all.
    Silence,
}

/// Everything that the APIs can do.
static ROUTES: [Route; 12] = [
    route("/crm/customers", 200, Answer::Document(include_str!("data/customer.json"))),
    route("/crm/customers/*", 200, Answer::Document(include_str!("data/customer.json"))),
    route("/shop/customers/*/orders", 200, Answer::Document(include_str!("data/orders.json"))),
    route("/shop/shipments/*", 120, Answer::Shipment),
    route("/support/customers/*/tickets", 200, Answer::Document(include_str!("data/tickets.json"))),
    route("/billing/customers/*", 200, Answer::Document(include_str!("data/billing.json"))),
    route(
        "/legal/customers/*/contracts",
        200,
        Answer::Document(include_str!("data/contracts.json")),
    ),
    route("/market/quotes/*", 60, Answer::Quote),
    route("/bureau/scores/*", 60, Answer::Down("the credit bureau is closed until 06:00 UTC")),
    route("/archive/files/*", 60, Answer::File),
    route("/warehouse/stock/*", 60, Answer::Stock),
    Route { method: Method::POST, path: "/crm/briefs", latency: ms(80), answer: Answer::Echo },
];

/// How often the market may be asked: counted here, as an API would, and not
/// by the program that is shown.
#[derive(Default)]
struct Allowance {
    /// When the allowance will be whole again.
    whole_at: Mutex<Option<Instant>>,
}

impl Allowance {
    /// 20 requests a second …
    const PERIOD: Duration = ms(50);
    /// … and as many at once.
    const AT_ONCE: u32 = 4;

    /// Takes one request from it; false where none is left.
    fn spend(&self, now: Instant) -> bool {
        let mut whole_at = self.whole_at.lock().unwrap_or_else(PoisonError::into_inner);
        let next = whole_at.map_or(now, |at| at.max(now)) + Self::PERIOD;
        let is_left = next <= now + Self::PERIOD * Self::AT_ONCE;
        if is_left {
            *whole_at = Some(next);
        }
        is_left
    }
}

/// How often each article was asked for.
#[derive(Default)]
struct Asked(Mutex<HashMap<&'static str, usize>>);

impl Asked {
    /// What becomes of the next request for this article.
    fn next(&self, article: &str) -> Failure {
        let Some((article, script)) = FAILURES.iter().find(|(of, _)| *of == article) else {
            return Failure::None;
        };
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = asked.entry(*article).or_default();
        *asked += 1;
        script.get((*asked - 1) % script.len()).copied().unwrap_or(Failure::None)
    }
}

/// The archive is down when nobody has asked it for a while, as if it had to be
/// woken: the same whenever the demo's turns are run.
#[derive(Default)]
struct Outage(Mutex<Option<Outages>>);

struct Outages {
    over_at: Instant,
    asked_at: Instant,
}

impl Outage {
    const LASTS: Duration = ms(600);
    const AFTER: Duration = ms(10_000);

    /// Whether a request that comes now fails.
    fn is_on(&self, now: Instant) -> bool {
        let mut outage = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = outage.take().filter(|known| now < known.asked_at + Self::AFTER);
        let over_at = known.map_or(now + Self::LASTS, |known| known.over_at);
        *outage = Some(Outages { over_at, asked_at: now });
        now < over_at
    }
}

/// What the APIs remember.
#[derive(Default)]
struct Memory {
    archive: Outage,
    market: Allowance,
    warehouse: Asked,
}

/// After so long the market has forgotten how often it was asked.
pub(super) const REST: Duration = ms(200);

/// After so long the archive's breaker lets a call find out whether it is back.
pub(super) const OPEN: Duration = ms(1_000);

const fn route(path: &'static str, latency_ms: u64, answer: Answer) -> Route {
    Route { method: Method::GET, path, latency: ms(latency_ms), answer }
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Starts the APIs on a free port of loopback, as tasks of `drain`; they end
/// when it starts.
///
/// # Errors
///
/// No port was to be had.
pub(super) async fn start(drain: &Drain) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    drain.spawn(accept(listener, drain.clone(), Arc::new(Memory::default())));
    Ok(address)
}

async fn accept(listener: TcpListener, drain: Drain, memory: Arc<Memory>) {
    loop {
        tokio::select! {
            () = drain.draining().cancelled() => return,
            accepted = listener.accept() => {
                // The only errors here are the peer's, and it will notice.
                if let Ok((stream, _)) = accepted {
                    drain.spawn(serve(stream, drain.clone(), Arc::clone(&memory)));
                }
            }
        }
    }
}

async fn serve(stream: TcpStream, drain: Drain, memory: Arc<Memory>) {
    let answer = |request| answer(request, Arc::clone(&memory));
    let connection =
        http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
    tokio::select! {
        () = drain.draining().cancelled() => {}
        // A client that goes away is no fault: cancelled calls do just that.
        _ = connection => {}
    }
}

async fn answer(
    request: Request<Incoming>,
    memory: Arc<Memory>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let Some(route) = find(request.method(), &path) else {
        return Ok(json(StatusCode::NOT_FOUND, problem(&format!("no such resource: {path}"))));
    };
    if matches!(route.answer, Answer::Quote) && !memory.market.spend(clock::now()) {
        let what = problem("at most 20 requests a second, 4 at once");
        return Ok(json(StatusCode::TOO_MANY_REQUESTS, what));
    }
    let is_down = matches!(route.answer, Answer::File) && memory.archive.is_on(clock::now());
    let sent = Limited::new(request.into_body(), REQUEST_BYTES_MAX).collect().await;
    tokio::time::sleep(route.latency).await;
    Ok(match route.answer {
        Answer::Document(text) => json(StatusCode::OK, text.trim_end()),
        Answer::Shipment => json(StatusCode::OK, shipment(&path)),
        Answer::Quote => json(StatusCode::OK, quote(&path)),
        Answer::Echo => match sent {
            Ok(body) => json(StatusCode::CREATED, body.to_bytes()),
            Err(_) => json(StatusCode::PAYLOAD_TOO_LARGE, problem("at most 64 KiB")),
        },
        Answer::Down(why) => json(StatusCode::SERVICE_UNAVAILABLE, problem(why)),
        Answer::File if is_down => {
            json(StatusCode::SERVICE_UNAVAILABLE, problem("the archive is being restarted"))
        }
        Answer::File => json(StatusCode::OK, format!("{{\"file\":\"{}\"}}", last(&path))),
        Answer::Stock => match memory.warehouse.next(last(&path)) {
            Failure::None => json(StatusCode::OK, stock(&path)),
            Failure::Status(status) => json(status, problem("the warehouse is busy")),
            // Longer than anybody waits.
            Failure::Silence => {
                tokio::time::sleep(ms(60_000)).await;
                json(StatusCode::GATEWAY_TIMEOUT, problem("the request was forgotten"))
            }
        },
    })
}

fn find(method: &Method, path: &str) -> Option<&'static Route> {
    ROUTES.iter().find(|route| route.method == method && matches(route.path, path))
}

fn matches(pattern: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    pattern.split('/').all(|wanted| match segments.next() {
        Some("") => wanted.is_empty(),
        Some(segment) => wanted == "*" || wanted == segment,
        None => false,
    }) && segments.next().is_none()
}

/// The last segment of a path.
fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

fn stock(path: &str) -> String {
    let article = last(path);
    let units = article.bytes().fold(7, |sum, byte| (sum * 5 + u32::from(byte)) % 90);
    format!("{{\"article\":\"{article}\",\"units\":{units}}}")
}

fn shipment(path: &str) -> String {
    let id = last(path);
    let place = if id == "shp_771" { "Malmö, out for delivery" } else { "Hamburg, customs" };
    format!("{{\"id\":\"{id}\",\"place\":\"{place}\",\"weight_kg\":2.50}}")
}

fn quote(path: &str) -> String {
    let symbol = last(path);
    let cents = symbol.bytes().fold(0, |sum, byte| (sum * 7 + u32::from(byte)) % 90_000) + 10_000;
    format!("{{\"symbol\":\"{symbol}\",\"price\":{}.{:02}}}", cents / 100, cents % 100)
}

fn problem(what: &str) -> String {
    format!("{{\"error\":\"{what}\"}}")
}

fn json(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_matches_segment_by_segment_and_no_further() {
        for (pattern, path) in [
            ("/crm/customers/*", "/crm/customers"),
            ("/crm/customers/*", "/crm/customers/"),
            ("/crm/customers/*", "/crm/customers/a/b"),
            ("/crm/customers", "/crm/customers/a"),
            ("/crm/customers", "/crm/customer"),
            ("/crm/customers", "crm/customers"),
        ] {
            assert!(!matches(pattern, path), "{pattern} {path}");
        }
        assert!(matches("/shop/customers/*/orders", "/shop/customers/cus_4711/orders"));
    }

    #[test]
    fn a_fifth_request_at_once_is_too_many_until_time_has_passed() {
        let allowance = Allowance::default();
        let now = clock::now();
        let spent = |after| (0..6).filter(|_| allowance.spend(now + after)).count();
        assert_eq!(spent(Duration::ZERO), 4);
        assert_eq!(spent(ms(49)), 0);
        assert_eq!(spent(ms(100)), 2);
        assert_eq!(spent(ms(5000)), 4, "what was not asked for is not saved up");
    }

    #[test]
    fn the_archive_is_down_at_first_and_again_after_a_pause() {
        let outage = Outage::default();
        let now = clock::now();
        let is_on = |after_ms| outage.is_on(now + ms(after_ms));
        assert!(is_on(0) && is_on(599));
        assert!(!is_on(600) && !is_on(9_000) && !is_on(18_000));
        assert!(is_on(28_000));
    }

    #[test]
    fn an_article_fails_by_its_script_again_and_again() {
        let asked = Asked::default();
        let seen = |article: &str| [(); 4].map(|()| asked.next(article));
        let busy = Failure::Status(StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(seen("desk"), [busy, Failure::None, busy, Failure::None]);
        assert_eq!(seen("lamp"), [Failure::None; 4]);
        let gone = Failure::Status(StatusCode::BAD_GATEWAY);
        assert_eq!(seen("forecast"), [gone; 4]);
    }

    #[test]
    fn every_document_is_json_and_its_prices_keep_their_last_zero() {
        for route in &ROUTES {
            if let Answer::Document(text) = route.answer {
                serde_json::from_str::<serde_json::Value>(text).unwrap();
            }
        }
        assert!(include_str!("data/orders.json").contains("\"total\":1249.90"));
    }
}
