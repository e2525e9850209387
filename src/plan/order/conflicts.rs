//! Which calls touch the same resource.
//!
//! Two calls conflict where one of them writes what the other reads or writes.
//! Of all such pairs only those are told that do not follow from others: who
//! writes waits for those that have read since the last writer, or for that
//! writer; who reads, for the last writer.
//!
//! While a name is not known, it is a *pattern* that may come to be any name
//! that fits. Each pattern keeps its own books of what may come to be the same
//! as it. Work and edges are linear in the claims: there are few patterns
//! ([`PATTERNS_MAX`], wider ones take the place of more), and where many wait
//! for the same many, one of them waits for all and the others for that one.

use std::collections::HashMap;

use crate::{
    model::{Access, Claim, ClaimKey},
    plan::Call,
};

/// Patterns that are told apart in a turn.
const PATTERNS_MAX: usize = 16;

/// So many calls are waited for one by one. Of more, the second that waits for
/// them waits for the first that did, which a reader need not have done.
const ONE_BY_ONE_MAX: usize = 32;

/// A call and what it claims.
type Item<'a> = (usize, &'a Claim);

/// Two calls of which the second is to come after the first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Conflict<'a> {
    pub(super) from: Item<'a>,
    pub(super) to: Item<'a>,
    /// Both names are known, and the same.
    pub(super) is_certain: bool,
}

/// The conflicts of the calls in this sequence.
pub(super) fn find<'a>(
    calls: &[Call<'a>],
    sequence: impl Iterator<Item = usize>,
) -> Vec<Conflict<'a>> {
    let mut books = Books::new(calls);
    for (at, call) in sequence.enumerate() {
        let claims = calls[call].claims;
        let classes: Vec<Class> = claims.iter().map(|claim| books.names.class(claim)).collect();
        for (claim, class) in claims.iter().zip(&classes) {
            books.wait((call, claim), *class);
        }
        for (claim, class) in claims.iter().zip(&classes) {
            books.enter((call, claim), *class, at);
        }
    }
    books.found
}

/// What a claim is of, by number.
#[derive(Clone, Copy, Debug)]
enum Class {
    Name(usize),
    Pattern(usize),
}

/// The names and patterns of a turn.
struct Names<'a> {
    names: HashMap<&'a str, usize>,
    patterns: HashMap<&'a [std::sync::Arc<str>], usize>,
}

/// Who last wrote, and who has read since.
#[derive(Default)]
struct History<'a> {
    writer: Option<Item<'a>>,
    /// When it came.
    written_at: Option<usize>,
    readers: Group<'a>,
    /// Patterns that may come to be the same, a bit for each.
    alike: u16,
}

/// A pattern.
#[derive(Default)]
struct Pattern<'a> {
    own: History<'a>,
    /// When its last claim came.
    last_at: Option<usize>,
    /// Since its last writer: what may come to be the same.
    writers: Group<'a>,
    readers: Group<'a>,
}

/// Calls that others wait for.
#[derive(Default)]
struct Group<'a> {
    /// Each with its class and when it came.
    members: Vec<(Item<'a>, Class, usize)>,
    /// Who has waited for so many of them, the first ones.
    gate: Option<(Item<'a>, usize)>,
}

struct Books<'a> {
    names: Names<'a>,
    histories: Vec<History<'a>>,
    patterns: Vec<Pattern<'a>>,
    found: Vec<Conflict<'a>>,
}

impl<'a> Names<'a> {
    fn class(&self, claim: &Claim) -> Class {
        match &claim.key {
            ClaimKey::Known(name) => Class::Name(self.names.get(&**name).copied().unwrap_or(0)),
            ClaimKey::Unknown(pieces) => {
                Class::Pattern(self.patterns.get(&**pieces).copied().unwrap_or(0))
            }
        }
    }
}

