//! What two texts of the same JSON value have in common.

use std::{
    fmt,
    hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState},
    sync::LazyLock,
};

use super::{Json, string_end};

/// Names a JSON value: two texts have the same digest where they mean the same.
///
/// The order of an object's members, white space and the escapes in strings do
/// not matter. Numbers are told apart by their text, as a tool may do: `1`,
/// `1.0` and `1e0` are three values.
///
/// It means something in this process only, and is not to be kept or told: it is a
/// hash under a key that the process drew at random. Whoever writes a turn chooses
/// what is digested, and of two inputs with one digest one call would be answered
/// with the other's result. Against a hash that everybody can compute, only a
/// cryptographic one is safe from that; without the key nobody can tell which
/// inputs meet, and that two of them do by chance is one in 2^128.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
pub struct Digest([u64; 2]);

/// Drawn once: whatever names the same value must agree on it.
static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);

impl Digest {
    fn of(canonical: &[u8]) -> Self {
        // Two texts that meet in one half do not in the other, since each half's own
        // number is mixed in before the text is.
        Self([0, 1].map(|half| {
            let mut hasher = KEY.build_hasher();
            hasher.write_u64(half);
            hasher.write(canonical);
            hasher.finish()
        }))
    }
}

impl Hash for Digest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0[0]);
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Enough to tell two of them apart.
        write!(f, "{:08x}…", self.0[0] >> 32)
    }
}

/// Hashes by what is a keyed hash already: a digest, or another that nobody can
/// choose.
pub type AsItIs = BuildHasherDefault<Taken>;

/// Takes numbers for their own hashes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Taken(u64);

impl Hasher for Taken {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = self.0.rotate_left(32) ^ number;
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }
}

impl Json {
    /// The value's digest. It is found anew each time: in one pass over the text,
    /// a tenth of a microsecond for the input of a tool.
    pub fn digest(&self) -> Digest {
        let text = self.as_str();
        let canonical = Vec::with_capacity(text.len() + 16);
        let mut scan = Scan { text, at: 0, canonical, members: Vec::new() };
        scan.value();
        Digest::of(&scan.canonical)
    }
}

/// Reads a text that is known to be one JSON value, nested as deep as `Json`
/// allows, and writes it so that no other value is written the same: everything
/// says first what it is, and how long where nothing ends it.
struct Scan<'a> {
    text: &'a str,
    at: usize,
    canonical: Vec<u8>,
    /// Of the objects that are open, the innermost last: those that were read, but
    /// for the last one of each.
    members: Vec<Member>,
}

/// Where a member stands in what was written.
struct Member {
    begin: usize,
    key_end: usize,
    end: usize,
}

impl<'a> Scan<'a> {
    fn value(&mut self) {
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'[') => {
                self.canonical.push(b'[');
                self.at += 1;
                while self.has_next(b']') {
                    self.value();
                }
                self.canonical.push(b']');
            }
            Some(b'{') => {
                self.canonical.push(b'{');
                self.at += 1;
                self.members_of_one();
                self.canonical.push(b'}');
            }
            _ => {
                let rest = self.rest();
                let ends = |byte: u8| matches!(byte, b',' | b']' | b'}') || is_space(byte);
                let length = rest.bytes().position(ends).unwrap_or(rest.len());
                // What is no value cannot be; if it is, it is the last.
                self.at = if length == 0 { self.text.len() } else { self.at + length };
                self.write(b'=', &rest[..length]);
            }
        }
    }

    fn members_of_one(&mut self) {
        let first = self.members.len();
        let mut last = None;
        while self.has_next(b'}') {
            let begin = self.canonical.len();
            self.string();
            let key_end = self.canonical.len();
            self.peek();
            // The colon.
            self.at += 1;
            self.value();
            let read = Member { begin, key_end, end: self.canonical.len() };
            // An object of one member, as most inputs are, is not worth a list.
            self.members.extend(last.replace(read));
        }
        if self.members.len() > first {
            self.members.extend(last);
            self.sort(first);
            self.members.truncate(first);
        }
    }

    /// Brings the members from this one on into the order of their keys. A key that
    /// stands twice, in what a backend sent, keeps its places.
    fn sort(&mut self, first: usize) {
        let members = self.members.get_mut(first..).unwrap_or_default();
        let written = &self.canonical;
        let key = |member: &Member| &written[member.begin..member.key_end];
        if members.is_sorted_by(|one, other| key(one) <= key(other)) {
            return;
        }
        let begin = members.first().map_or(0, |member| member.begin);
        members.sort_by(|one, other| key(one).cmp(key(other)));
        let mut sorted = Vec::with_capacity(written.len() - begin);
        for member in members {
            sorted.extend_from_slice(&written[member.begin..member.end]);
        }
        self.canonical.truncate(begin);
        self.canonical.append(&mut sorted);
    }

    /// Steps to the next element or key, or over the bracket that closes.
    fn has_next(&mut self, close: u8) -> bool {
        if self.peek() == Some(b',') {
            self.at += 1;
        }
        let next = self.peek();
        if next == Some(close) {
            self.at += 1;
        }
        next.is_some_and(|next| next != close)
    }

    /// A string, decoded.
    fn string(&mut self) {
        self.peek();
        let (text, begin) = (self.text, self.at + 1);
        let bytes = text.as_bytes();
        let rest = bytes.get(begin..).unwrap_or_default();
        let stop = memchr::memchr2(b'"', b'\\', rest).map_or(text.len(), |at| begin + at);
        if bytes.get(stop) == Some(&b'"') {
            self.at = stop + 1;
            return self.write(b'"', text.get(begin..stop).unwrap_or_default());
        }
        let quoted = self.at..string_end(bytes, self.at).min(text.len());
        self.at = quoted.end;
        let quoted = text.get(quoted).unwrap_or_default();
        match serde_json::from_str::<String>(quoted) {
            Ok(text) => self.write(b'"', &text),
            // Half a surrogate pair, which a backend may send, means only itself.
            Err(_) => self.write(b'\\', quoted),
        }
    }

    fn write(&mut self, kind: u8, text: &str) {
        const LONG: u8 = u8::MAX;
        self.canonical.push(kind);
        match u8::try_from(text.len()) {
            Ok(length) if length < LONG => self.canonical.push(length),
            _ => {
                self.canonical.push(LONG);
                self.canonical.extend_from_slice(&text.len().to_le_bytes());
            }
        }
        self.canonical.extend_from_slice(text.as_bytes());
    }

    /// The next byte that is no white space.
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while bytes.get(self.at).copied().is_some_and(is_space) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

#[cfg(test)]
mod tests;
