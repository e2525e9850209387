//! `ServeTools`: the conversation with a worker.
//!
//! Two halves: what goes out is the RPC's response, which its connection polls; what
//! comes in is read by a task, so that a worker that does not read is noticed all
//! the same. Either half ends the other.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio_stream::Stream;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Status, Streaming};

use super::{auth::Pass, decode, encode, status};
use crate::{
    backend::worker::{Lost, Orders},
    clock::{self, Instant},
    drain::Drain,
    proto::v1::{self, serve_tools_request::Message},
    registry::{self, Member, Refused},
    schedule::{Refusal, Scheduler, Violation},
};

mod standing;

use standing::Standing;

/// How long a worker may take to say who it is.
const HELLO_WITHIN: Duration = Duration::from_secs(10);
/// A timer that is later than this says that the process itself stood still.
const STALL_MIN: Duration = Duration::from_millis(250);
/// When a worker that is not let in may come again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What goes out to a worker.
pub(super) struct Told {
    orders: Orders,
    evicted: CancellationToken,
    /// What it is told at the end, where it was sent away.
    standing: Option<Arc<Standing>>,
    /// Tells the other half that nobody reads any more.
    _unread: DropGuard,
}

impl Stream for Told {
    type Item = Result<v1::ServeToolsResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let order = ready!(Pin::new(&mut self.orders).poll_next(context));
        Poll::Ready(match order {
            Some(order) => Some(Ok(encode::worker::order(order, clock::now()))),
            None if self.evicted.is_cancelled() => self.standing.take().map(|standing| {
                // It may be known again by now, and comes back then.
                Err(standing.objection().unwrap_or_else(status::another_by_now))
            }),
            None => None,
        })
    }
}

/// Lets a worker of the pass's caller in. `idle` is ready once no more attempts come, since
/// the process is ending.
///
/// # Errors
///
/// Everything that is wrong with what it says of itself; that it offers what its caller
/// may not; or that there is no room for it.
pub(super) async fn serve(
    scheduler: &Scheduler,
    pass: Pass,
    mut heard: Streaming<v1::ServeToolsRequest>,
    idle: impl Future<Output = ()> + Send + 'static,
) -> Result<Told, Status> {
    let drain = scheduler.drain();
    let hello = first(&mut heard, drain).await?;
    let caller = pass.caller()?;
    let registry = scheduler.registry();
    let (offers, pool) = (registry.offers(), registry.pool());
    let hello =
        decode::worker::hello(hello, &caller, offers, pool.settings()).map_err(status::refused)?;
    // Before anything is said of names that others have taken.
    let names = hello.tools.iter().map(|offered| offered.settings.name.clone()).collect();
    let standing = Arc::new(Standing::new(pass, caller, names));
    if let Some(objection) = standing.objection() {
        return Err(objection);
    }
    let (tools, session) = (hello.tools.len(), hello.session.clone());
    let name = hello.name.clone();
    let (member, orders) = registry
        .join(hello, Arc::clone(&standing) as Arc<dyn registry::Standing>)
        .map_err(|refused| why(refused, &standing))?;
    tracing::info!(
        worker = &*name,
        session.id = session.as_ref().map(tracing::field::display),
        tools,
        "A worker offers its tools"
    );
    let unread = CancellationToken::new();
    let evicted = member.evicted().clone();
    let guard = unread.clone().drop_guard();
    let told = Told { orders, evicted, standing: Some(standing), _unread: guard };
    let every = pool.settings().heartbeat;
    let result_bytes_max = pool.settings().result_bytes_max;
    let drain = drain.clone();
    let task_owner = drain.clone();
    let conversation = Conversation { heard, member, every, result_bytes_max, unread, drain };
    task_owner.detach(async move {
        let (member, why) = conversation.run(idle).await;
        tracing::info!(worker = &*name, why = why.words(), "A worker is gone");
        member.leave(why);
    });
    Ok(told)
}

/// The first thing that a worker says.
async fn first(
    heard: &mut Streaming<v1::ServeToolsRequest>,
    drain: &Drain,
) -> Result<v1::WorkerHello, Status> {
    let missing = |what: &str| {
        let description = format!("{what}: the first message says who the worker is");
        let field = "hello".to_owned();
        status::refused(Refusal::Invalid(vec![Violation { field, description }]))
    };
    let message = tokio::select! {
        biased;
        () = drain.draining().cancelled() => {
            return Err(status::refused(Refusal::Draining { retry_after: RETRY_AFTER }));
        }
        message = heard.message() => message?,
        () = clock::sleep_until(clock::now() + HELLO_WITHIN) => {
            return Err(missing(&format!("did not come within {HELLO_WITHIN:?}")));
        }
    };
    match message.and_then(|message| message.message) {
        Some(Message::Hello(hello)) => Ok(hello),
        Some(_) => Err(missing("is not what came first")),
        None => Err(missing("is missing")),
    }
}

fn why(refused: Refused, standing: &Standing) -> Status {
    status::refused(match refused {
        // Who may call was changed just now.
        Refused::Fallen => return standing.objection().unwrap_or_else(status::another_by_now),
        Refused::Full(what) => Refusal::Exhausted { what, retry_after: RETRY_AFTER },
        Refused::Tools(clashes) => {
            let violation = |(place, description)| Violation {
                field: format!("{}.name", decode::worker::tool_path(place)),
                description,
            };
            Refusal::Invalid(clashes.into_iter().map(violation).collect())
        }
    })
}

