//! Inputs and results in spans: not at all, unless somebody asked for it, and then
//! no more than so much of each, without what is secret in it.
//!
//! A call pays for a copy of the beginning of its input and of its result, where
//! they are captured. They are made fit to be shown in the exporter's thread.

use std::num::NonZeroUsize;

use crate::model::{Content, Secrets, text::floor_char_boundary};

mod json;
mod keys;
mod text;

use keys::Keys;

/// What is captured, and how much of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// Whether inputs are.
    pub inputs: bool,
    /// Whether results are.
    pub results: bool,
    /// Most bytes of each.
    pub bytes_max: NonZeroUsize,
    /// What is secret by its key, beside the usual.
    pub keys: Vec<String>,
}

impl Settings {
    /// Most bytes of an input or a result where nothing is said: some lines of JSON.
    pub const BYTES_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add((4 << 10) - 1);

    /// Whether `key` holds a word that a key can be known by.
    pub fn is_key(key: &str) -> bool {
        !keys::joined(key).is_empty()
    }
}

impl Default for Settings {
    /// Nothing is captured.
    fn default() -> Self {
        let (inputs, results, keys) = (false, false, Vec::new());
        Self { inputs, results, bytes_max: Self::BYTES_MAX, keys }
    }
}

/// The beginning of an input or a result, as it came.
#[derive(Debug)]
pub(super) struct Taken {
    text: String,
    whole_bytes: usize,
}

impl Taken {
    /// Of a text, at most so many bytes.
    pub(super) fn of(text: &str, bytes_max: usize) -> Self {
        Self {
            text: text[..floor_char_boundary(text, bytes_max)].to_owned(),
            whole_bytes: text.len(),
        }
    }

    /// Of a result's blocks. What is no text is named.
    pub(super) fn of_blocks(content: &[Content], bytes_max: usize) -> Self {
        let mut taken = Self { text: String::new(), whole_bytes: 0 };
        for block in content {
            if taken.whole_bytes > 0 {
                taken.add("\n", bytes_max);
            }
            match block {
                Content::Text(text) => taken.add(text, bytes_max),
                Content::Json(json) => taken.add(json.as_str(), bytes_max),
                Content::Link { uri, .. } => taken.add(uri, bytes_max),
                Content::Image { media_type, data } | Content::Document { media_type, data } => {
                    taken.add(&format!("[{media_type}, {} bytes]", data.len()), bytes_max);
                }
            }
        }
        taken
    }

    fn add(&mut self, text: &str, bytes_max: usize) {
        // What comes after a cut would seem to follow what came before.
        if !self.is_cut() {
            let room = bytes_max.saturating_sub(self.text.len());
            self.text.push_str(&text[..floor_char_boundary(text, room)]);
        }
        self.whole_bytes += text.len();
    }

    /// Bytes that it holds.
    pub(super) fn bytes(&self) -> usize {
        self.text.len()
    }

    fn is_cut(&self) -> bool {
        self.text.len() < self.whole_bytes
    }
}

/// Makes what was taken fit to be shown.
#[derive(Debug)]
pub(super) struct Redactor {
    keys: Keys,
    secrets: Secrets,
    bytes_max: usize,
}

impl Redactor {
    pub(super) fn new(settings: &Settings, secrets: Secrets) -> Self {
        let keys = Keys::new(&settings.keys);
        Self { keys, secrets, bytes_max: settings.bytes_max.get() }
    }

    /// What is shown nowhere.
    pub(super) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// A line of our own words that quotes a caller's.
    pub(super) fn line(&self, text: &str) -> String {
        self.secrets.redact(text).into_owned()
    }

    /// Without secrets, at most so long; where something is missing it says so.
    /// JSON that was not cut stays JSON.
    pub(super) fn show(&self, taken: &Taken) -> String {
        let is_cut = taken.is_cut();
        // Once more, for what seemed to be JSON and was none.
        let mut shown = text::users(&text::redacted(self, &taken.text, is_cut), is_cut);
        if self.secrets.are_in(&shown) {
            // One that is spelt by JSON's own signs, or is a part of the mark.
            json::MARK.clone_into(&mut shown);
        }
        let end = floor_char_boundary(&shown, self.bytes_max);
        if is_cut || end < shown.len() {
            shown.truncate(end);
            shown.push_str(&format!(" [cut: {} bytes in all]", taken.whole_bytes));
        }
        shown
    }
}

#[cfg(test)]
mod tests;
