//! Optimistic concurrency: a change is made only to the version that was read.
//!
//! A field of the input carries that version. It goes out as `If-Match` (RFC
//! 9110, section 13.1.1), or wherever another slot of the request takes the
//! field; what the API then refuses is told to the model as what it is.

use http::{HeaderValue, StatusCode};

use crate::model::{
    FailureCode, RetryAdvice, ToolName,
    slot::{Input, Slot},
};

/// Most bytes of an entity-tag: some servers take no longer headers.
const TAG_BYTES_MAX: usize = 1024;
/// Most characters of a version that a message quotes.
const SHOWN_CHARS_MAX: usize = 80;

/// Which version a tool changes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Version {
    /// The field of the input that carries it.
    pub slot: Slot,
    /// Tools that read what this one changes, to be named to the model.
    pub readers: Vec<ToolName>,
}

/// What one request said of the version that it changes.
#[derive(Debug)]
pub(super) struct Claimed {
    field: Box<str>,
    value: Option<Box<str>>,
    readers: Box<str>,
    /// An attempt of the same call came before.
    is_again: bool,
}

impl Version {
    /// The input's version as an entity-tag; `None` where it has none.
    ///
    /// A value in quotes is an entity-tag already, weak ones (`W/"…"`) among
    /// them: they are sent as they are, since some APIs (OData's) take them in
    /// spite of the strong comparison that the RFC asks for. Any other value is
    /// put in quotes.
    ///
    /// # Errors
    ///
    /// For the model: what cannot be the version of anything.
    pub(super) fn entity_tag(&self, input: &Input<'_>) -> Result<Option<HeaderValue>, String> {
        let Some(text) = input.text(&self.slot) else { return Ok(None) };
        let text = text.trim();
        let refused =
            |why: &str| Err(format!("`{}` is the version to change and {why}", self.slot));
        if text == "*" {
            return refused("`*` would change whatever is there; give the version that was read");
        }
        let quoted = text.strip_prefix("W/").unwrap_or(text);
        let tag = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        // One of a single `"` has lost the other.
        let (opaque, is_tag) = match tag {
            Some(opaque) => (opaque, true),
            None => (text, false),
        };
        if !is_tag && opaque.is_empty() {
            return refused("must not be empty; give the version that was read");
        }
        if !opaque.bytes().all(|byte| matches!(byte, b'!' | b'#'..=b'~')) {
            return refused("holds a character that no version has; give it as it was read");
        }
        if opaque.len() > TAG_BYTES_MAX {
            return refused("is too long for one; give it as it was read");
        }
        let tag = if is_tag { text.to_owned() } else { format!("\"{opaque}\"") };
        HeaderValue::try_from(tag).map(Some).or_else(|_| refused("cannot be sent"))
    }

    /// What a request made of `input` says.
    pub(super) fn claimed(&self, input: &Input<'_>, attempt: u32) -> Claimed {
        let value = input.text(&self.slot).map(|text| {
            let mut shown: String = text.chars().take(SHOWN_CHARS_MAX).collect();
            if shown.len() < text.len() {
                shown.push('…');
            }
            shown.into()
        });
        let readers: Vec<&str> = self.readers.iter().map(ToolName::as_str).collect();
        Claimed {
            field: self.slot.to_string().into(),
            value,
            readers: readers.join(" or ").into(),
            is_again: attempt > 1,
        }
    }
}

