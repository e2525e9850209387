//! What is too large for one message, in parts.

use std::sync::Arc;

use prost::Message;

use crate::{
    format::Frame,
    model::{CallResult, Content, text::floor_char_boundary},
    proto::v1::{self, result_part::Piece},
    rpc::encode,
    schedule::BatchFinished,
};

/// Bytes of a part around its piece: the call's id, indexes, tags and lengths.
const PART_BYTES: usize = 256;
/// Tag and length of an item of the bundle.
const ITEM_BYTES: usize = 6;

/// A result: its large blocks in parts, then the rest in one message.
#[derive(Debug)]
pub(super) struct ResultParts {
    result: Arc<CallResult>,
    /// The whole message, where it fits.
    whole: Option<v1::ToolResult>,
    /// The blocks that go in parts; empty where none does.
    in_parts: Vec<bool>,
    /// Most bytes of a piece.
    piece_max: usize,
    block: usize,
    offset: usize,
}

impl ResultParts {
    pub(super) fn new(result: Arc<CallResult>, bytes_max: usize) -> Self {
        let piece_max = bytes_max.saturating_sub(PART_BYTES);
        let whole = encode::result(&result, |_| false);
        let mut parts =
            Self { result, whole: None, in_parts: Vec::new(), piece_max, block: 0, offset: 0 };
        let bytes = whole.encoded_len();
        if bytes <= piece_max {
            parts.whole = Some(whole);
        } else {
            parts.choose(bytes);
        }
        parts
    }

    /// Sends blocks in parts, the largest first, until the rest fits.
    fn choose(&mut self, mut bytes: usize) {
        let content = &self.result.content;
        let mut by_size: Vec<usize> = (0..content.len()).collect();
        by_size.sort_by_key(|block| std::cmp::Reverse(content[*block].size_bytes()));
        self.in_parts = vec![false; content.len()];
        for block in by_size {
            if bytes <= self.piece_max {
                break;
            }
            // A link is short and has no piece to be sent in.
            if !matches!(content[block], Content::Link { .. }) {
                self.in_parts[block] = true;
                bytes = bytes.saturating_sub(content[block].size_bytes());
            }
        }
    }

    /// The next piece of a large block.
    pub(super) fn next_part(&mut self) -> Option<v1::ResultPart> {
        while !*self.in_parts.get(self.block)? {
            self.block += 1;
        }
        let block = self.block;
        let piece = match self.result.content.get(block)? {
            Content::Text(text) => {
                Piece::Text(text_piece(text, &mut self.offset, self.piece_max).to_owned())
            }
            Content::Json(json) => {
                Piece::Text(text_piece(json.as_str(), &mut self.offset, self.piece_max).to_owned())
            }
            Content::Image { data, .. } | Content::Document { data, .. } => {
                let start = self.offset;
                self.offset = data.len().min(start + self.piece_max);
                Piece::Data(data.slice(start..self.offset))
            }
            Content::Link { .. } => return None,
        };
        if self.offset == self.result.content[block].size_bytes() {
            self.block += 1;
            self.offset = 0;
        }
        Some(v1::ResultPart {
            call_id: self.result.call_id.to_string(),
            index: encode::count(self.result.index),
            content_index: encode::count(block),
            piece: Some(piece),
        })
    }

    /// The result, without what went before.
    pub(super) fn into_result(self) -> v1::ToolResult {
        let Self { result, whole, in_parts, .. } = self;
        whole.unwrap_or_else(|| {
            encode::result(&result, |block| in_parts.get(block).copied().unwrap_or(false))
        })
    }
}

/// The bundle in call order, an item for each call, as many in a part as fit.
#[derive(Debug)]
pub(super) struct BundleParts {
    finished: Arc<BatchFinished>,
    frame: Frame,
    bytes_max: usize,
    /// The item that is to be encoded next.
    next: usize,
    /// An item that did not fit into the part before, and how much of it went.
    rest: Option<(String, usize)>,
}

impl BundleParts {
    pub(super) fn new(finished: Arc<BatchFinished>, frame: Frame, bytes_max: usize) -> Self {
        Self { finished, frame, bytes_max, next: 0, rest: None }
    }

    /// The next part.
    pub(super) fn next_part(&mut self) -> Option<v1::BundlePart> {
        let mut room = self.bytes_max.saturating_sub(PART_BYTES);
        let mut items = Vec::new();
        let first_index = self.next - usize::from(self.rest.is_some());
        let mut last_item_continues = false;
        while let Some((item, mut offset)) = self.take_item() {
            if item.len() - offset + ITEM_BYTES <= room {
                room -= item.len() - offset + ITEM_BYTES;
                items.push(if offset == 0 { item } else { item[offset..].to_owned() });
                continue;
            }
            // What begins in a part of its own is cut; anything else waits for
            // the next part.
            if items.is_empty() {
                items.push(
                    text_piece(&item, &mut offset, room.saturating_sub(ITEM_BYTES)).to_owned(),
                );
                last_item_continues = true;
            }
            self.rest = Some((item, offset));
            break;
        }
        if items.is_empty() {
            return None;
        }
        let first_index = encode::count(first_index);
        Some(v1::BundlePart { first_index, items, last_item_continues })
    }

    fn take_item(&mut self) -> Option<(String, usize)> {
        self.rest.take().or_else(|| {
            let result = self.finished.results.get(self.next)?;
            self.next += 1;
            Some((self.frame.encode(result), 0))
        })
    }

    /// Counts and times.
    pub(super) fn into_summary(self) -> v1::BatchSummary {
        encode::summary(&self.finished, self.bytes_max)
    }
}

/// At most `bytes_max` bytes of `text` from `offset`, which is moved to their
/// end. Always at least one character.
fn text_piece<'a>(text: &'a str, offset: &mut usize, bytes_max: usize) -> &'a str {
    let start = *offset;
    *offset = floor_char_boundary(text, start.saturating_add(bytes_max.max(4)));
    &text[start..*offset]
}
