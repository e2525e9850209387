//! An API's connections, and one exchange over them.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{self, Client, connect::capture_connection},
    rt::{TokioExecutor, TokioTimer},
};
use tokio::time::Sleep;
use tower::Service;
use tower_http::decompression::{Decompression, DecompressionBody};

use super::{
    ApiSettings, HeaderName,
    connect::{Connector, TimedOut},
    quota, reply, status,
    version::Claimed,
};
use crate::{
    backend::{Error as AttemptError, Reply, SentMark},
    clock::{self, Instant},
    model::{FailureCode, RetryAdvice, Secrets},
    telemetry::outgoing::Outgoing,
};

/// Idle connections are given up before the minute at which common proxies
/// close them: a request that meets a closing connection may be lost.
const IDLE: Duration = Duration::from_secs(50);
/// Idle connections kept, so that a wide turn finds those of the one before.
const IDLE_MAX: usize = 1024;
/// An HTTP/2 connection that does not answer a ping is dead: unlike one of
/// HTTP/1.1, it is not closed by the deadline of the request on it.
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// One upstream: its connections and credentials, shared by its tools.
pub struct Api {
    settings: ApiSettings,
    client: Client<Connector, Full<Bytes>>,
    /// Its credentials, and all that is secret elsewhere: an upstream may quote what
    /// it was sent.
    secrets: Secrets,
}

/// How a tool reads the answers to its requests.
pub(super) struct Terms {
    /// Headers that belong to the result, each with its name there.
    pub(super) result_headers: Arc<[(Box<str>, HeaderName)]>,
    /// What the request says of the version that it changes.
    pub(super) claimed: Option<Box<Claimed>>,
}

/// Why an API cannot be used as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// TLS cannot be set up, or a certificate of its own cannot be used.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

impl Api {
    /// Sets up the client. Nothing is connected yet.
    ///
    /// # Errors
    ///
    /// TLS cannot be set up.
    pub fn try_new(settings: ApiSettings) -> Result<Arc<Self>, Error> {
        // Its tasks each drive one connection. They end with the connection,
        // which the pool, and so this `Api`, owns.
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_MAX)
            .http2_adaptive_window(true)
            .http2_keep_alive_interval(PING_EVERY)
            .http2_keep_alive_timeout(PING_TIMEOUT)
            // A request is sent again only where hyper hands it back unsent: its
            // idle connection had died before any byte of it was written.
            .retry_canceled_requests(true)
            .build(Connector::try_new(&settings)?);
        let secrets = all_secrets(&settings);
        Ok(Arc::new(Self { settings, client, secrets }))
    }

    /// The same upstream under other settings: over the connections that there are,
    /// where they lead to the same place in the same trust.
    ///
    /// # Errors
    ///
    /// As [`try_new`](Self::try_new).
    pub fn reconfigured(self: &Arc<Self>, settings: ApiSettings) -> Result<Arc<Self>, Error> {
        if settings == self.settings {
            return Ok(Arc::clone(self));
        }
        if !settings.connects_as(&self.settings) {
            return Self::try_new(settings);
        }
        let (client, secrets) = (self.client.clone(), all_secrets(&settings));
        Ok(Arc::new(Self { settings, client, secrets }))
    }

    /// What it was made of.
    pub fn settings(&self) -> &ApiSettings {
        &self.settings
    }

    /// Sends `request` once and reads its answer. Ends at `deadline` in
    /// whichever phase it is; dropped, it closes its stream or connection.
    ///
    /// A wide turn holds many of these: what is moved in an `async` block takes
    /// its room twice, so that the parts are made outside and read in place.
    pub(super) fn exchange(
        self: Arc<Self>,
        request: Request<Full<Bytes>>,
        deadline: Instant,
        sent: SentMark,
        trace: Option<Arc<Outgoing>>,
        terms: Terms,
    ) -> impl Future<Output = Result<Reply, AttemptError>> + Send {
        let method = request.method();
        let (is_head, is_safe) = (method == Method::HEAD, method.is_safe());
        let mut answer = self.answer(request, sent.clone());
        async move {
            if deadline <= clock::now() {
                return Err(out_of_time(&sent));
            }
            let mut deadline = pin!(tokio::time::sleep_until(deadline));
            let (head, mut body) = match until(deadline.as_mut(), Pin::new(&mut answer)).await {
                Some(response) => response?.into_parts(),
                None => return Err(out_of_time(&sent)),
            };
            let code = head.status;
            if let Some(trace) = &trace {
                trace.was_answered(code.as_u16());
            }
            if code.is_success() {
                let bytes_max = self.settings.response_bytes_max.get();
                let whole =
                    pin!(reply::read(is_head, &head, &mut body, bytes_max, &terms.result_headers));
                let answer = until(deadline, whole).await.unwrap_or_else(|| {
                    let message = format!(
                        "the time was over while the answer (status {}) was being read",
                        code.as_u16()
                    );
                    Err(AttemptError::new(FailureCode::DeadlineExceeded, message).maybe_sent())
                });
                let pause = quota::exhausted(&head.headers);
                return match answer {
                    Ok(reply) => Ok(Reply { pause, ..reply }),
                    Err(error) => Err(AttemptError { pause, ..error }),
                };
            }
            // The status is known, so that no deadline takes it back.
            let said = pin!(reply::excerpt(&head.headers, &mut body, &self.secrets));
            let said = until(deadline, said).await.flatten();
            let refusal = terms.claimed.and_then(|claimed| claimed.refusal(code));
            Err(status::error(code, &head.headers, is_safe, refusal, said.as_deref()))
        }
    }

    /// Up to the head of the answer. Marks the attempt as soon as a connection
    /// was found for it, before the first byte can leave.
    fn answer(
        &self,
        mut request: Request<Full<Bytes>>,
        sent: SentMark,
    ) -> impl Future<Output = Answer> + Send + Unpin + use<> {
        let captured = capture_connection(&mut request);
        let mut response = Decompression::new(&self.client).call(request);
        let mut is_marked = false;
        // hyper hands the request to its connection within this very poll: the
        // mark is set before anybody could drop us.
        poll_fn(move |cx| {
            let polled = Pin::new(&mut response).poll(cx);
            if !is_marked && captured.connection_metadata().is_some() {
                is_marked = true;
                sent.set();
            }
            polled.map_err(|error| if is_marked { no_answer(error) } else { not_connected(error) })
        })
    }
}

