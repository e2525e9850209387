//! Secrets that are known, and how they are kept out of texts.

use std::{
    borrow::Cow,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use aho_corasick::{AhoCorasick, MatchKind};

mod forms;

/// What stands in the place of something that is not shown.
pub const REDACTED: &str = "[redacted]";

/// Secrets that are known. Cheap to clone; all clones know the same, also what they
/// come to know later. `Debug` says only how many there are.
#[derive(Clone, Default)]
pub struct Secrets(Arc<RwLock<Option<Arc<Known>>>>);

struct Known {
    values: Vec<Box<str>>,
    /// Every form of each, longest first. None where they are too large for one
    /// search: then no text is shown at all.
    finder: Option<Finder>,
}

struct Finder {
    search: AhoCorasick,
    forms: Vec<Box<str>>,
}

impl Secrets {
    /// Fewer bytes are no secret to be sought: every text would hold them.
    pub const BYTES_MIN: usize = 4;

    /// These, where they are long enough to be sought. One that names its scheme
    /// (`Bearer …`) is known without it, too.
    pub fn new<S: AsRef<str>>(values: impl IntoIterator<Item = S>) -> Self {
        let values = values.into_iter();
        let mut known: Vec<Box<str>> =
            values.flat_map(|value| forms::credentials(value.as_ref())).collect();
        known.retain(|value| value.len() >= Self::BYTES_MIN);
        known.sort_unstable();
        known.dedup();
        if known.is_empty() {
            return Self::default();
        }
        let known = Known { finder: Finder::try_new(&known), values: known };
        Self(Arc::new(RwLock::new(Some(Arc::new(known)))))
    }

    fn known(&self) -> Option<Arc<Known>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Other secrets are known from now on, by all clones: those of both.
    pub fn become_all_of(&self, some: &Self, others: &Self) {
        let known = [some.known(), others.known()];
        let values = known.iter().flatten().flat_map(|known| &known.values);
        let all = Self::new(values).known();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = all;
    }

    /// These and one more.
    #[must_use]
    pub fn with(&self, value: &str) -> Self {
        let known = self.known();
        let values = known.iter().flat_map(|known| known.values.iter().map(|value| &**value));
        Self::new(values.chain([value]))
    }

    /// Whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.known().is_none()
    }

    /// Whether one of them is in a text, in whatever form.
    pub fn are_in(&self, text: &str) -> bool {
        let Some(known) = self.known() else { return false };
        known.finder.as_ref().is_none_or(|finder| finder.search.is_match(text))
    }

    /// The text with [`REDACTED`] in the place of each of them, in whatever form it
    /// stands there.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let Some(known) = self.known() else { return Cow::Borrowed(text) };
        let Some(Finder { search, .. }) = &known.finder else { return Cow::Borrowed(REDACTED) };
        let mut found = search.find_iter(text).peekable();
        if found.peek().is_none() {
            return Cow::Borrowed(text);
        }
        let mut shown = String::with_capacity(text.len());
        let mut end = 0;
        for one in found {
            shown.push_str(&text[end..one.start()]);
            shown.push_str(REDACTED);
            end = one.end();
        }
        shown.push_str(&text[end..]);
        // What stood around one may make another with the mark.
        if search.is_match(&shown) {
            return Cow::Borrowed(REDACTED);
        }
        Cow::Owned(shown)
    }

    /// The same of a text that goes on where it was cut: what may be the beginning
    /// of a secret at its end goes, too.
    pub fn redact_cut<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let known = self.known();
        let Some(Finder { search, forms }) = known.as_ref().and_then(|known| known.finder.as_ref())
        else {
            return self.redact(text);
        };
        let whole = search.find_iter(text).last().map_or(0, |found| found.end());
        let rest = &text[whole..];
        match forms.iter().map(|form| overlap(rest, form)).max() {
            None | Some(0) => self.redact(text),
            Some(overlap) => {
                let before = self.redact(&text[..text.len() - overlap]);
                Cow::Owned(before.into_owned() + REDACTED)
            }
        }
    }
}

impl Finder {
    fn try_new(values: &[Box<str>]) -> Option<Self> {
        let mut forms: Vec<Box<str>> = values.iter().flat_map(|value| forms::of(value)).collect();
        forms.sort_unstable();
        forms.dedup();
        let search = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(forms.iter().map(|form| form.as_bytes()));
        Some(Self { search: search.ok()?, forms })
    }
}

/// Bytes at the end of a text that a form begins with, and that are not all of it.
fn overlap(text: &str, form: &str) -> usize {
    let longest = form.len().saturating_sub(1).min(text.len());
    let (text, form) = (text.as_bytes(), form.as_bytes());
    let Some(first) = form.first() else { return 0 };
    let tail = text.len() - longest;
    memchr::memchr_iter(*first, &text[tail..])
        .map(|at| &text[tail + at..])
        .find(|end| form.starts_with(end))
        .map_or(0, <[u8]>::len)
}

impl PartialEq for Secrets {
    fn eq(&self, other: &Self) -> bool {
        let values = |of: &Self| of.known().map(|known| known.values.clone());
        values(self) == values(other)
    }
}

impl Eq for Secrets {}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.known().map_or(0, |known| known.values.len()))
    }
}

#[cfg(test)]
mod tests;
