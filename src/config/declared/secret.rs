//! Secrets: named in the file, never written in it.

use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value as Schema;

use crate::{
    config::{
        env::Variable,
        file::{Decoder, Fields, Node, Object, Setting, Span, node::Value},
    },
    model::Secrets,
};

/// A secret that was fetched.
#[derive(Debug)]
pub(crate) struct Secret(pub(crate) SecretString);

impl Setting for Secret {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let fix = "write `{env: NAME}` and set the variable, or `{file: PATH}`";
        not_written_out(node, decoder, "a secret is not written into the file", fix)?;
        let secret = SecretString::from(Origin::decode(node, decoder)?.0);
        let bytes = secret.expose_secret().len();
        if bytes < Secrets::BYTES_MIN {
            let place = decoder.place(node.span);
            let what = format!("a secret of {bytes} bytes cannot be kept out of logs and traces");
            decoder.warn(&place, what, "use a longer one: so short a text is in every other");
        }
        decoder.keeps(secret.clone());
        Some(Self(secret))
    }

    fn schema() -> Schema {
        Origin::schema()
    }
}

/// `None`, and a fault, where it stands in the file itself; what it says is shown
/// nowhere.
pub(crate) fn not_written_out(
    node: &Node,
    decoder: &mut Decoder<'_>,
    what: &str,
    fix: &str,
) -> Option<()> {
    if !matches!(node.value, Value::Scalar(_)) || node.is_null() {
        return Some(());
    }
    decoder.mask(node.span);
    decoder.fault(node.span, what, fix);
    None
}

/// Where a secret was found: its text.
struct Origin(String);

impl Object for Origin {
    const WHAT: &'static str = "a secret";
    const DOC: &'static str = "A secret: `{env: NAME}` or `{file: PATH}`.";

    fn declare(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let (variable, file) = elsewhere(fields);
        fields.alternatives(&["env", "file"], true);
        variable?.xor(file?).map(Self)
    }
}

/// `env` and `file`: the texts that are there.
pub(crate) fn elsewhere(
    fields: &mut Fields<'_, '_>,
) -> (Option<Option<String>>, Option<Option<String>>) {
    let variable =
        fields.optional::<VariableText>("env", "The environment variable that holds it.");
    let file = fields.optional::<FileText>(
        "file",
        "The file that holds it; a relative path is sought beside the configuration. A line \
         break at its end is left out.",
    );
    (
        variable.map(|found| found.map(|VariableText(text)| text)),
        file.map(|found| found.map(|FileText(text)| text)),
    )
}

struct VariableText(String);

impl Setting for VariableText {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let name = String::decode(node, decoder)?;
        let is_name = !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !is_name {
            // `env: sk-live-…` is a slip that must not end in a log.
            decoder.mask(node.span);
            let fix = "write its name, such as `CRM_TOKEN`, without `$`";
            decoder.fault(node.span, "this is no name of an environment variable", fix);
            return None;
        }
        let (what, fix) = match decoder.environment().variable(&name) {
            Variable::Set(text) if !text.trim().is_empty() => return Some(Self(text)),
            Variable::Set(_) => ("is empty", "give it a value"),
            Variable::Missing => ("is not set", "set it where this runs, or name another"),
            Variable::NotUnicode => ("is not UTF-8", "give it a value that is text"),
        };
        decoder.fault(node.span, format!("the environment variable `{name}` {what}"), fix);
        None
    }

    fn schema() -> Schema {
        serde_json::json!({"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"})
    }
}

struct FileText(String);

impl Setting for FileText {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let bytes = file(node, decoder)?;
        let fix = "write the secret, and nothing else, into it";
        let Ok(mut text) = String::from_utf8(bytes) else {
            decoder.fault(node.span, "the file is not UTF-8", fix);
            return None;
        };
        text.truncate(text.trim_end_matches(['\r', '\n']).len());
        if text.trim().is_empty() {
            decoder.fault(node.span, "the file is empty", fix);
            return None;
        }
        Some(Self(text))
    }

    fn schema() -> Schema {
        PathBuf::schema()
    }
}

/// The bytes of the file that a node names.
pub(crate) fn file(node: &Node, decoder: &mut Decoder<'_>) -> Option<Vec<u8>> {
    let name = PathBuf::decode(node, decoder)?;
    let path = decoder.path_of(&name.to_string_lossy());
    match decoder.environment().file(&path) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            let what = format!("the file `{}` cannot be read: {error}", path.display());
            let fix = "write the path of a file that this process may read";
            decoder.fault(Span { ..node.span }, what, fix);
            None
        }
    }
}