/// What is heard of a worker, until it is gone.
struct Conversation {
    heard: Streaming<v1::ServeToolsRequest>,
    member: Member,
    /// Between two heartbeats.
    every: Duration,
    result_bytes_max: std::num::NonZeroUsize,
    unread: CancellationToken,
    drain: Drain,
}

impl Conversation {
    async fn run(mut self, idle: impl Future<Output = ()>) -> (Member, Lost) {
        let Self { drain, unread, every, .. } = &self;
        let (drain, unread, every) = (drain.clone(), unread.clone(), *every);
        let evicted = self.member.evicted().clone();
        let no_more = async {
            drain.draining().cancelled().await;
            idle.await;
        };
        tokio::pin!(no_more);
        let mut is_dismissed = false;
        let mut beat_at = clock::now() + every;
        let mut silence = Silence::new(every, clock::now());
        let why = loop {
            tokio::select! {
                biased;
                () = drain.killed().cancelled() => break Lost::Shutdown,
                () = evicted.cancelled() => break Lost::Revoked,
                () = unread.cancelled() => {
                    break if is_dismissed { Lost::Shutdown } else { Lost::Cut };
                }
                () = &mut no_more, if !is_dismissed => {
                    is_dismissed = true;
                    self.with(|seat| seat.dismiss());
                }
                () = clock::sleep_until(beat_at) => {
                    beat_at = clock::now() + every;
                    self.with(|seat| seat.beat());
                }
                message = self.heard.message() => {
                    let now = clock::now();
                    silence.broken(now);
                    self.with(|seat| seat.heard(now));
                    match message {
                        Ok(Some(message)) => {
                            if let Err(why) = self.hear(message.message) {
                                break why;
                            }
                        }
                        Ok(None) => break self.closed(),
                        Err(status) => {
                            tracing::debug!(%status, "A worker's stream broke");
                            break Lost::Cut;
                        }
                    }
                }
                () = clock::sleep_until(silence.ends_at()) => {
                    if let Some(lasted) = silence.ended(clock::now()) {
                        break Lost::Hung(lasted);
                    }
                }
            }
        };
        (self.member, why)
    }

    /// The worker says nothing any more.
    fn closed(&self) -> Lost {
        let is_done = self.member.seat().is_some_and(|seat| seat.is_done());
        if is_done { Lost::Drained } else { Lost::Left }
    }

    fn hear(&mut self, message: Option<Message>) -> Result<(), Lost> {
        match message {
            Some(Message::Result(result)) => {
                let id = result.attempt_id;
                let answer = decode::worker::answer(result, self.result_bytes_max);
                if self.member.seat().is_some_and(|seat| !seat.answer(id, answer)) {
                    tracing::debug!(attempt.id = id, "An answer came that nobody waits for");
                }
            }
            Some(Message::Progress(progress)) => {
                let (id, progress) = decode::worker::progress(progress);
                self.with(|seat| {
                    seat.progress(id, progress);
                });
            }
            Some(Message::Heartbeat(v1::WorkerHeartbeat {})) => {}
            Some(Message::Drain(v1::WorkerDrain {})) => self.member.drain(),
            // What a later version says is not for us.
            None => {}
            Some(Message::Hello(_)) => return Err(Lost::Faulty),
        }
        Ok(())
    }

    fn with(&self, work: impl FnOnce(&crate::backend::worker::Seat)) {
        if let Some(seat) = self.member.seat() {
            work(seat);
        }
    }
}

/// How long a worker was not heard.
struct Silence {
    since: Instant,
    most: Duration,
}

impl Silence {
    fn new(every: Duration, now: Instant) -> Self {
        Self { since: now, most: 2 * every }
    }

    fn broken(&mut self, now: Instant) {
        self.since = now;
    }

    fn ends_at(&self) -> Instant {
        self.since + self.most
    }

    /// How long it lasted, once it was too long. Where this process itself stood
    /// still, nobody could be heard: the silence begins anew.
    fn ended(&mut self, now: Instant) -> Option<Duration> {
        let late = now.saturating_duration_since(self.ends_at());
        if late > self.most / 4 + STALL_MIN {
            self.since = now;
            return None;
        }
        Some(now - self.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[tokio::test(start_paused = true)]
    async fn a_silence_of_two_heartbeats_is_the_end() {
        let began = clock::now();
        let mut silence = Silence::new(MS(5_000), began);
        assert_eq!(silence.ends_at(), began + MS(10_000));
        silence.broken(began + MS(9_000));
        assert_eq!(silence.ends_at(), began + MS(19_000));
        assert_eq!(silence.ended(began + MS(19_001)), Some(MS(10_001)));
    }

    #[tokio::test(start_paused = true)]
    async fn while_this_process_stood_still_nobody_is_taken_for_lost() {
        let began = clock::now();
        let mut silence = Silence::new(MS(100), began);
        // Two heartbeats, a quarter of that, and what a busy machine takes.
        assert_eq!(silence.ended(began + MS(501)), None);
        assert_eq!(silence.ends_at(), began + MS(701), "it has two heartbeats more");
        assert_eq!(silence.ended(began + MS(901)), Some(MS(400)));
    }
}
