//! An input made of other calls' results.

use std::fmt::Display;

use super::{
    Whole,
    path::Found,
    pointers::pointers,
    scan::{By, Part, Piece, Reading},
};
use crate::model::{Failure, FailureCode, Json};

/// An input with references in it.
///
/// What is not a reference keeps the bytes of the input, and what is takes those
/// of the result. Text that comes from a result is never read for references.
#[derive(Clone, Debug)]
pub struct Template {
    source: Json,
    pieces: Box<[Piece]>,
    parents: Box<[usize]>,
}

impl Template {
    pub(super) fn new(source: Json, pieces: Vec<Piece>) -> Self {
        let mut parents: Vec<usize> = readings(&pieces).map(|reading| reading.from).collect();
        parents.sort_unstable();
        parents.dedup();
        Self { source, pieces: pieces.into(), parents: parents.into() }
    }

    /// Places in the turn of the calls whose results it reads, ascending, each
    /// once.
    pub fn parents(&self) -> &[usize] {
        &self.parents
    }

    pub(super) fn readings(&self) -> impl Iterator<Item = &Reading> {
        readings(&self.pieces)
    }

    /// Places in the input that hold references, as JSON Pointers (RFC 6901):
    /// what a schema says of them cannot be known before they are resolved.
    pub fn pointers(&self) -> Vec<String> {
        pointers(self.source.as_str(), self.pieces.iter().map(|piece| piece.range.start))
    }

    /// The input with every reference replaced, at most `bytes_max` long.
    /// `result` gives the whole result of a call that succeeded, and `None` of
    /// one that did not.
    ///
    /// # Errors
    ///
    /// `invalid_input`: a path that is not there, naming what is, or an input
    /// that grew too long. `dependency_failed`: no result and no default.
    pub fn resolve<'r>(
        &self,
        bytes_max: usize,
        result: impl Fn(usize) -> Option<&'r Whole>,
    ) -> Result<Json, Failure> {
        let source = self.source.as_str();
        let mut input = Input { text: String::with_capacity(source.len()), bytes_max };
        let mut copied = 0;
        for piece in &self.pieces {
            input.push(&source[copied..piece.range.start])?;
            copied = piece.range.end;
            match &piece.by {
                By::Value(reading) => self.value(&mut input, reading, result(reading.from))?,
                By::Text(parts) => {
                    input.push("\"")?;
                    for part in parts {
                        match part {
                            Part::Literal(text) => input.push(text)?,
                            Part::Value(reading) => {
                                self.text(&mut input, reading, result(reading.from))?;
                            }
                        }
                    }
                    input.push("\"")?;
                }
            }
        }
        input.push(&source[copied..])?;
        Json::from_backend(input.text)
            .map_err(|(error, _)| invalid(format_args!("the input with its references: {error}")))
    }

    fn value(
        &self,
        to: &mut Input,
        reading: &Reading,
        whole: Option<&Whole>,
    ) -> Result<(), Failure> {
        match (read(reading, whole), &reading.default) {
            (Ok(found), _) => to.push_found(&found),
            (Err(_), Some(default)) => to.push(&self.source.as_str()[default.clone()]),
            (Err(failure), None) => Err(failure),
        }
    }

    fn text(
        &self,
        to: &mut Input,
        reading: &Reading,
        whole: Option<&Whole>,
    ) -> Result<(), Failure> {
        match read(reading, whole)? {
            Found::One(spot) => to.push_as_text(spot.raw()),
            many @ Found::Many(_) => {
                let mut array = Input { text: String::new(), bytes_max: to.bytes_max };
                array.push_found(&many)?;
                to.push_as_text(&array.text)
            }
        }
    }
}

fn readings(pieces: &[Piece]) -> impl Iterator<Item = &Reading> {
    pieces.iter().flat_map(|piece| {
        let (value, parts) = match &piece.by {
            By::Value(reading) => (Some(reading), &[][..]),
            By::Text(parts) => (None, &parts[..]),
        };
        value.into_iter().chain(parts.iter().filter_map(|part| match part {
            Part::Value(reading) => Some(reading),
            Part::Literal(_) => None,
        }))
    })
}

fn read<'a>(reading: &'a Reading, whole: Option<&'a Whole>) -> Result<Found<'a>, Failure> {
    let written = &reading.written;
    let whole = whole.ok_or_else(|| {
        let message = format!("`{written}` has nothing to read: that call did not succeed");
        Failure::new(FailureCode::DependencyFailed, message)
    })?;
    reading.path.read(whole).map_err(|missing| invalid(format_args!("`{written}`: {missing}")))
}

fn invalid(message: impl Display) -> Failure {
    Failure::new(FailureCode::InvalidInput, message.to_string())
}

/// The input as far as it is made.
struct Input {
    text: String,
    bytes_max: usize,
}

impl Input {
    fn push(&mut self, text: &str) -> Result<(), Failure> {
        if self.text.len() + text.len() > self.bytes_max {
            return Err(invalid(format_args!(
                "with its references replaced the input is longer than {} bytes; refer to less of the results",
                self.bytes_max
            )));
        }
        self.text.push_str(text);
        Ok(())
    }

    fn push_found(&mut self, found: &Found<'_>) -> Result<(), Failure> {
        match found {
            Found::One(spot) => self.push(spot.raw()),
            Found::Many(spots) => {
                self.push("[")?;
                for (place, spot) in spots.iter().enumerate() {
                    if place > 0 {
                        self.push(",")?;
                    }
                    self.push(spot.raw())?;
                }
                self.push("]")
            }
        }
    }

    /// A string's own characters; any other value as it is written.
    fn push_as_text(&mut self, raw: &str) -> Result<(), Failure> {
        match raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')) {
            Some(characters) => self.push(characters),
            None => {
                let token = serde_json::Value::from(raw).to_string();
                self.push(&token[1..token.len() - 1])
            }
        }
    }
}
