//! Results cut to what a model can take.
//!
//! JSON stays JSON, text keeps its head and its tail, and what was cut is always
//! said, with the size of the whole. Time and memory are linear in the result.

use crate::model::{Content, Json, Truncation, text::floor_char_boundary};

mod json;
mod text;
mod tree;

/// The smallest limit: with less there is no room to say what was cut.
pub const MIN_BYTES: usize = 256;

/// Room that a block of a cut result has at least. What is left of
/// [`MIN_BYTES`] takes the note.
const BLOCK_MIN: usize = 128;

/// What the model sees of a result.
#[derive(Clone, Debug)]
pub struct Shaped {
    /// The blocks. No text among them is empty.
    pub content: Vec<Content>,
    /// Set when something was cut.
    pub truncation: Option<Truncation>,
}

/// Cuts a result to `max_bytes`, or to [`MIN_BYTES`] where that is more: the
/// sum of its blocks' sizes, marks included.
///
/// Small blocks stay whole and the large ones share what is left. A JSON block
/// loses its insignificant whitespace first, which counts as nothing cut.
pub fn shape(mut content: Vec<Content>, max_bytes: usize) -> Shaped {
    content.retain(|block| !matches!(block, Content::Text(text) if text.is_empty()));
    let max_bytes = max_bytes.max(MIN_BYTES);
    let whole_bytes = size(&content);
    if whole_bytes <= max_bytes {
        return Shaped { content, truncation: None };
    }
    for block in &mut content {
        if let Content::Json(json) = block {
            *block = json_or_text(tree::compact(json.as_str()));
        }
    }
    if size(&content) <= max_bytes {
        return Shaped { content, truncation: None };
    }
    let content = cut(content, max_bytes, whole_bytes);
    let kept_bytes = size(&content);
    Shaped { content, truncation: Some(Truncation { whole_bytes, kept_bytes }) }
}

fn cut(mut content: Vec<Content>, max_bytes: usize, whole_bytes: usize) -> Vec<Content> {
    let blocks = content.len();
    let is_self_evident = first_that_fit(&content, max_bytes) == blocks
        && !content.iter().any(|block| matches!(block, Content::Json(_)));
    let note_bytes = if is_self_evident { 0 } else { note(whole_bytes, blocks, blocks).len() };
    let room = max_bytes - note_bytes;
    content.truncate(first_that_fit(&content, room));
    let left_out = blocks - content.len();

    let share = fair_share(content.iter().map(Content::size_bytes), room);
    for block in &mut content {
        if block.size_bytes() > share
            && let Some(words) = stand_in(block)
        {
            *block = Content::Text(words.into());
        }
    }
    let share = fair_share(content.iter().map(Content::size_bytes), room);
    let mut is_json_cut = false;
    for block in &mut content {
        if block.size_bytes() <= share {
            continue;
        }
        *block = match &*block {
            Content::Json(json) => {
                is_json_cut = true;
                json_or_text(json::cut(json.as_str(), share))
            }
            Content::Text(text) => Content::Text(text::cut(text, share).into()),
            other => other.clone(),
        };
    }
    if left_out > 0 || is_json_cut {
        content.push(Content::Text(note(whole_bytes, left_out, blocks).into()));
    }
    content
}

/// How many blocks, from the first, can each have [`BLOCK_MIN`].
fn first_that_fit(content: &[Content], room: usize) -> usize {
    let mut used = 0;
    content
        .iter()
        .take_while(|block| {
            used += block.size_bytes().min(BLOCK_MIN);
            used <= room
        })
        .count()
}

/// The most that each of `sizes` may have, so that all together stay within
/// `room`: the small ones stay whole and the large ones share what is left.
fn fair_share(sizes: impl Iterator<Item = usize>, room: usize) -> usize {
    let mut sizes: Vec<usize> = sizes.collect();
    sizes.sort_unstable();
    let (mut room, mut others) = (room, sizes.len());
    for size in sizes {
        let share = room / others;
        if size > share {
            return share;
        }
        room -= size;
        others -= 1;
    }
    usize::MAX
}

/// What is said in the place of a block that cannot be cut.
fn stand_in(block: &Content) -> Option<String> {
    let name = |media_type: &'_ str| media_type[..floor_char_boundary(media_type, 64)].to_owned();
    let words = match block {
        Content::Image { media_type, data } => {
            format!("[An image ({}) of {} bytes was left out.]", name(media_type), data.len())
        }
        Content::Document { media_type, data } => {
            format!("[A document ({}) of {} bytes was left out.]", name(media_type), data.len())
        }
        Content::Link { uri, .. } => format!("[A link of {} bytes was left out.]", uri.len()),
        Content::Text(_) | Content::Json(_) => return None,
    };
    Some(words)
}

/// The last block of a result in which nothing else says how large it was.
fn note(whole_bytes: usize, left_out: usize, blocks: usize) -> String {
    if left_out == 0 {
        return format!("[This result was cut: the whole has {whole_bytes} bytes.]");
    }
    format!(
        "[This result was cut: the whole has {whole_bytes} bytes. {left_out} of {blocks} blocks \
         were left out.]"
    )
}

fn json_or_text(text: String) -> Content {
    match Json::from_backend(text) {
        Ok(json) => Content::Json(json),
        Err((_, text)) => Content::Text(text.into()),
    }
}

/// The first place at or after `place` that is between characters.
fn ceil(text: &str, place: usize) -> usize {
    (place..text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(text.len())
}

fn size(content: &[Content]) -> usize {
    content.iter().map(Content::size_bytes).sum()
}

#[cfg(test)]
mod tests;
