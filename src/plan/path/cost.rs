//! What a path can cost at most, known before it is evaluated.
//!
//! Paths are written by models. One that descends again from everything that it
//! found, or searches the whole result for every element, would hold a thread
//! for as long as it likes.

/// Visits that are always allowed; a path that looks at each value once is
/// allowed on any result.
const VISITS_MAX: usize = 1 << 22;

/// What drives a path's cost.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Cost {
    /// Deepest nesting of `[` and `(`.
    pub(super) nesting: usize,
    /// A quote in it is never closed.
    pub(super) is_open: bool,
    /// `..` outside filters: each after the first finds a value once for each of
    /// those around it.
    descents: u32,
    /// `..` and `$` inside filters: each may look at everything, for every
    /// element.
    searches: u32,
    /// Times that one value is selected by lists such as `[0,0]`.
    copies: usize,
}

impl Cost {
    /// Of any text, be it a path or none.
    pub(super) fn of(path: &str) -> Self {
        let mut cost = Self { nesting: 0, is_open: false, descents: 0, searches: 0, copies: 1 };
        // For each open bracket: whether it is square, and its commas.
        let mut open: Vec<(bool, usize)> = Vec::new();
        let mut filters = 0_usize;
        let mut quote = None;
        let mut bytes = path.bytes().peekable();
        while let Some(byte) = bytes.next() {
            match (quote, byte) {
                (Some(_), b'\\') => {
                    bytes.next();
                }
                (Some(end), byte) if byte == end => quote = None,
                (Some(_), _) => {}
                (None, b'\'' | b'"') => quote = Some(byte),
                (None, b'[' | b'(') => {
                    open.push((byte == b'[', 0));
                    cost.nesting = cost.nesting.max(open.len());
                }
                (None, b']' | b')') => {
                    let (_, commas) = open.pop().unwrap_or_default();
                    cost.copies = cost.copies.saturating_mul(commas + 1);
                    if open.is_empty() {
                        filters = 0;
                    }
                }
                (None, b',') => {
                    if let Some((true, commas)) = open.last_mut() {
                        *commas += 1;
                    }
                }
                (None, b'?') => filters += 1,
                (None, b'$') if filters > 0 => cost.searches += 1,
                (None, b'.') if bytes.next_if_eq(&b'.').is_some() => match filters {
                    0 => cost.descents += 1,
                    _ => cost.searches += 1,
                },
                _ => {}
            }
        }
        cost.is_open = quote.is_some();
        cost
    }

    /// Whether it may be spent on this result.
    pub(super) fn is_bearable(self, json: &str) -> bool {
        let (values, depth) = measure(json);
        let visits = values
            .saturating_mul(depth.saturating_pow(self.descents.saturating_sub(1)))
            .saturating_mul(values.saturating_pow(self.searches))
            .saturating_mul(self.copies);
        visits <= values.max(VISITS_MAX)
    }
}

/// At least the number of values in the text, and at least their depth.
fn measure(json: &str) -> (usize, usize) {
    let (mut values, mut depth, mut deepest) = (1_usize, 0_usize, 1_usize);
    for byte in json.bytes() {
        match byte {
            b'[' | b'{' => {
                values += 1;
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' => values += 1,
            _ => {}
        }
    }
    (values, deepest)
}
