//! What a configuration was read from: its file, and the files that it names.

use std::{
    cell::RefCell,
    io,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::env::{Environment, Variable};

/// The files that a configuration was read from, and what was in them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Sources {
    /// The configuration, and the files that it names, in the order in which they
    /// were read.
    pub files: Vec<PathBuf>,
    /// A hash of all that was in them: another one where anything has changed.
    pub fingerprint: [u8; 32],
    /// Whether nothing stands in the configuration itself: whoever writes it has only
    /// begun, or had no room.
    pub is_empty: bool,
}

/// An environment that takes down what is read of it.
pub(super) struct Recording<'a> {
    inner: &'a dyn Environment,
    seen: RefCell<Seen>,
}

#[derive(Default)]
struct Seen {
    files: Vec<PathBuf>,
    hash: Sha256,
}

impl<'a> Recording<'a> {
    pub(super) fn new(inner: &'a dyn Environment) -> Self {
        Self { inner, seen: RefCell::default() }
    }

    /// This was in a file; or this is why it cannot be read.
    pub(super) fn saw(&self, path: &Path, content: Result<&[u8], String>) {
        let mut seen = self.seen.borrow_mut();
        let (is_read, content) = match &content {
            Ok(content) => (1, *content),
            Err(why) => (0, why.as_bytes()),
        };
        for part in [path.as_os_str().as_encoded_bytes(), &[is_read], content] {
            seen.hash.update(part.len().to_be_bytes());
            seen.hash.update(part);
        }
        if !seen.files.iter().any(|file| file == path) {
            seen.files.push(path.to_owned());
        }
    }

    /// All of it was read, of a configuration that is this.
    pub(super) fn end(self, text: Option<&str>) -> Sources {
        let Seen { files, hash } = self.seen.into_inner();
        let is_empty = text.is_some_and(str::is_empty);
        Sources { files, fingerprint: hash.finalize().into(), is_empty }
    }
}

impl Environment for Recording<'_> {
    fn variable(&self, name: &str) -> Variable {
        // Those of a process do not change while it runs.
        self.inner.variable(name)
    }

    fn file(&self, path: &Path) -> io::Result<Vec<u8>> {
        let read = self.inner.file(path);
        self.saw(path, read.as_deref().map_err(ToString::to_string));
        read
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::load_from;

    #[test]
    fn every_file_that_is_read_is_known_and_every_change_of_one() {
        let folder = tempfile::tempdir().unwrap();
        let (file, token) = (folder.path().join("sidecall.yaml"), folder.path().join("token"));
        let yaml = "apis: {crm: {url: 'http://crm', auth: {bearer: {file: token}}}}\n";
        let read = || {
            let (config, sources) = load_from(&file);
            (config.is_ok(), sources)
        };
        let mut seen = Vec::new();
        let mut is_new = |is_good: bool, files: &[&PathBuf]| {
            let (was_good, sources) = read();
            assert_eq!(was_good, is_good);
            assert!(!sources.is_empty);
            assert_eq!(sources.files.iter().collect::<Vec<_>>(), files);
            assert_eq!(read(), (was_good, sources.clone()), "nothing has changed");
            assert!(!seen.contains(&sources.fingerprint));
            seen.push(sources.fingerprint);
        };
        is_new(false, &[&file]);
        fs::write(&file, yaml).unwrap();
        is_new(false, &[&file, &token]);
        fs::write(&token, "first-token").unwrap();
        is_new(true, &[&file, &token]);
        fs::write(&token, "second-token").unwrap();
        is_new(true, &[&file, &token]);
        fs::write(&file, format!("{yaml}# more")).unwrap();
        is_new(true, &[&file, &token]);
        fs::write(&file, "apis: {}").unwrap();
        is_new(true, &[&file]);
        fs::write(&file, "").unwrap();
        assert!(read().1.is_empty);
    }
}
