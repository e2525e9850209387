//! The environment: the only place that reads it.

use std::{io::Read, path::Path};

/// Where secrets come from.
pub trait Environment {
    /// The value of a variable.
    fn variable(&self, name: &str) -> Variable;

    /// The text of a file, up to [`FILE_BYTES_MAX`] bytes.
    ///
    /// # Errors
    ///
    /// That of the file system; `InvalidData` where it is too large or not UTF-8.
    fn file(&self, path: &Path) -> std::io::Result<Vec<u8>>;
}

/// Most bytes of a file that the configuration names.
pub const FILE_BYTES_MAX: u64 = 1 << 20;

/// What a variable holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Variable {
    /// This.
    Set(String),
    /// It is not set.
    Missing,
    /// Something that is not UTF-8.
    NotUnicode,
}

/// The environment of this process.
#[derive(Clone, Copy, Debug)]
pub struct Process;

impl Environment for Process {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads it")]
    fn variable(&self, name: &str) -> Variable {
        match std::env::var(name) {
            Ok(value) => Variable::Set(value),
            Err(std::env::VarError::NotPresent) => Variable::Missing,
            Err(std::env::VarError::NotUnicode(_)) => Variable::NotUnicode,
        }
    }

    fn file(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path)?;
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            let error = format!("it has more than {FILE_BYTES_MAX} bytes");
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, error));
        }
        Ok(bytes)
    }
}
