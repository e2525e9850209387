//! The bounded way to the exporter's thread, which is woken when that is worth it.
//!
//! A thread that is woken for every item costs whoever calls it more than the item
//! does: a system call for the one, two switches of context for the other. So the
//! first item after a rest wakes it, and after that only a message's worth of them;
//! what comes in between is found when it looks.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::{Notify, mpsc};

use super::tracer::Item;

/// Where items go in. Never waits.
#[derive(Debug)]
pub(super) struct Queue {
    items: mpsc::Sender<Item>,
    waiting: Arc<Waiting>,
}

/// Where they come out.
#[derive(Debug)]
pub(super) struct Items {
    items: mpsc::Receiver<Item>,
    waiting: Arc<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    /// Spans, about: what the items count for.
    weight: AtomicUsize,
    /// So many are worth waking the thread for.
    enough: usize,
    is_enough: Notify,
}

/// A queue of at most so many items, whose thread is woken for so many spans.
pub(super) fn queue(items_max: usize, enough: usize) -> (Queue, Items) {
    let (sender, receiver) = mpsc::channel(items_max.max(1));
    let weight = AtomicUsize::new(0);
    let waiting = Arc::new(Waiting { weight, enough: enough.max(1), is_enough: Notify::new() });
    let queue = Queue { items: sender, waiting: Arc::clone(&waiting) };
    (queue, Items { items: receiver, waiting })
}

impl Queue {
    /// Gives the item back where there is no room for it, or nobody to take it.
    pub(super) fn try_send(&self, item: Item) -> Result<(), Item> {
        let weight = item.weight();
        // Before it is in, since it may be out at once.
        let before = self.waiting.weight.fetch_add(weight, Ordering::Relaxed);
        if let Err(
            mpsc::error::TrySendError::Full(item) | mpsc::error::TrySendError::Closed(item),
        ) = self.items.try_send(item)
        {
            self.waiting.left(weight);
            return Err(item);
        }
        let enough = self.waiting.enough;
        if before < enough && before + weight >= enough {
            self.waiting.is_enough.notify_one();
        }
        Ok(())
    }
}

impl Items {
    /// The next item, as soon as there is one; none once nobody can send any.
    pub(super) async fn recv(&mut self) -> Option<Item> {
        let item = self.items.recv().await;
        item.inspect(|item| self.waiting.left(item.weight()))
    }

    /// The next item, where there is one already.
    pub(super) fn try_recv(&mut self) -> Option<Item> {
        let item = self.items.try_recv().ok();
        item.inspect(|item| self.waiting.left(item.weight()))
    }

    /// Ready when enough of them wait.
    pub(super) async fn enough(&self) {
        while self.waiting.weight.load(Ordering::Relaxed) < self.waiting.enough {
            // One that came since then has left its mark.
            self.waiting.is_enough.notified().await;
        }
    }

    /// Nothing more comes in.
    pub(super) fn close(&mut self) {
        self.items.close();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.items.is_closed()
    }
}

impl Waiting {
    fn left(&self, weight: usize) {
        self.weight.fetch_sub(weight, Ordering::Relaxed);
    }
}