impl<'a> Books<'a> {
    /// Nothing has come yet.
    fn new(calls: &[Call<'a>]) -> Self {
        let mut names = Names { names: HashMap::new(), patterns: HashMap::new() };
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for claim in calls.iter().flat_map(|call| call.claims) {
            match &claim.key {
                ClaimKey::Known(name) => {
                    names.names.entry(name).or_insert_with(|| {
                        known.push(&claim.key);
                        known.len() - 1
                    });
                }
                ClaimKey::Unknown(pieces) => {
                    names.patterns.entry(pieces).or_insert_with(|| {
                        unknown.push(claim.key.clone());
                        unknown.len() - 1
                    });
                }
            }
        }
        let unknown = widen(unknown, &mut names.patterns);
        let alike = |key: &ClaimKey| {
            let bits = unknown.iter().enumerate().filter(|(_, pattern)| pattern.may_equal(key));
            bits.fold(0, |alike, (at, _)| alike | 1 << at)
        };
        let histories =
            known.into_iter().map(|key| History { alike: alike(key), ..History::default() });
        let patterns = unknown.iter().enumerate().map(|(at, key)| {
            let own = History { alike: alike(key) & !(1 << at), ..History::default() };
            Pattern { own, ..Pattern::default() }
        });
        Self {
            histories: histories.collect(),
            patterns: patterns.collect(),
            names,
            found: Vec::new(),
        }
    }

    /// Tells whom this one waits for.
    fn wait(&mut self, to: Item<'a>, class: Class) {
        let mut told = Told { to, is_certain: true, found: &mut self.found };
        match class {
            Class::Name(name) => {
                told.after(&mut self.histories[name], |_| true);
                told.is_certain = false;
                let (alike, written_at) =
                    (self.histories[name].alike, self.histories[name].written_at);
                for pattern in bits(alike) {
                    let pattern = &mut self.patterns[pattern];
                    // Whoever wrote the name since has waited for all of them.
                    if written_at <= pattern.last_at {
                        told.after(&mut pattern.own, |_| true);
                    }
                }
            }
            Class::Pattern(pattern) => {
                told.is_certain = false;
                let mut books = std::mem::take(&mut self.patterns[pattern]);
                // Who came before the last writer of its name was waited for by
                // that writer.
                let is_last = |&(item, class, at): &(Item<'a>, Class, usize)| {
                    let history = match class {
                        Class::Name(name) => &self.histories[name],
                        Class::Pattern(other) => &self.patterns[other].own,
                    };
                    history.written_at <= Some(at)
                        && (item.1.access == Access::Read || history.written_at == Some(at))
                };
                told.after(&mut books.own, |_| true);
                told.after_all(&mut books.writers, is_last);
                if to.1.access == Access::Write {
                    told.after_all(&mut books.readers, is_last);
                }
                self.patterns[pattern] = books;
            }
        }
    }

    /// Writes into the books that it has come.
    fn enter(&mut self, item: Item<'a>, class: Class, at: usize) {
        let is_write = item.1.access == Access::Write;
        let history = match class {
            Class::Name(name) => &mut self.histories[name],
            Class::Pattern(pattern) => {
                let pattern = &mut self.patterns[pattern];
                pattern.last_at = Some(at);
                if is_write {
                    pattern.writers = Group::default();
                    pattern.readers = Group::default();
                }
                &mut pattern.own
            }
        };
        if is_write {
            history.writer = Some(item);
            history.written_at = Some(at);
            history.readers = Group::default();
        } else {
            history.readers.members.push((item, class, at));
        }
        for pattern in bits(history.alike) {
            let pattern = &mut self.patterns[pattern];
            let group = if is_write { &mut pattern.writers } else { &mut pattern.readers };
            group.members.push((item, class, at));
        }
    }
}

/// Takes down whom one claim waits for.
struct Told<'a, 'f> {
    to: Item<'a>,
    is_certain: bool,
    found: &'f mut Vec<Conflict<'a>>,
}

impl<'a> Told<'a, '_> {
    /// After those of a history that it conflicts with.
    fn after(
        &mut self,
        history: &mut History<'a>,
        counts: impl Fn(&(Item<'a>, Class, usize)) -> bool,
    ) {
        if self.to.1.access == Access::Write && !history.readers.members.is_empty() {
            self.after_all(&mut history.readers, counts);
        } else if let Some(writer) = history.writer {
            self.push(writer);
        }
    }

    fn after_all(
        &mut self,
        group: &mut Group<'a>,
        counts: impl Fn(&(Item<'a>, Class, usize)) -> bool,
    ) {
        let mut begin = 0;
        // A name that is known has one writer, and it takes all of its readers.
        if group.members.len() > ONE_BY_ONE_MAX && !self.is_certain {
            if let Some((gate, passed)) = group.gate {
                self.push(gate);
                begin = passed;
            }
            group.gate = Some((self.to, group.members.len()));
        }
        for member in group.members[begin..].iter().filter(|member| counts(member)) {
            self.push(member.0);
        }
    }

    fn push(&mut self, from: Item<'a>) {
        if from.0 != self.to.0 {
            self.found.push(Conflict { from, to: self.to, is_certain: self.is_certain });
        }
    }
}

/// As many patterns as are told apart: where there are more, wider ones that
/// all of them fit. `numbers` holds the number of each, before and after.
fn widen(
    patterns: Vec<ClaimKey>,
    numbers: &mut HashMap<&[std::sync::Arc<str>], usize>,
) -> Vec<ClaimKey> {
    if patterns.len() <= PATTERNS_MAX {
        return patterns;
    }
    // Of `order/17/…` what stands before the first slash, then nothing at all.
    let kind = |pattern: &ClaimKey| {
        let ClaimKey::Unknown(pieces) = pattern else { return String::new() };
        let first = pieces.first().map_or("", |piece| piece);
        first.split_inclusive('/').next().unwrap_or_default().to_owned()
    };
    let mut kinds: HashMap<String, usize> = HashMap::new();
    let mut wide = Vec::new();
    let mut places: Vec<usize> = patterns
        .iter()
        .map(|pattern| {
            *kinds.entry(kind(pattern)).or_insert_with_key(|kind| {
                wide.push(ClaimKey::Unknown(vec![kind.as_str().into(), "".into()]));
                wide.len() - 1
            })
        })
        .collect();
    if wide.len() > PATTERNS_MAX {
        wide = vec![ClaimKey::Unknown(vec!["".into(), "".into()])];
        places.fill(0);
    }
    for number in numbers.values_mut() {
        *number = places[*number];
    }
    wide
}

/// The numbers of the bits that are set.
fn bits(mut bits: u16) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let lowest = (bits != 0).then(|| bits.trailing_zeros() as usize)?;
        bits &= bits - 1;
        Some(lowest)
    })
}
