//! What `--uninject` must know to give back what was there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Written into the annotation `sidecall.dev/restore`. Places are named as
/// `volumes`, and with their container as `app.env`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    /// Keys that were not there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) absent: Vec<String>,
    /// What stood where nothing, `[]` or `{}` was written.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) was: BTreeMap<String, String>,
    /// Containers whose address of a server was set by others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) kept: Vec<String>,
}

impl Record {
    /// The annotation's text; none where there is nothing to know.
    pub(super) fn text(&self) -> Option<String> {
        let is_empty = *self == Self::default();
        (!is_empty).then(|| serde_json::to_string(self).unwrap_or_default())
    }

    /// Reads the annotation.
    pub(super) fn read(text: Option<&str>) -> Result<Self, String> {
        let Some(text) = text else { return Ok(Self::default()) };
        let record: Self = serde_json::from_str(text).map_err(|error| {
            format!(
                "`sidecall.dev/restore` cannot be read: {error}; take the sidecar out by hand, \
                     with this annotation and `sidecall.dev/injected`"
            )
        })?;
        match record.was.values().find(|was| !is_nothing(was)) {
            Some(was) => Err(format!(
                "`sidecall.dev/restore` says that `{was}` stood in the place of what was added, \
                 which is neither nothing nor empty"
            )),
            None => Ok(record),
        }
    }

    /// Whether a key was not there.
    pub(super) fn was_absent(&self, place: &str) -> bool {
        self.absent.iter().any(|absent| absent == place)
    }
}

/// Whether a text is a way to write nothing, `[]` or `{}`.
fn is_nothing(text: &str) -> bool {
    let text = text.trim();
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let inner = inner.or(text.strip_prefix('{').and_then(|text| text.strip_suffix('}')));
    inner.map_or(matches!(text, "" | "~" | "null" | "Null" | "NULL"), |inner| {
        inner.trim().is_empty()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_would_write_anything_else_is_refused() {
        for text in ["{", r#"{"was":{"volumes":"[1]"}}"#, r#"{"was":{"volumes":"a: b"}}"#] {
            assert!(Record::read(Some(text)).is_err(), "{text}");
        }
        assert!(Record::read(Some(r#"{"absent":["volumes"],"is":1}"#)).is_err());
        let known = r#"{"was":{"volumes":"[ ]","app.env":"~"}}"#;
        assert_eq!(Record::read(Some(known)).unwrap().was.len(), 2);
    }

    #[test]
    fn nothing_to_know_is_not_written() {
        assert_eq!(Record::default().text(), None);
        let record = Record { absent: vec!["volumes".to_owned()], ..Record::default() };
        assert_eq!(record.text().unwrap(), r#"{"absent":["volumes"]}"#);
        assert_eq!(Record::read(record.text().as_deref()).unwrap(), record);
    }
}
