//! TLS handshakes, beside the accept loop.
//!
//! Each is a task with a time of its own, so that a peer that says nothing holds
//! up nobody. There is a bound on how many there are; once it is reached, the
//! oldest gives way as soon as it had a second, which whoever means it needs at
//! the most.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::AbortHandle,
    time::{Sleep, sleep_until, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Certificate, Peer,
    tls::{Current, HTTP2},
};
use crate::{
    clock::{self, Instant},
    drain::Drain,
};

/// How long a handshake may take.
const TIME: Duration = Duration::from_secs(10);
/// How many there may be at once: a few KiB and a descriptor each.
const HANDSHAKES_MAX: usize = 512;
/// How long a handshake has at least when others wait.
const TURN: Duration = Duration::from_secs(1);
/// How long a peer that was refused has to read why.
const PARTING: Duration = Duration::from_secs(1);
/// How often at most the log is told of handshakes that failed.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// A connection that is through.
pub(super) type Shaken = (Box<TlsStream<TcpStream>>, Peer);

/// A handshake's number and its end; `None` where it was given up.
type Ended = (u64, Option<Result<Shaken, Failure>>);

/// The handshakes of a listener. They end when it does.
#[derive(Debug)]
pub(super) struct Handshakes {
    current: Current,
    drain: Drain,
    most: usize,
    running: FuturesUnordered<BoxFuture<'static, Ended>>,
    /// The same by number, the oldest first.
    begun: BTreeMap<u64, (Instant, AbortHandle)>,
    next: u64,
    /// Until the oldest had its turn.
    full: Option<Pin<Box<Sleep>>>,
    log: Log,
}

/// Why a handshake failed.
#[derive(Debug)]
struct Failure {
    address: SocketAddr,
    cause: io::Error,
}

impl Handshakes {
    /// Serves new connections with what is current; the tasks are `drain`'s.
    pub(super) fn new(current: Current, drain: Drain) -> Self {
        Self {
            current,
            drain,
            most: HANDSHAKES_MAX,
            running: FuturesUnordered::new(),
            begun: BTreeMap::new(),
            next: 0,
            full: None,
            log: Log::default(),
        }
    }

    /// No more than so many at once.
    pub(super) fn at_most(mut self, most: usize) -> Self {
        self.most = self.most.min(most);
        self
    }

    /// Begins one. There must be [room](Self::poll_room).
    pub(super) fn begin(&mut self, stream: TcpStream, address: SocketAddr) {
        let number = self.next;
        self.next += 1;
        let task = AbortOnDropHandle::new(self.drain.spawn(handshake(
            self.current.get(),
            stream,
            address,
        )));
        self.begun.insert(number, (clock::now(), task.abort_handle()));
        self.running.push(Box::pin(async move { (number, task.await.ok()) }));
    }

    /// The next that is through.
    pub(super) fn poll_through(&mut self, context: &mut Context<'_>) -> Poll<Shaken> {
        while let Some((number, end)) = ready!(self.running.poll_next_unpin(context)) {
            self.begun.remove(&number);
            match end {
                Some(Ok(shaken)) => return Poll::Ready(shaken),
                Some(Err(failure)) => self.log.tell(&failure),
                None => {}
            }
        }
        Poll::Pending
    }

    /// Ready when another may begin.
    pub(super) fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while self.begun.len() >= self.most {
            let Some((begun, oldest)) = self.begun.first_entry().map(|entry| entry.get().clone())
            else {
                break;
            };
            let full = self.full.get_or_insert_with(|| Box::pin(sleep_until(begun + TURN)));
            ready!(full.as_mut().poll(context));
            self.full = None;
            if clock::now() >= begun + TURN {
                oldest.abort();
                self.begun.pop_first();
            }
        }
        self.full = None;
        Poll::Ready(())
    }
}

async fn handshake(
    config: Arc<ServerConfig>,
    stream: TcpStream,
    address: SocketAddr,
) -> Result<Shaken, Failure> {
    let failure = |cause| Failure { address, cause };
    let accept = TlsAcceptor::from(config).accept(stream).into_fallible();
    let stream = match timeout(TIME, accept).await {
        Ok(Ok(stream)) => stream,
        Ok(Err((cause, stream))) => {
            part(stream).await;
            return Err(failure(cause));
        }
        Err(_) => return Err(failure(io::ErrorKind::TimedOut.into())),
    };
    let (_, connection) = stream.get_ref();
    if connection.alpn_protocol() != Some(HTTP2) {
        return Err(failure(io::Error::other("the client does not ask for HTTP/2 (ALPN `h2`)")));
    }
    let certificate = connection.peer_certificates().and_then(|chain| chain.first());
    let certificate = certificate.and_then(Certificate::read).map(Arc::new);
    Ok((Box::new(stream), Peer::Tcp { address, certificate }))
}

/// Lets a peer that was refused read the alert that says why: closing a socket
/// while bytes of the peer's are unread would reset the connection before.
async fn part(mut stream: TcpStream) {
    let read = async {
        let mut rest = [0; 1 << 10];
        if stream.shutdown().await.is_ok() {
            for _ in 0..64 {
                if !matches!(stream.read(&mut rest).await, Ok(1..)) {
                    return;
                }
            }
        }
    };
    // It goes in any case.
    let _ = timeout(PARTING, read).await;
}

/// What the log is told: strangers shall not fill it.
#[derive(Debug, Default)]
struct Log {
    told: Option<Instant>,
    untold: u64,
}

impl Log {
    fn tell(&mut self, Failure { address, cause }: &Failure) {
        let now = clock::now();
        // Whoever only tries the port, a load balancer for instance, is no failure.
        let is_probe = cause.kind() == io::ErrorKind::UnexpectedEof;
        if is_probe || self.told.is_some_and(|told| now - told < TELL_EVERY) {
            self.untold += u64::from(!is_probe);
            tracing::debug!(peer.address = %address, error = %cause, "A TLS handshake failed.");
            return;
        }
        self.told = Some(now);
        tracing::warn!(
            peer.address = %address,
            error = %cause,
            untold = self.untold,
            "A TLS handshake failed.",
        );
        self.untold = 0;
    }
}

#[cfg(test)]
mod tests;
