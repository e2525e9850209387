//! Results that a tool writes in the API's own blocks.
//!
//! Some content of a `tool_result` has no other words: search results with their
//! sources, references to tools, the state of a browser. A tool that returns an array
//! of such blocks is taken at its word, as far as the API would take it: one block
//! that it refuses would make the whole conversation invalid, so whatever is not
//! known to be right goes in as the JSON that it is.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, de::Error};

use crate::{
    format::writer::{File, file},
    model::json::elements,
};

/// A text with something in it.
#[derive(Debug)]
struct Words;

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: serde::Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let text = String::deserialize(source)?;
        if text.trim().is_empty() { Err(D::Error::custom("an empty text")) } else { Ok(Self) }
    }
}

/// A block of a `tool_result`'s content, as the SDKs' types have it.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[expect(dead_code, reason = "only whether it can be read is asked")]
enum Block {
    Text { text: Words },
    Image { source: Source },
    Document { source: Source, title: Option<Words>, context: Option<Words> },
    SearchResult { source: Words, title: Words, content: Vec<Line>, citations: Option<Citations> },
    ToolReference { tool_name: Words },
    BrowserState { tabs: Vec<Tab>, state_changes: Option<Vec<Change>> },
}

/// A text block alone.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[expect(dead_code, reason = "only whether it can be read is asked")]
enum Line {
    Text { text: Words },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only whether it can be read is asked")]
struct Citations {
    enabled: bool,
}

/// Where an image or a document comes from.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Source {
    Base64 { media_type: String, data: String },
    Url { url: String },
    Text { media_type: String, data: String },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only whether it can be read is asked")]
struct Tab {
    tab_id: Words,
    title: String,
    url: String,
    #[serde(default)]
    active: bool,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[expect(dead_code, reason = "only whether it can be read is asked")]
enum Change {
    TabOpened {
        tab_id: Words,
    },
    DownloadStarted {
        download_id: Words,
        url: Words,
    },
    DownloadCompleted {
        download_id: Words,
        url: Words,
        path: Option<Words>,
        size_bytes: Option<u64>,
    },
    DownloadFailed {
        download_id: Words,
        url: Words,
        error: Option<Words>,
    },
}

/// The blocks of a result that is an array of them, as source text; `None` where it
/// is anything else, or the API would refuse one. The state of a browser belongs to
/// the browser's toolset alone, once.
pub(super) fn blocks<'t>(source: &'t str, toolset: Option<&str>) -> Option<Vec<&'t str>> {
    let sources = elements(source)?;
    let mut states = 0;
    for source in &sources {
        let block: Block = serde_json::from_str(source).ok()?;
        let is_right = match &block {
            Block::Text { .. } | Block::ToolReference { .. } => true,
            Block::Image { source } => source.is_image(),
            Block::Document { source, .. } => source.is_document(),
            Block::SearchResult { content, .. } => !content.is_empty(),
            Block::BrowserState { tabs, state_changes } => {
                states += 1;
                let active = tabs.iter().filter(|tab| tab.active).count();
                states == 1
                    && toolset == Some("browser")
                    && active == usize::from(!tabs.is_empty())
                    && state_changes.as_ref().is_none_or(|changes| !changes.is_empty())
            }
        };
        if !is_right {
            return None;
        }
    }
    (!sources.is_empty()).then_some(sources)
}

impl Source {
    fn is_image(&self) -> bool {
        match self {
            Self::Base64 { media_type, data } => BASE64_STANDARD.decode(data).is_ok_and(|bytes| {
                super::encode::fits(&bytes)
                    && matches!(file(&bytes), Some(File::Image(kind)) if kind == media_type)
            }),
            Self::Url { url } => is_address(url),
            Self::Text { .. } => false,
        }
    }

    fn is_document(&self) -> bool {
        match self {
            Self::Base64 { media_type, data } => {
                let is_pdf = |bytes: Vec<u8>| file(&bytes) == Some(File::Pdf);
                media_type == "application/pdf" && BASE64_STANDARD.decode(data).is_ok_and(is_pdf)
            }
            Self::Url { url } => is_address(url),
            Self::Text { media_type, data } => {
                media_type == "text/plain" && !data.trim().is_empty()
            }
        }
    }
}

/// The API fetches nothing else.
fn is_address(url: &str) -> bool {
    url.strip_prefix("https://").is_some_and(|rest| !rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEARCH: &str = r#"{"type": "search_result", "source": "https://a.example", "title": "A",
        "content": [{"type": "text", "text": "1.10"}], "citations": {"enabled": true}}"#;
    const TAB: &str = r#"{"tab_id": "1", "title": "", "url": "", "active": true}"#;

    #[test]
    fn blocks_that_the_api_takes_are_told_apart() {
        for block in [
            SEARCH,
            r#"{"type": "tool_reference", "tool_name": "get_user"}"#,
            r#"{"type": "text", "text": "a"}"#,
            r#"{"type": "image", "source": {"type": "url", "url": "https://a.example/1.png"}}"#,
            r#"{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}"#,
            r#"{"type": "document", "title": "A", "source": {"type": "text", "media_type": "text/plain", "data": "a"}}"#,
            r#"{"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjc="}}"#,
        ] {
            let source = format!("[{SEARCH}, {block}]");
            assert_eq!(blocks(&source, None), Some(vec![SEARCH, block]), "{block}");
        }
    }

    #[test]
    fn whatever_the_api_would_refuse_is_the_json_that_it_is() {
        for source in [
            "[]",
            "{}",
            "7",
            "[7]",
            r#"[{"type": "tool_use", "name": "a"}]"#,
            r#"[{"type": "text", "text": " "}]"#,
            r#"[{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]"#,
            r#"[{"type": "text", "text": "a"}, {"id": 1}]"#,
            r#"[{"type": "tool_reference"}]"#,
            r#"[{"type": "image", "source": {"type": "url", "url": "http://a.example/1.png"}}]"#,
            r#"[{"type": "image", "source": {"type": "base64", "media_type": "image/gif", "data": "iVBORw0KGgo="}}]"#,
            r#"[{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "?"}}]"#,
            r#"[{"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "iVBORw0KGgo="}}]"#,
            r#"[{"type": "search_result", "source": "a", "title": "b", "content": []}]"#,
        ] {
            assert_eq!(blocks(source, Some("browser")), None, "{source}");
        }
    }

    #[test]
    fn the_state_of_a_browser_belongs_to_its_toolset_once_and_has_one_active_tab() {
        let state = |tabs: &str, rest: &str| {
            format!(r#"{{"type": "browser_state", "tabs": [{tabs}]{rest}}}"#)
        };
        let opened = r#", "state_changes": [{"type": "tab_opened", "tab_id": "1"}]"#;
        for right in [state("", ""), state(TAB, ""), state(TAB, opened)] {
            let source = format!("[{right}]");
            assert!(blocks(&source, Some("browser")).is_some(), "{right}");
            assert!(blocks(&source, Some("computer")).is_none() && blocks(&source, None).is_none());
            assert!(blocks(&format!("[{right}, {right}]"), Some("browser")).is_none());
        }
        let passive = TAB.replace("true", "false");
        for wrong in [
            state(&passive, ""),
            state(&format!("{TAB}, {TAB}"), ""),
            state(TAB, r#", "state_changes": []"#),
            state(TAB, r#", "state_changes": [{"type": "tab_closed", "tab_id": "1"}]"#),
        ] {
            assert!(blocks(&format!("[{wrong}]"), Some("browser")).is_none(), "{wrong}");
        }
    }
}