impl Claimed {
    /// What an answer says of it: the code, what helps and a sentence for the
    /// model. `None` where the status alone says as much.
    pub(super) fn refusal(&self, status: StatusCode) -> Option<(FailureCode, RetryAdvice, String)> {
        let Self { field, readers, .. } = self;
        let with = if readers.is_empty() { String::new() } else { format!(" with {readers}") };
        match (status.as_u16(), &self.value) {
            (409 | 412, Some(value)) => {
                let mut hint = format!(
                    "It did not change version `{value}` (`{field}`), most likely since that is \
                     not the present one any more. Read it again{with}, decide anew by what it \
                     holds now, and give the version that comes with it"
                );
                if self.is_again {
                    hint.push_str(
                        ". An earlier attempt of this very call had no answer and may have made \
                         the change itself",
                    );
                }
                if value.starts_with("W/") {
                    hint.push_str(
                        ". Where the version has not changed, the API takes no weak version (`W/`), \
                         and its operator must mend that",
                    );
                }
                Some((FailureCode::Conflict, RetryAdvice::VerifyFirst, hint))
            }
            // It wants a precondition, and there is a field for it.
            (428, None) => {
                let hint = format!(
                    "It wants to know which version is changed: read it{with}, and give the \
                     version that comes with it as `{field}`"
                );
                Some((FailureCode::ToolError, RetryAdvice::ChangedInput, hint))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::slot::{Piece, pieces};

    fn version(readers: &[&str]) -> Version {
        let Some((_, Piece::Slot(slot))) = pieces("{etag}").unwrap().pop() else { unreachable!() };
        let readers = readers.iter().map(|name| ToolName::try_new(*name).unwrap()).collect();
        Version { slot, readers }
    }

    fn tag(input: &str) -> Result<Option<String>, String> {
        let tag = version(&[]).entity_tag(&Input::new(input).unwrap())?;
        Ok(tag.map(|tag| tag.to_str().unwrap().to_owned()))
    }

    #[test]
    fn what_is_no_version_is_refused_with_the_fields_name() {
        for (value, why) in [
            (r#""*""#, "`*` would change whatever is there"),
            (r#"" * ""#, "`*` would change whatever is there"),
            (r#""""#, "must not be empty"),
            (r#""  ""#, "must not be empty"),
            (r#""a b""#, "no version has"),
            (r#""\"a b\"""#, "no version has"),
            (r#""\"a\", \"b\"""#, "no version has"),
            (r#""\"a""#, "no version has"),
            (r#""a\"""#, "no version has"),
            (r#""\"""#, "no version has"),
            (r#""W/\"a""#, "no version has"),
            (r#""W/\"a b\"""#, "no version has"),
            (r#""größe""#, "no version has"),
            (r#""a\r\nX: y""#, "no version has"),
            (r#"["a"]"#, "no version has"),
            (&format!("\"{}\"", "x".repeat(TAG_BYTES_MAX + 1)), "too long"),
        ] {
            let error = tag(&format!(r#"{{"etag": {value}}}"#)).unwrap_err();
            assert!(error.starts_with("`etag` is the version to change and "), "{error}");
            assert!(error.contains(why), "{value}: {error}");
        }
    }

    #[test]
    fn a_version_becomes_one_entity_tag() {
        for (value, is) in [
            (r#""33a6""#, r#""33a6""#),
            (r#"" 33a6 ""#, r#""33a6""#),
            (r#""\"33a6\"""#, r#""33a6""#),
            (r#""\"\"""#, r#""""#),
            (r#""W/\"33a6\"""#, r#"W/"33a6""#),
            (r#""w/33a6""#, r#""w/33a6""#),
            (r#""W/33a6""#, r#""W/33a6""#),
            (r#""\"*\"""#, r#""*""#),
            ("7", r#""7""#),
            ("1.10", r#""1.10""#),
            ("12345678901234567890123", r#""12345678901234567890123""#),
        ] {
            assert_eq!(tag(&format!(r#"{{"etag": {value}}}"#)).unwrap().unwrap(), is, "{value}");
        }
        for absent in ["{}", r#"{"etag": null}"#, r#"{"other": "x"}"#] {
            assert_eq!(tag(absent).unwrap(), None, "{absent}");
        }
    }

    #[test]
    fn a_refused_version_is_named_with_what_reads_the_present_one() {
        let refusal = |readers: &[&str], input: &str, attempt, status| {
            let claimed = version(readers).claimed(&Input::new(input).unwrap(), attempt);
            claimed.refusal(StatusCode::from_u16(status).unwrap())
        };
        for status in [409, 412] {
            let (code, retry, hint) =
                refusal(&["get_user", "find_user"], r#"{"etag": "\"a\""}"#, 1, status).unwrap();
            assert_eq!((code, retry), (FailureCode::Conflict, RetryAdvice::VerifyFirst));
            assert!(hint.contains("version `\"a\"` (`etag`)"), "{hint}");
            assert!(hint.contains("Read it again with get_user or find_user, decide"), "{hint}");
            assert!(!hint.contains("earlier attempt") && !hint.contains("weak"), "{hint}");
        }
        let (.., hint) = refusal(&[], r#"{"etag": "W/\"a\""}"#, 2, 412).unwrap();
        assert!(hint.contains("Read it again, decide"), "{hint}");
        assert!(hint.contains("may have made the change itself"), "{hint}");
        assert!(hint.contains("takes no weak version"), "{hint}");
        let long = format!(r#"{{"etag": "{}"}}"#, "ö".repeat(500));
        let (.., hint) = refusal(&[], &long, 1, 412).unwrap();
        assert!(hint.contains(&format!("`{}…`", "ö".repeat(SHOWN_CHARS_MAX))), "{hint}");

        let (code, retry, hint) = refusal(&["get_user"], "{}", 1, 428).unwrap();
        assert_eq!((code, retry), (FailureCode::ToolError, RetryAdvice::ChangedInput));
        assert!(hint.contains("read it with get_user, and give") && hint.contains("`etag`"));

        // What the status alone says holds.
        assert!(refusal(&[], "{}", 1, 412).is_none());
        assert!(refusal(&[], r#"{"etag": 1}"#, 1, 428).is_none());
        assert!(refusal(&[], r#"{"etag": 1}"#, 1, 423).is_none());
        assert!(refusal(&[], r#"{"etag": 1}"#, 1, 500).is_none());
    }
}
