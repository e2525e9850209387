//! What decoding needs: where it is, and whom to tell.

use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value as Schema, json};

use super::{
    Node, Source, Span,
    node::{Scalar, Value},
};
use crate::{
    config::{
        env::Environment,
        error::{Fault, Finding},
    },
    model::Secrets,
};

/// Something that a file can set.
pub(crate) trait Setting: Sized {
    /// Reads it. `None` where that cannot be done; why is reported then.
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self>;

    /// What it must look like, as JSON Schema.
    fn schema() -> Schema;
}

/// A setting that can be written as the file would have it: for defaults.
pub(crate) trait Shown: Setting {
    /// The value as the file would have it.
    fn shown(&self) -> Schema;
}

/// A setting that names something: a mapping's key.
pub(crate) trait Name: Sized {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// What is wrong, what to write instead, and at which byte.
    fn read(text: &str) -> Result<Self, (usize, String, String)>;

    /// Whether what stands behind it must not end in a message.
    fn is_secret(text: &str) -> bool {
        let _ = text;
        false
    }

    /// What it must look like, as JSON Schema.
    fn schema() -> Schema;
}

/// Where a setting stands.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Place {
    /// In the file.
    pub(crate) span: Span,
    /// `tools.get_user.http`.
    pub(crate) path: String,
}

/// A setting that remembers where it stands, for what is found later.
#[derive(Clone, Debug)]
pub(crate) struct Placed<T> {
    /// The setting.
    pub(crate) value: T,
    /// Where it stands.
    pub(crate) place: Place,
}

impl<T: Setting> Setting for Placed<T> {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let place = decoder.place(node.span);
        Some(Self { value: T::decode(node, decoder)?, place })
    }

    fn schema() -> Schema {
        T::schema()
    }
}

/// A mapping from names to settings, in the order of the file.
#[derive(Debug)]
pub(crate) struct Map<K, V>(pub(crate) Vec<Entry<K, V>>);

/// One entry. What is `None` was reported; the rest is still of use.
#[derive(Debug)]
pub(crate) struct Entry<K, V> {
    /// The name as it was written.
    pub(crate) text: String,
    /// The name.
    pub(crate) name: Option<K>,
    /// Where the name stands.
    pub(crate) place: Place,
    /// What it names.
    pub(crate) value: Option<V>,
}

impl<K, V> Default for Map<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Name, V: Setting> Setting for Map<K, V> {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        if node.is_null() {
            return Some(Self::default());
        }
        let Value::Mapping(entries) = &node.value else {
            decoder.mismatch(node, "a mapping of names");
            return None;
        };
        let entry = |(key, value): &(super::node::Key, Node)| {
            decoder.within(Step::Key(key.text.clone()), key.span, |decoder| {
                let name = match K::read(&key.text) {
                    Ok(name) => Some(name),
                    Err((offset, what, fix)) => {
                        if K::is_secret(&key.text) {
                            decoder.mask(value.span);
                        }
                        decoder.fault_in(key.span, &key.text, offset, what, fix);
                        None
                    }
                };
                let place = decoder.place(key.span);
                let value = V::decode(value, decoder);
                Entry { text: key.text.clone(), name, place, value }
            })
        };
        Some(Self(entries.iter().map(entry).collect()))
    }

    fn schema() -> Schema {
        json!({
            "type": ["object", "null"],
            "propertyNames": K::schema(),
            "additionalProperties": V::schema(),
        })
    }
}

impl<T: Setting> Setting for Vec<T> {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let Value::Sequence(items) = &node.value else {
            decoder.mismatch(node, "a list");
            return None;
        };
        let item = |(index, item): (usize, &Node)| {
            decoder.within(Step::Index(index), item.span, |decoder| T::decode(item, decoder))
        };
        // A faulty item is reported; the others are still of use.
        Some(items.iter().enumerate().filter_map(item).collect())
    }

    fn schema() -> Schema {
        json!({"type": "array", "items": T::schema()})
    }
}

/// One step from the root to a setting.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Into a mapping.
    Key(String),
    /// Into a list, from 0.
    Index(usize),
}

/// Where decoding is, what it may read, and what was found.
pub(crate) struct Decoder<'a> {
    source: &'a Source,
    environment: &'a dyn Environment,
    directory: PathBuf,
    steps: Vec<(Step, Span)>,
    findings: Vec<Finding>,
    warnings: Vec<Finding>,
    masks: Vec<Span>,
    secrets: Vec<SecretString>,
}

impl<'a> Decoder<'a> {
    /// Decodes `source`; files that it names are sought from `directory`.
    pub(crate) fn new(
        source: &'a Source,
        environment: &'a dyn Environment,
        directory: PathBuf,
    ) -> Self {
        Self {
            source,
            environment,
            directory,
            steps: Vec::new(),
            findings: Vec::new(),
            warnings: Vec::new(),
            masks: Vec::new(),
            secrets: Vec::new(),
        }
    }

