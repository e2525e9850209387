//! One YAML file, and every part's settings composed of it.
//!
//! [`load`] reads a file, [`read`] a text. Either all of it holds or nothing
//! does: every fault is reported at once, with its place and what to write
//! instead.
//!
//! - `file`: YAML as a tree of places, and a decoder that does not stop.
//! - `declared`: every key, once: it is decoded and published by it.
//! - `compile`: the checks across keys, and the parts' settings.
//! - `env`: the only reader of the environment.
//! - `error`: what is wrong, for the person who wrote it.
//! - `sources`: the files that it was read from.
//! - `fixed`: what of it takes a restart.

use std::{
    io::Read,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    admin,
    backend::{
        http::{ApiSettings, RequestSettings},
        worker,
    },
    model::ApiName,
    overload,
    registry::{self, offers},
    retry, rpc, schedule, telemetry,
};

mod compile;
mod declared;
pub mod env;
pub mod error;
mod file;
mod fixed;
mod sources;

pub use error::{Error, Fault, Faults, Warnings};
pub(crate) use file::scalar::duration;
pub use fixed::Fixed;
pub use sources::Sources;

/// What the file says, composed of every part's settings.
#[derive(Debug)]
pub struct Config {
    /// Where the server listens.
    pub listen: rpc::listen::Settings,
    /// Where operators and probes ask.
    pub admin: Option<admin::Settings>,
    /// Who may call; everyone who reaches a listener, where nothing is said.
    pub callers: Option<rpc::auth::Settings>,
    /// The sizes of the wire.
    pub rpc: rpc::Settings,
    /// The upstreams.
    pub apis: Vec<ApiSettings>,
    /// The tools, each with its request; its API is one of `apis`.
    pub tools: Vec<(registry::tool::Settings, RequestSettings)>,
    /// How each API's failed attempts are made again, all of its tools sharing one
    /// budget.
    pub retries: Vec<(ApiName, retry::Settings)>,
    /// What is admitted and what runs at once.
    pub bounds: schedule::Settings,
    /// What the machine lets the process have, and what it does where that runs out.
    pub overload: overload::Settings,
    /// How workers are run.
    pub workers: worker::Settings,
    /// What they may offer.
    pub offers: offers::Settings,
    /// How the process logs.
    pub log: telemetry::log::Settings,
    /// What it tells others of itself.
    pub telemetry: telemetry::Settings,
    /// How long running batches may go on once the process is told to stop.
    pub drain_timeout: Duration,
    /// What is no fault, and most likely not meant.
    pub warnings: Warnings,
}

/// Reads a file; `-` is standard input.
///
/// # Errors
///
/// A file that cannot be read, or everything that is wrong with it.
pub fn load(path: &Path) -> Result<Config, Error> {
    load_from(path).0
}

/// The same, with what it was read from, whether it holds or not.
pub fn load_from(path: &Path) -> (Result<Config, Error>, Sources) {
    let recording = sources::Recording::new(&env::Process);
    let text = text_of(path);
    let seen = text.as_ref().map(|(_, text)| text.as_bytes());
    recording.saw(path, seen.map_err(ToString::to_string));
    let directory = path.parent().map(Path::to_path_buf).unwrap_or_default();
    let (config, text) = match text {
        Ok((name, text)) => {
            (read_in(&name, &text, &recording, directory).map_err(Error::from), Some(text))
        }
        Err(error) => (Err(error), None),
    };
    (config, recording.end(text.as_deref()))
}

/// Reads a text. `name` is what messages call it; files that it names are sought
/// from the working directory.
///
/// # Errors
///
/// Everything that is wrong with it.
pub fn read(name: &str, text: &str, environment: &dyn env::Environment) -> Result<Config, Faults> {
    read_in(name, text, environment, PathBuf::new())
}

/// The JSON Schema of the file, draft 2020-12.
pub fn schema() -> serde_json::Value {
    use file::Setting;

    let mut schema = declared::Root::schema();
    if let serde_json::Value::Object(keywords) = &mut schema {
        let draft = "https://json-schema.org/draft/2020-12/schema";
        keywords.insert("$schema".to_owned(), draft.into());
        keywords.insert("title".to_owned(), "Sidecall configuration".into());
    }
    schema
}

fn read_in(
    name: &str,
    text: &str,
    environment: &dyn env::Environment,
    directory: PathBuf,
) -> Result<Config, Faults> {
    use file::Setting;

    let source = file::Source::new(text.strip_prefix('\u{feff}').unwrap_or(text));
    let mut decoder = file::Decoder::new(&source, environment, directory);
    let config = file::parse::parse(&mut decoder)
        .and_then(|node| declared::Root::decode(&node, &mut decoder))
        .and_then(|root| compile::compile(root, &mut decoder));
    let (faults, warnings) = decoder.finish();
    match config {
        Some(config) if faults.is_empty() => {
            Ok(Config { warnings: Warnings { name: name.to_owned(), warnings }, ..config })
        }
        _ => Err(Faults { name: name.to_owned(), faults }),
    }
}

/// The file's name for people, and its text.
fn text_of(path: &Path) -> Result<(String, String), Error> {
    let is_stdin = path == Path::new("-");
    let name = if is_stdin { "<stdin>".to_owned() } else { path.display().to_string() };
    let mut bytes = Vec::new();
    let most = file::parse::BYTES_MAX as u64 + 1;
    let read = if is_stdin {
        std::io::stdin().lock().take(most).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes))
    };
    let unreadable = |what: String, fix: &str| Error::Unreadable {
        name: name.clone(),
        what,
        fix: fix.to_owned(),
    };
    read.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => unreadable(
            "there is no such file".to_owned(),
            "name the configuration with `-c FILE` or `SIDECALL_CONFIG`",
        ),
        _ => unreadable(format!("cannot be read: {error}"), "name a file that may be read"),
    })?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok((name, text)),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let what = format!("is not UTF-8 at byte {at}");
            Err(unreadable(what, "save it as UTF-8"))
        }
    }
}

#[cfg(test)]
mod tests;
