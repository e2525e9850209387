//! How many connections a listener has open, and which of them gives way.
//!
//! Whoever can reach a listener can hold connections open that never call anything, and
//! each takes a descriptor. So their number is bounded, and at the bound the oldest of
//! those on which nobody was let in yet ends for a newcomer; where there are none, of
//! those on which nobody would be let in any more.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use super::Peer;
use crate::clock::{self, Instant};

/// Between two looks at whether callers still are. Each costs some nanoseconds for each
/// connection, and whoever cannot come in tries again.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The open connections of a listener. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub(super) struct Crowd {
    most: usize,
    open: Arc<Mutex<Open>>,
}

#[derive(Debug, Default)]
struct Open {
    count: usize,
    next: u64,
    /// How those end on which nobody was let in, the oldest first.
    strangers: BTreeMap<u64, CancellationToken>,
    callers: BTreeMap<u64, Known>,
    looked_at: Option<Instant>,
    /// The one that was told to go and has not gone yet.
    leaving: Option<u64>,
    /// Who waits for that.
    waiting: Option<Waker>,
}

/// A connection on which somebody was let in.
#[derive(Debug)]
struct Known {
    end: CancellationToken,
    about: Arc<About>,
    vouched: Box<dyn Vouched>,
}

/// What somebody was let in by.
pub(in crate::rpc) trait Vouched: fmt::Debug + Send + Sync {
    /// Whether somebody would be now.
    fn holds(&self) -> bool;
}

impl Crowd {
    /// At most so many.
    pub(super) fn new(most: usize) -> Self {
        Self { most, open: Arc::default() }
    }

    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// Whether one more would be one too many.
    pub(super) fn is_full(&self) -> bool {
        self.lock().count >= self.most
    }

    /// A place for a newcomer, which is cut when `cut` is cancelled: at once where there
    /// is one, else when a stranger has gone. `None` where there are no strangers.
    pub(super) fn poll_enter(
        &self,
        cut: &CancellationToken,
        context: &mut Context<'_>,
    ) -> Poll<Option<Place>> {
        let mut open = self.lock();
        if open.count < self.most {
            let (number, end) = (open.next, cut.child_token());
            open.next += 1;
            open.count += 1;
            open.strangers.insert(number, end.clone());
            drop(open);
            let about = About { crowd: self.clone(), number, standing: AtomicU8::new(STRANGER) };
            return Poll::Ready(Some(Place { about: Arc::new(about), end }));
        }
        let mut told = None;
        if open.leaving.is_none() {
            if open.strangers.is_empty() {
                open.look_at_callers(clock::now());
            }
            match open.strangers.pop_first() {
                None => return Poll::Ready(None),
                Some((number, end)) => {
                    open.leaving = Some(number);
                    told = Some(end);
                }
            }
        }
        open.waiting = Some(context.waker().clone());
        drop(open);
        if let Some(end) = told {
            end.cancel();
        }
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Those on which nobody would be let in any more are strangers' from now on, until
    /// somebody is.
    fn look_at_callers(&mut self, now: Instant) {
        if self.looked_at.is_some_and(|at| now.saturating_duration_since(at) < LOOK_EVERY) {
            return;
        }
        self.looked_at = Some(now);
        let strangers = &mut self.strangers;
        self.callers.retain(|number, Known { end, about, vouched }| {
            let holds = vouched.holds();
            if !holds {
                about.standing.store(PROBE, Ordering::Relaxed);
                strangers.insert(*number, end.clone());
            }
            holds
        });
    }
}

/// Nothing was asked that anybody was let in for.
const STRANGER: u8 = 0;
/// Health was asked, as anybody may; or an RPC was let in that would not be any more.
const PROBE: u8 = 1;
/// An RPC was let in.
const CALLER: u8 = 2;

#[derive(Debug)]
struct About {
    crowd: Crowd,
    number: u64,
    standing: AtomicU8,
}

/// An open connection's place in the crowd, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    about: Arc<About>,
    /// Ends the connection.
    pub(super) end: CancellationToken,
}

impl Place {
    pub(super) fn visitor(&self, peer: Peer) -> Visitor {
        Visitor { peer, about: Arc::clone(&self.about) }
    }

    /// Whether it has nothing to wait for yet.
    pub(super) fn is_strangers(&self) -> bool {
        self.about.standing.load(Ordering::Relaxed) == STRANGER
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let number = self.about.number;
        let mut open = self.about.crowd.lock();
        open.count -= 1;
        open.strangers.remove(&number);
        let known = open.callers.remove(&number);
        if open.leaving == Some(number) {
            open.leaving = None;
        }
        let waiting = open.waiting.take();
        drop(open);
        // It holds what this is of, and what somebody was let in by.
        drop(known);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }
}

/// Who made a connection, and whether anybody was let in on it. It is in the extensions
/// of each of its requests.
#[derive(Clone, Debug)]
pub struct Visitor {
    peer: Peer,
    about: Arc<About>,
}

impl Visitor {
    /// Who made it.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// An RPC was let in: the connection stays as long as its peer likes, and as what it
    /// was let in by holds.
    pub(in crate::rpc) fn let_in_by<V: Vouched + 'static>(&self, vouched: impl FnOnce() -> V) {
        let About { crowd, number, standing } = &*self.about;
        if standing.load(Ordering::Relaxed) == CALLER {
            return;
        }
        let (vouched, about) = (Box::new(vouched()), Arc::clone(&self.about));
        let mut open = crowd.lock();
        standing.store(CALLER, Ordering::Relaxed);
        // One that was told to go goes.
        if let Some(end) = open.strangers.remove(number) {
            open.callers.insert(*number, Known { end, about, vouched });
        }
    }

    /// Health was asked: it may wait for news, and gives way as before.
    pub(in crate::rpc) fn asks_health(&self) {
        let standing = &self.about.standing;
        // Where it is something else already, that holds.
        let _ = standing.compare_exchange(STRANGER, PROBE, Ordering::Relaxed, Ordering::Relaxed);
    }
}