    /// What is decoded.
    pub(crate) fn source(&self) -> &'a Source {
        self.source
    }

    /// Where secrets come from.
    pub(crate) fn environment(&self) -> &'a dyn Environment {
        self.environment
    }

    /// The file of that name; a relative name is sought beside the configuration.
    pub(crate) fn path_of(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Goes one step down for the time of `run`.
    pub(crate) fn within<T>(
        &mut self,
        step: Step,
        span: Span,
        run: impl FnOnce(&mut Self) -> T,
    ) -> T {
        self.steps.push((step, span));
        let done = run(self);
        self.steps.pop();
        done
    }

    /// Where the key stands whose value is being decoded.
    pub(crate) fn holder(&self) -> Span {
        self.steps.last().map_or_else(Span::default, |(_, span)| *span)
    }

    /// The place of `span` in the setting that is being decoded.
    pub(crate) fn place(&self, span: Span) -> Place {
        Place { span, path: self.path() }
    }

    fn path(&self) -> String {
        let mut path = String::new();
        for (step, _) in &self.steps {
            match step {
                Step::Index(index) => path.push_str(&format!("[{index}]")),
                Step::Key(key) => push_key(&mut path, key),
            }
        }
        path
    }

    /// Whether nothing was found so far.
    pub(crate) fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// Reports a fault at `span` of the setting that is being decoded.
    pub(crate) fn fault(&mut self, span: Span, what: impl Into<String>, fix: impl Into<String>) {
        let place = self.place(span);
        self.fault_at(&place, what, fix);
    }

    /// Reports a fault at a place that was remembered.
    pub(crate) fn fault_at(
        &mut self,
        place: &Place,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) {
        let Place { span, path } = place.clone();
        self.findings.push(Finding { span, path, what: what.into(), fix: fix.into() });
    }

    /// Reports a fault at a byte of a text that stands at `span`.
    pub(crate) fn fault_in(
        &mut self,
        span: Span,
        text: &str,
        offset: usize,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.fault(self.byte_of(span, text, offset), what, fix);
    }

    /// The place of a byte of a text, where the file has the text as it is; else
    /// of the whole text.
    pub(crate) fn byte_of(&self, span: Span, text: &str, offset: usize) -> Span {
        let written = self.source.slice(span);
        let quote = usize::from(written.starts_with(['"', '\'']));
        match written.get(quote..quote + text.len()) {
            Some(same) if same == text && (1..text.len()).contains(&offset) => {
                let end = span.start + quote + text.len();
                Span { start: (span.start + quote + offset).min(end), end }
            }
            _ => span,
        }
    }

    /// Reports that something else was expected.
    pub(crate) fn mismatch(&mut self, node: &Node, expected: &str) {
        if matches!(node.value, Value::Unknown) {
            return;
        }
        let short = expected.split(':').next().unwrap_or(expected);
        let what = match node.is_null() {
            true => format!("nothing is written here, where {short} belongs"),
            false => format!("this is {}, not {short}", node.kind()),
        };
        let fix = match (&node.value, node.as_unquoted_slot()) {
            (_, Some(slot)) => quoted_slot(slot),
            _ if node.is_null() => format!("write {expected}, or leave the key out"),
            (Value::Scalar(Scalar { text, .. }), _) if expected == "a string" => {
                format!("write \"{text}\" in quotes to make it a string")
            }
            (Value::Scalar(Scalar { text, .. }), _) if expected == "a list" => {
                format!("write `[{text}]`")
            }
            _ => format!("write {expected}"),
        };
        self.fault(node.span, what, fix);
    }

    /// Keeps what stands at `span` out of every message.
    pub(crate) fn mask(&mut self, span: Span) {
        self.masks.push(span);
    }

    /// Remembers a secret that was fetched.
    pub(crate) fn keeps(&mut self, secret: SecretString) {
        self.secrets.push(secret);
    }

    /// Every secret that was fetched so far.
    pub(crate) fn secrets(&self) -> Secrets {
        Secrets::new(self.secrets.iter().map(ExposeSecret::expose_secret))
    }

    /// Reports what is no fault, and most likely not meant.
    pub(crate) fn warn(&mut self, place: &Place, what: impl Into<String>, fix: impl Into<String>) {
        let Place { span, path } = place.clone();
        self.warnings.push(Finding { span, path, what: what.into(), fix: fix.into() });
    }

    /// The faults and the warnings, each in the order of the file.
    pub(crate) fn finish(self) -> (Vec<Fault>, Vec<Fault>) {
        let spelt_out = |mut findings: Vec<Finding>| {
            findings.sort_by_key(|finding| finding.span);
            let faults = findings.into_iter();
            let mut faults: Vec<_> =
                faults.map(|finding| Fault::new(self.source, &self.masks, finding)).collect();
            // An alias repeats what it names, faults and all.
            let same = |fault: &Fault| (fault.line, fault.column, fault.what.clone());
            faults.dedup_by_key(|fault| same(fault));
            faults
        };
        (spelt_out(self.findings), spelt_out(self.warnings))
    }
}

/// How to write a slot that YAML took for a mapping.
pub(crate) fn quoted_slot(slot: &str) -> String {
    format!("write \"{{{slot}}}\" in quotes: without them YAML reads `{{` as a mapping")
}

/// Adds a key to a path; one that is no plain word is quoted.
pub(crate) fn push_key(path: &mut String, key: &str) {
    let is_plain = !key.is_empty()
        && key.chars().all(|c| c.is_alphanumeric() || "_-$".contains(c))
        && key.len() <= 64;
    if is_plain {
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(key);
    } else {
        let mut short: String = key.chars().take(64).collect();
        if short.len() < key.len() {
            short.push('…');
        }
        path.push_str(&format!("[{short:?}]"));
    }
}