/// All that is secret, and the API's own credentials.
fn all_secrets(settings: &ApiSettings) -> Secrets {
    let own = settings.auth.as_ref().and_then(|auth| auth.value.to_str().ok());
    own.map_or_else(|| settings.secrets.clone(), |own| settings.secrets.with(own))
}

type Answer = Result<Response<DecompressionBody<Incoming>>, AttemptError>;

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// What `future` gives, or `None` at the deadline.
async fn until<F: Future>(
    mut deadline: Pin<&mut Sleep>,
    mut future: Pin<&mut F>,
) -> Option<F::Output> {
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => deadline.as_mut().poll(cx).map(|()| None),
    })
    .await
}

fn out_of_time(sent: &SentMark) -> AttemptError {
    use crate::model::Sent;
    match sent.get() {
        Sent::No => AttemptError::new(
            FailureCode::DeadlineExceeded,
            "the time was over before a connection to the backend was made",
        ),
        Sent::Maybe | Sent::Answered => AttemptError::new(
            FailureCode::DeadlineExceeded,
            "the time was over before the backend answered",
        )
        .maybe_sent(),
    }
}

/// An error from between a connection and the head of an answer.
fn no_answer(error: legacy::Error) -> AttemptError {
    let from_hyper = find::<hyper::Error>(&error);
    if error.is_connect() {
        // A connection that had died idle was to be replaced.
        return not_connected(error);
    }
    if from_hyper.is_some_and(hyper::Error::is_canceled) {
        let message = "the connection to the backend was closed before the request was sent";
        return AttemptError::new(FailureCode::Unavailable, message).because(error);
    }
    if from_hyper.is_some_and(hyper::Error::is_parse) {
        let message = "the backend's answer is not HTTP";
        return AttemptError::new(FailureCode::BackendError, message).maybe_sent().because(error);
    }
    let message = "the backend closed the connection before it answered";
    AttemptError::new(FailureCode::Unavailable, message).maybe_sent().because(error)
}

fn not_connected(error: legacy::Error) -> AttemptError {
    let (why, retry) = if let Some(TimedOut(timeout)) = find::<TimedOut>(&error) {
        (format!("no connection was made within {timeout:?}"), RetryAdvice::SameInput)
    } else if let Some(rustls::Error::InvalidCertificate(_)) = find::<rustls::Error>(&error) {
        (
            "its certificate is not trusted; its operator must mend that".to_owned(),
            RetryAdvice::Never,
        )
    } else {
        match find::<std::io::Error>(&error).map(std::io::Error::kind) {
            Some(std::io::ErrorKind::ConnectionRefused) => {
                ("the connection was refused".to_owned(), RetryAdvice::SameInput)
            }
            _ => ("no connection could be made".to_owned(), RetryAdvice::SameInput),
        }
    };
    AttemptError::new(FailureCode::Unavailable, format!("the backend cannot be reached: {why}"))
        .with_retry(retry)
        .because(error)
}

/// The first error of that type among `error` and its causes, `io::Error`s'
/// contents included.
fn find<'a, E: std::error::Error + 'static>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        next = match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}
