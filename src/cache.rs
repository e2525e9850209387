//! Results of a tool that still hold.
//!
//! Only where the configuration asks for it, and only for tools that change
//! nothing. An answer is taken again for the same input of the same tenant until
//! its time is over, or until a call that may change something at the same API
//! begins: [`Writes`] says so. What others change there is not known here, which
//! is what the time is for.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    clock::Instant,
    model::{Content, Digest, Tenant},
};

mod writes;

pub use writes::{Mark, Write, Writes};

/// What an entry takes besides its content.
const ENTRY_BYTES: usize = 256;

/// How long and how much is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Settings {
    /// How long an answer holds, from the moment at which it was asked for.
    pub ttl: Duration,
    /// Most answers.
    pub entries_max: NonZeroUsize,
    /// Most bytes of all of them, their places included.
    pub bytes_max: NonZeroUsize,
}

impl Settings {
    /// Settings with the usual bounds.
    pub fn new(ttl: Duration) -> Self {
        let count = |count| NonZeroUsize::new(count).unwrap_or(NonZeroUsize::MIN);
        Self { ttl, entries_max: count(1000), bytes_max: count(16 << 20) }
    }
}

/// The answers of one tool that may still hold.
pub struct Cache {
    settings: Settings,
    writes: Arc<Writes>,
    kept: Mutex<Kept>,
}

/// How it is used.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Status {
    /// Answers that are kept.
    pub entries: usize,
    /// Their bytes.
    pub bytes: usize,
    /// Calls that an answer was there for.
    pub hits: u64,
    /// Calls that none was there for.
    pub misses: u64,
}

type Key = (Tenant, Digest);

#[derive(Debug, Default)]
struct Kept {
    entries: HashMap<Key, Entry>,
    /// By their last use, the longest ago first.
    order: BTreeMap<u64, Key>,
    /// Counts uses.
    uses: u64,
    /// Since when nothing was written that the answers do not know of.
    mark: Option<Mark>,
    bytes: usize,
    hits: u64,
    misses: u64,
}

#[derive(Debug)]
struct Entry {
    content: Vec<Content>,
    bytes: usize,
    asked_at: Instant,
    used: u64,
}

impl Cache {
    /// Nothing kept yet. `writes` are those of the tool's API.
    pub fn new(settings: Settings, writes: Arc<Writes>) -> Self {
        Self { settings, writes, kept: Mutex::default() }
    }

    /// The answer to this input, if one is kept and holds.
    pub fn get(&self, tenant: &Tenant, input: Digest, now: Instant) -> Option<Vec<Content>> {
        let key = (tenant.clone(), input);
        let mut kept = self.lock();
        kept.heed(self.writes.mark());
        if kept.entries.get(&key).is_some_and(|entry| self.is_over(entry.asked_at, now)) {
            kept.remove(&key);
        }
        let content = kept.touch(&key);
        match content {
            Some(_) => kept.hits += 1,
            None => kept.misses += 1,
        }
        content
    }

    /// Keeps an answer that was asked for at `asked_at`, when the API's writes
    /// stood at `mark`. It is not kept where one was under way then or began
    /// since, and where it alone is too large.
    pub fn put(
        &self,
        (tenant, input): (&Tenant, Digest),
        content: &[Content],
        (asked_at, mark): (Instant, Mark),
        now: Instant,
    ) {
        let bytes = ENTRY_BYTES + content.iter().map(Content::size_bytes).sum::<usize>();
        if bytes > self.settings.bytes_max.get() || self.is_over(asked_at, now) {
            return;
        }
        let key = (tenant.clone(), input);
        let content = content.iter().map(Content::to_unparsed).collect();
        let mut kept = self.lock();
        let present = self.writes.mark();
        kept.heed(present);
        if present != mark || !mark.is_quiet() {
            return;
        }
        kept.remove(&key);
        while kept.bytes + bytes > self.settings.bytes_max.get()
            || kept.entries.len() >= self.settings.entries_max.get()
            || kept.oldest().is_some_and(|oldest| self.is_over(oldest.asked_at, now))
        {
            kept.remove_oldest();
        }
        kept.insert(key, content, bytes, asked_at);
    }

    /// How long and how much is kept.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// How it is used.
    pub fn status(&self) -> Status {
        let kept = self.lock();
        let (entries, bytes) = (kept.entries.len(), kept.bytes);
        Status { entries, bytes, hits: kept.hits, misses: kept.misses }
    }

    fn is_over(&self, asked_at: Instant, now: Instant) -> bool {
        now.saturating_duration_since(asked_at) >= self.settings.ttl
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Cache {
    /// Without the answers, which are nobody else's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.status();
        f.debug_tuple("Cache").field(&self.settings).field(&status).finish()
    }
}

impl Kept {
    /// Lets everything go that was read before the last write.
    fn heed(&mut self, present: Mark) {
        if self.mark != Some(present) {
            self.mark = Some(present);
            self.entries.clear();
            self.order.clear();
            self.bytes = 0;
        }
    }

    fn touch(&mut self, key: &Key) -> Option<Vec<Content>> {
        let entry = self.entries.get_mut(key)?;
        self.uses += 1;
        self.order.remove(&entry.used);
        self.order.insert(self.uses, key.clone());
        entry.used = self.uses;
        Some(entry.content.iter().map(Content::to_unparsed).collect())
    }

    fn insert(&mut self, key: Key, content: Vec<Content>, bytes: usize, asked_at: Instant) {
        self.uses += 1;
        self.bytes += bytes;
        self.order.insert(self.uses, key.clone());
        self.entries.insert(key, Entry { content, bytes, asked_at, used: self.uses });
    }

    fn oldest(&self) -> Option<&Entry> {
        self.order.values().next().and_then(|key| self.entries.get(key))
    }

    fn remove_oldest(&mut self) {
        if let Some((_, key)) = self.order.first_key_value() {
            let key = key.clone();
            self.remove(&key);
        }
    }

    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.entries.remove(key) {
            self.order.remove(&entry.used);
            self.bytes -= entry.bytes;
        }
    }
}

#[cfg(test)]
mod tests;