#[cfg(test)]
pub(in crate::rpc) mod tests {
    use std::{future::poll_fn, sync::atomic::AtomicBool};

    use futures_util::{FutureExt, poll};

    use super::*;

    /// Whether somebody would be let in, which may change.
    impl Vouched for Arc<AtomicBool> {
        fn holds(&self) -> bool {
            self.load(Ordering::Relaxed)
        }
    }

    impl Visitor {
        /// By what holds for ever.
        pub(in crate::rpc) fn let_in(&self) {
            self.let_in_by(|| Arc::new(AtomicBool::new(true)));
        }
    }

    pub(in crate::rpc) fn visitor(peer: Peer) -> Visitor {
        place(&Crowd::new(1)).visitor(peer)
    }

    pub(in crate::rpc::listen) fn place(crowd: &Crowd) -> Place {
        enter(crowd).expect("there is no place")
    }

    /// Gives a place that there is at once; `None` where all others are callers'.
    fn enter(crowd: &Crowd) -> Option<Place> {
        let cut = CancellationToken::new();
        poll_fn(|context| crowd.poll_enter(&cut, context)).now_or_never().expect("it waits")
    }

    fn peer() -> Peer {
        Peer::Unix { uid: 1, gid: 1, pid: None }
    }

    #[tokio::test]
    async fn the_oldest_stranger_gives_way_and_the_newcomer_waits_until_it_has() {
        let crowd = Crowd::new(3);
        let [caller, first, second] = [(); 3].map(|()| place(&crowd));
        caller.visitor(peer()).let_in();
        first.visitor(peer()).asks_health();
        let cut = CancellationToken::new();
        let mut newcomer = Box::pin(poll_fn(|context| crowd.poll_enter(&cut, context)));
        for _ in 0..3 {
            assert!(poll!(&mut newcomer).is_pending());
            let ended = [&caller, &first, &second].map(|place| place.end.is_cancelled());
            assert_eq!(ended, [false, true, false]);
        }
        drop(first);
        let newcomer = newcomer.await.unwrap();
        assert!(!second.end.is_cancelled() && !newcomer.end.is_cancelled());
    }

    #[tokio::test]
    async fn where_all_are_callers_there_is_no_place_until_one_goes() {
        let crowd = Crowd::new(2);
        let [first, second] = [(); 2].map(|()| place(&crowd));
        for place in [&first, &second] {
            place.visitor(peer()).let_in();
            place.visitor(peer()).asks_health();
        }
        assert!(enter(&crowd).is_none());
        drop(first);
        let newcomer = place(&crowd);
        assert!(!second.end.is_cancelled());
        drop((second, newcomer));
        let open = crowd.lock();
        assert_eq!((open.count, open.strangers.len(), open.callers.len()), (0, 0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn those_whose_callers_are_none_any_more_give_way_until_somebody_is_let_in_anew() {
        let crowd = Crowd::new(3);
        let places = [(); 3].map(|()| place(&crowd));
        let right = Arc::new(AtomicBool::new(true));
        for place in &places {
            place.visitor(peer()).let_in_by(|| Arc::clone(&right));
        }
        let [first, second, third] = places;
        third.visitor(peer()).let_in();
        assert!(enter(&crowd).is_none());
        right.store(false, Ordering::Relaxed);
        assert!(enter(&crowd).is_none(), "it was looked at just now");
        tokio::time::advance(LOOK_EVERY).await;
        let cut = CancellationToken::new();
        let mut newcomer = Box::pin(poll_fn(|context| crowd.poll_enter(&cut, context)));
        assert!(poll!(&mut newcomer).is_pending());
        let ended = [&first, &second, &third].map(|place| place.end.is_cancelled());
        assert_eq!(ended, [true, false, false]);
        // They have no time of their own to show somebody, which is for newcomers.
        assert!(!second.is_strangers());
        second.visitor(peer()).let_in();
        drop(first);
        let newcomer = newcomer.await.unwrap();
        newcomer.visitor(peer()).let_in();
        let mut next = Box::pin(poll_fn(|context| crowd.poll_enter(&cut, context)));
        assert!(poll!(&mut next).is_pending());
        let ended = [&second, &third].map(|place| place.end.is_cancelled());
        assert_eq!(ended, [false, true]);
        drop(third);
        drop((next.await.unwrap(), second, newcomer));
        let open = crowd.lock();
        assert_eq!((open.count, open.strangers.len(), open.callers.len()), (0, 0, 0));
    }

    #[tokio::test]
    async fn whoever_goes_first_makes_room() {
        let crowd = Crowd::new(2);
        let [first, second] = [(); 2].map(|()| place(&crowd));
        let cut = CancellationToken::new();
        let mut newcomer = Box::pin(poll_fn(|context| crowd.poll_enter(&cut, context)));
        assert!(poll!(&mut newcomer).is_pending());
        drop(second);
        let _newcomer = newcomer.await.unwrap();
        // That the first was told to go counts for the next who comes.
        let mut next = Box::pin(poll_fn(|context| crowd.poll_enter(&cut, context)));
        assert!(poll!(&mut next).is_pending());
        drop(first);
        assert!(next.await.is_some());
    }

    #[tokio::test]
    async fn a_place_ends_with_its_listener() {
        let crowd = Crowd::new(1);
        let cut = CancellationToken::new();
        let place = poll_fn(|context| crowd.poll_enter(&cut, context)).await.unwrap();
        cut.cancel();
        assert!(place.end.is_cancelled());
    }
}
