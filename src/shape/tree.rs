//! The structure of a JSON text, found in one pass.
//!
//! Only containers that may have to be cut are indexed; the others are small
//! enough to be walked over again. So every byte is read a bounded number of
//! times, however deep it is nested, and no tree of the values is built.

use memchr::memchr2;

/// Containers below this size are never cut, and so are not indexed.
pub(super) const SMALL: usize = 64;

/// `text` without the whitespace between its tokens.
pub(super) fn compact(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let (mut from, mut at) = (0, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = string_end(bytes, at),
            b' ' | b'\n' | b'\r' | b'\t' => {
                out.push_str(&text[from..at]);
                at += 1;
                from = at;
            }
            _ => at += 1,
        }
    }
    out.push_str(&text[from..]);
    out
}

/// A compact JSON text with its containers.
pub(super) struct Tree<'t> {
    text: &'t str,
    /// By start.
    containers: Vec<Container>,
}

struct Container {
    start: usize,
    end: usize,
    children: usize,
    /// The first container after all that are in this one.
    next: usize,
}

/// A value in the text.
#[derive(Clone, Copy)]
pub(super) struct Value<'t> {
    /// Its source.
    pub(super) text: &'t str,
    /// Its place among the containers; `None` for scalars and small containers.
    container: Option<usize>,
}

/// A member of an object or an element of an array.
#[derive(Clone, Copy)]
pub(super) struct Child<'t> {
    /// The key's source with its quotes; empty in an array.
    pub(super) key: &'t str,
    /// The value.
    pub(super) value: Value<'t>,
}

impl<'t> Tree<'t> {
    /// Reads a valid and compact text.
    pub(super) fn new(text: &'t str) -> Self {
        let bytes = text.as_bytes();
        let mut containers: Vec<Container> = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            match bytes[at] {
                b'"' => {
                    at = string_end(bytes, at);
                    continue;
                }
                b'{' | b'[' => {
                    let is_empty = matches!(bytes.get(at + 1), Some(b'}' | b']'));
                    open.push(containers.len());
                    containers.push(Container {
                        start: at,
                        end: at,
                        children: usize::from(!is_empty),
                        next: 0,
                    });
                }
                b',' => {
                    if let Some(&container) = open.last() {
                        containers[container].children += 1;
                    }
                }
                b'}' | b']' => {
                    if let Some(container) = open.pop() {
                        close(&mut containers, container, at + 1);
                    }
                }
                _ => {}
            }
            at += 1;
        }
        Self { text, containers }
    }

    /// The whole.
    pub(super) fn root(&self) -> Value<'t> {
        let container = self.containers.first().is_some_and(|first| first.start == 0);
        Value { text: self.text, container: container.then_some(0) }
    }

    /// How many children a container has.
    pub(super) fn count(&self, value: Value<'t>) -> usize {
        value.container.map_or(0, |container| self.containers[container].children)
    }

    /// The children of a container in their order; none of a small one.
    pub(super) fn children(&self, value: Value<'t>) -> Children<'_, 't> {
        let (at, end, next) = match value.container {
            Some(place) => {
                let Container { start, end, .. } = self.containers[place];
                (start + 1, end - 1, place + 1)
            }
            None => (0, 0, 0),
        };
        Children { tree: self, is_object: value.text.starts_with('{'), at, end, next }
    }
}

fn close(containers: &mut Vec<Container>, place: usize, end: usize) {
    let next = containers.len();
    let container = &mut containers[place];
    if end - container.start < SMALL {
        containers.truncate(place);
    } else {
        container.end = end;
        container.next = next;
    }
}

/// Walks over the children of one container, jumping over those that are
/// indexed.
pub(super) struct Children<'a, 't> {
    tree: &'a Tree<'t>,
    is_object: bool,
    at: usize,
    /// Where the container's closing bracket stands.
    end: usize,
    /// The next indexed container at or after `at`.
    next: usize,
}

impl<'t> Iterator for Children<'_, 't> {
    type Item = Child<'t>;

    fn next(&mut self) -> Option<Child<'t>> {
        if self.at >= self.end {
            return None;
        }
        let (text, bytes) = (self.tree.text, self.tree.text.as_bytes());
        let mut key = "";
        if self.is_object {
            let end = string_end(bytes, self.at);
            key = &text[self.at..end];
            self.at = end + 1;
        }
        let start = self.at;
        let mut place = None;
        let end = match self.tree.containers.get(self.next) {
            Some(container) if container.start == start => {
                place = Some(self.next);
                self.next = container.next;
                container.end
            }
            _ => value_end(bytes, start),
        };
        self.at = end + 1;
        Some(Child { key, value: Value { text: &text[start..end], container: place } })
    }
}

/// The end of the string that begins at `start`.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += found;
        if bytes[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    bytes.len()
}

/// The end of the scalar or small container that begins at `start`.
fn value_end(bytes: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0_usize);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                at = string_end(bytes, at);
                if depth == 0 {
                    return at;
                }
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 0 => return at,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            b',' if depth == 0 => return at,
            _ => {}
        }
        at += 1;
    }
    at
}
