//! JSON cut to size as JSON.
//!
//! What stays is the source text of what was there. What goes is counted in its
//! place: `"… 95 of 100 elements left out"` as an array's last element, `"…"` as
//! an object's last key, `[… 900 of 1000 bytes left out …]` in the middle of a
//! string.

use super::{
    ceil, fair_share,
    tree::{Child, SMALL, Tree, Value},
};
use crate::model::text::floor_char_boundary;

/// Room in which any value can at least say that it was left out.
const ROOM_MIN: usize = SMALL;

/// Deeper containers are left out whole, which bounds the stack.
const DEPTH_MAX: usize = 64;

/// The key that says how many others are gone, as it is written.
const MARK_KEY: &str = "\"…\"";

/// Cuts a compact text, which is larger than `room`, to it. `room` is at least
/// [`ROOM_MIN`].
pub(super) fn cut(text: &str, room: usize) -> String {
    let tree = Tree::new(text);
    let mut cutter = Cutter { tree: &tree, out: String::with_capacity(room) };
    cutter.value(tree.root(), room, 0);
    cutter.out
}

struct Cutter<'a, 't> {
    tree: &'a Tree<'t>,
    out: String,
}

impl<'t> Cutter<'_, 't> {
    /// Writes `value` into `room`, which takes the whole of it or is at least
    /// [`ROOM_MIN`].
    fn value(&mut self, value: Value<'t>, room: usize, depth: usize) {
        let text = value.text;
        if text.len() <= room {
            self.out.push_str(text);
            return;
        }
        match text.as_bytes().first() {
            Some(b'"') => self.string(text, room),
            Some(b'[') if depth < DEPTH_MAX => self.array(value, room, depth),
            Some(b'{') if depth < DEPTH_MAX => self.object(value, room, depth),
            Some(b'[') => self.left_out(&format!("an array of {} bytes", text.len())),
            Some(b'{') => self.left_out(&format!("an object of {} bytes", text.len())),
            _ => self.left_out(&format!("a number of {} bytes", text.len())),
        }
    }

    fn left_out(&mut self, what: &str) {
        self.out.extend(["\"… ", what, " left out\""]);
    }

    /// The first elements, as many as fit. One that would take more than half
    /// of the room leaves the other half to those after it.
    fn array(&mut self, value: Value<'t>, room: usize, depth: usize) {
        let count = self.tree.count(value);
        let mark = |left: usize| format!("\"… {left} of {count} elements left out\"");
        let room = room.saturating_sub("[,]".len() + mark(count).len());
        let half = if count == 1 { room } else { room / 2 };
        let (mut free, mut kept) = (room, 0);
        self.out.push('[');
        for Child { value: element, .. } in self.tree.children(value) {
            free = free.saturating_sub(usize::from(kept > 0));
            let (size, is_last) = (element.text.len(), kept + 1 == count);
            let share =
                if size <= free && (size <= half || is_last) { size } else { free.min(half) };
            let is_cut = share < size;
            if is_cut && (share < ROOM_MIN || kept > 0 && share < room / 4) {
                break;
            }
            if kept > 0 {
                self.out.push(',');
            }
            let before = self.out.len();
            self.value(element, share, depth + 1);
            free = free.saturating_sub(self.out.len() - before);
            kept += 1;
        }
        if kept < count {
            self.out.push_str(if kept > 0 { "," } else { "" });
            self.out.push_str(&mark(count - kept));
        }
        self.out.push(']');
    }

    /// Every key for which there is room; the small values stay whole and the
    /// large ones share what is left.
    fn object(&mut self, value: Value<'t>, room: usize, depth: usize) {
        let count = self.tree.count(value);
        let mark = |left: usize| format!("{MARK_KEY}:\"{left} of {count} keys left out\"");
        let mut free = room.saturating_sub("{}".len() + mark(count).len());
        let mut kept: Vec<Child<'t>> = Vec::new();
        for member in self.tree.children(value) {
            let least = key_bytes(member) + member.value.text.len().min(ROOM_MIN);
            if least <= free && member.key != MARK_KEY {
                free -= least;
                kept.push(member);
            }
        }
        let least: usize = kept.iter().map(|member| member.value.text.len().min(ROOM_MIN)).sum();
        let share = fair_share(kept.iter().map(|member| member.value.text.len()), free + least);
        let mut spare = 0;
        self.out.push('{');
        for (place, &member) in kept.iter().enumerate() {
            self.out.extend([if place > 0 { "," } else { "" }, member.key, ":"]);
            let before = self.out.len();
            let size = member.value.text.len();
            self.value(member.value, size.min(share.saturating_add(spare)), depth + 1);
            if size > share {
                spare = share + spare - (self.out.len() - before);
            }
        }
        if kept.len() < count {
            self.out.push_str(if kept.is_empty() { "" } else { "," });
            self.out.push_str(&mark(count - kept.len()));
        }
        self.out.push('}');
    }

    /// Head and tail, no escape split.
    fn string(&mut self, text: &str, room: usize) {
        let body = &text[1..text.len() - 1];
        let mark = |left: usize| format!("[… {left} of {} bytes left out …]", body.len());
        let free = room.saturating_sub("\"\"".len() + mark(body.len()).len());
        if free < ROOM_MIN / 2 {
            return self.left_out(&format!("{} bytes", body.len()));
        }
        let (head, _) = boundaries(body, free / 3 * 2);
        let (_, tail) = boundaries(body, body.len() - (free - head));
        self.out.extend(["\"", &body[..head], &mark(tail - head), &body[tail..], "\""]);
    }
}

/// Bytes of a key with its colon and comma.
fn key_bytes(member: Child<'_>) -> usize {
    member.key.len() + ":,".len()
}

/// The last place at or before `target`, and the first at or after it, where a
/// string's source can be cut: between characters, not in an escape, and not
/// between the two escapes of one character.
fn boundaries(body: &str, target: usize) -> (usize, usize) {
    let bytes = body.as_bytes();
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'\\', &bytes[at..]) {
        let start = at + found;
        if start >= target {
            break;
        }
        let end = start + escape_bytes(&bytes[start..]);
        if end > target {
            return (start, end);
        }
        at = end;
    }
    (floor_char_boundary(body, target), ceil(body, target))
}

/// Length of the escape that `bytes` begin with, the other half of a surrogate
/// pair included.
fn escape_bytes(bytes: &[u8]) -> usize {
    let is_high =
        |hex: &[u8]| matches!(hex, [b'd' | b'D', b'8' | b'9' | b'a'..=b'b' | b'A'..=b'B', ..]);
    match bytes {
        [b'\\', b'u', hex @ ..] if is_high(hex) && hex[4.min(hex.len())..].starts_with(b"\\u") => {
            12
        }
        [b'\\', b'u', ..] => 6,
        _ => 2,
    }
    .min(bytes.len())
}
