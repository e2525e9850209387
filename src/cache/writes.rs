//! What is known of the writes to an API: whether something read before is still
//! what would be read now.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// The writes that this process makes to one API.
///
/// Everything is one number, so that nobody sees half of a change: above, how
/// often a write began or ended; below, how many are under way.
#[derive(Debug, Default)]
pub struct Writes(AtomicU64);

/// What one beginning or end adds above.
const CHANGE: u64 = 1 << 32;
/// The part below.
const UNDER_WAY: u64 = CHANGE - 1;

/// A moment, as far as writes can tell one from another: two marks are equal
/// where no write of the API began or ended between them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Mark(u64);

/// A write under way. It has ended when this is dropped.
#[derive(Debug)]
pub struct Write(Arc<Writes>);

impl Writes {
    /// The present moment.
    pub fn mark(&self) -> Mark {
        Mark(self.0.load(Ordering::SeqCst))
    }

    /// A write begins: what was read before may not be what would be read now.
    pub fn begin(self: &Arc<Self>) -> Write {
        self.0.fetch_add(CHANGE + 1, Ordering::SeqCst);
        Write(Arc::clone(self))
    }
}

impl Mark {
    /// Whether no write was under way. One that was may have been seen or not,
    /// and nobody knows which.
    pub fn is_quiet(self) -> bool {
        self.0 & UNDER_WAY == 0
    }
}

impl Drop for Write {
    fn drop(&mut self) {
        self.0.0.fetch_add(CHANGE - 1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_another_once_a_write_has_begun_and_once_it_has_ended() {
        let writes = Arc::new(Writes::default());
        let before = writes.mark();
        assert_eq!(before, writes.mark());
        let (one, other) = (writes.begin(), writes.begin());
        let during = writes.mark();
        assert_ne!(before, during);
        drop(one);
        assert!(!writes.mark().is_quiet() && writes.mark() != during);
        drop(other);
        let after = writes.mark();
        assert!(before.is_quiet() && !during.is_quiet() && after.is_quiet());
        assert_ne!(before, after);
    }
}
