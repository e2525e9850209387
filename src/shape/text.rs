//! Text cut to its head and its tail.

use super::ceil;
use crate::model::text::floor_char_boundary;

/// Cuts `text`, which is larger than `room`, to it: between characters, and at
/// the end of a line where one is near. `room` must take the mark, which is
/// always there.
pub(super) fn cut(text: &str, room: usize) -> String {
    let whole = text.len();
    // No mark is longer than the one that says that everything is gone.
    let room = room.saturating_sub(mark(whole, whole).len());
    let head = head(text, room / 3 * 2);
    let tail = tail(text, room - head.len());
    [head, &mark(whole - head.len() - tail.len(), whole), tail].concat()
}

fn mark(cut: usize, whole: usize) -> String {
    format!("\n[… {cut} of {whole} bytes left out …]\n")
}

fn head(text: &str, room: usize) -> &str {
    let head = &text[..floor_char_boundary(text, room)];
    match head.rfind('\n') {
        Some(end) if end >= head.len() / 4 * 3 => &head[..end],
        _ => head,
    }
}

fn tail(text: &str, room: usize) -> &str {
    let tail = &text[ceil(text, text.len().saturating_sub(room))..];
    match tail.find('\n') {
        Some(end) if end < tail.len() / 4 => &tail[end + 1..],
        _ => tail,
    }
}
