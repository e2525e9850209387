//! An assistant message, read block by block.

use std::sync::Arc;

use serde::de::IgnoredAny;

use crate::{
    format::{
        Fault, Shape, Turn,
        reader::{Found, Grammar, Ids, Members, Reader, kind, string},
    },
    model::{
        Json, Series,
        json::{elements, members},
    },
};

/// The API refuses a message whose `tool_use` ids are not unique.
pub(in crate::format) const GRAMMAR: Grammar =
    Grammar { block: "a `tool_use` block", id: "id", ids: Ids::Unique };

/// The key under which the SDKs deliver an input that they could not parse.
const INVALID_JSON: &str = "INVALID_JSON";
/// The key of the toolset's name, which a member's result repeats.
pub(super) const TOOLSET: &str = "toolset_name";

/// Reads an assistant message, or its `content` array: the `tool_use` blocks
/// become calls in their order. Blocks of other kinds are passed over, among
/// them those that the provider runs itself, and so are fields that say nothing
/// about the call.
///
/// An input that cannot be read is its call's affair: the call is never run and
/// has its result like every other.
///
/// # Errors
///
/// Every fault that leaves a block without an answer, in the order of the text.
pub fn decode(text: &str) -> Result<Turn, Vec<Fault>> {
    let mut reader = Reader::new(Shape::Anthropic, GRAMMAR);
    reader.turn(text);
    reader.finish("there is no `tool_use` block in it, so there is nothing to run")
}

impl Reader {
    fn turn(&mut self, text: &str) {
        if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
            return self.fault("", format!("this is not JSON: {error}"));
        }
        if let Some(blocks) = elements(text) {
            return self.blocks(&blocks, "");
        }
        let Some(message) = members(text) else {
            return self.fault(
                "",
                format!(
                    "expected an assistant message or its `content` array; {} came",
                    kind(text)
                ),
            );
        };
        let message = Members(message);
        match message.get("role").map(string) {
            None => {}
            Some(Some(role)) if role == "assistant" => {}
            Some(_) => self.fault("role", "only an assistant's message holds `tool_use` blocks"),
        }
        match message.get("content") {
            None => self.fault("content", "an assistant message has `content`, an array of blocks"),
            Some(content) if string(content).is_some() => {}
            Some(content) => match elements(content) {
                Some(blocks) => self.blocks(&blocks, "content"),
                None => self.fault(
                    "content",
                    format!("expected an array of blocks; {} came", kind(content)),
                ),
            },
        }
    }

    fn blocks(&mut self, blocks: &[&str], path: &str) {
        for (place, block) in blocks.iter().enumerate() {
            let path = format!("{path}[{place}]");
            let Some(block) = members(block).map(Members) else {
                self.fault(path, format!("a block is an object; {} came", kind(block)));
                continue;
            };
            match block.get("type").and_then(string) {
                Some(kind) if kind == "tool_use" => self.tool_use(&block, &path),
                Some(_) => {}
                None => self.fault(format!("{path}.type"), "a block names its type"),
            }
        }
    }

    fn tool_use(&mut self, block: &Members<'_>, path: &str) {
        let faults = self.faults();
        let id = self.id(block, path);
        let tool = self.name(block, "name", path);
        self.once(block, &["id", "name", "input", TOOLSET], path);
        let series = self.toolset(block, path);
        if let Some(tool) = tool
            && self.faults() == faults
        {
            let input = input(block.get("input").unwrap_or_default());
            let block = series.is_some().then(|| block.only(&["id", TOOLSET]));
            self.push(Found { id, tool, input, series, block });
        }
    }

    /// The toolset that the call is a member's of. Its results repeat the name, and
    /// its members run in order: what the model wrote after one that failed was
    /// meant for a screen that never came to be.
    fn toolset(&mut self, block: &Members<'_>, path: &str) -> Option<Series> {
        let written = block.some(TOOLSET)?;
        let Some(name) = string(written) else {
            let message = format!("a toolset's name is a string; {} came", kind(written));
            self.fault(format!("{path}.{TOOLSET}"), message);
            return None;
        };
        let skipped = not_executed(&name).into();
        Some(Series { name: name.into(), skipped })
    }
}

/// What a member of that toolset answers that was not run since one before it
/// failed. The wording is the API's: `HALT_TEXT` in `lib/tools/_toolsets/_runnable.py`
/// of the Python SDK (`anthropic` 2.11.0), `notExecutedText` in
/// `lib/internal/toolsets/run.mjs` of the TypeScript one (`@anthropic-ai/sdk` 1.12.0).
pub(super) fn not_executed(toolset: &str) -> &'static str {
    match toolset {
        "computer" => "Not executed: an earlier computer action in this turn failed.",
        _ => "Not executed: an earlier action in this turn failed.",
    }
}

/// The input, or the text that came in its place.
fn input(source: &str) -> Result<Json, Arc<str>> {
    let Some(members) = members(source) else { return Err(source.into()) };
    if let [(key, text)] = &members[..]
        && key == INVALID_JSON
        && let Some(text) = string(text)
    {
        return Err(text.into());
    }
    Json::try_new(source).map_err(|_| source.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn faults(text: &str) -> Vec<String> {
        let faults = decode(text).unwrap_err();
        faults.into_iter().map(|fault| format!("{}: {}", fault.path, fault.message)).collect()
    }

    #[test]
    fn what_is_no_turn_is_refused_with_its_place() {
        for (text, says) in [
            ("", ": this is not JSON: EOF"),
            ("[", ": this is not JSON: EOF"),
            ("7", ": expected an assistant message or its `content` array; a number came"),
            ("null", "null came"),
            ("{}", "content: an assistant message has `content`"),
            (r#"{"content": 7}"#, "content: expected an array of blocks; a number came"),
            (
                r#"{"content": {"type": "tool_use"}}"#,
                "content: expected an array of blocks; an obj",
            ),
            (r#"{"role": "user", "content": []}"#, "role: only an assistant's message"),
            ("[]", ": there is no `tool_use` block"),
            (r#"{"role": "assistant", "content": "hi"}"#, ": there is no `tool_use` block"),
            (r#"[{"type": "text", "text": "hi"}]"#, ": there is no `tool_use` block"),
            ("[7]", "[0]: a block is an object; a number came"),
            (r#"{"content": [{}]}"#, "content[0].type: a block names its type"),
            (r#"[{"type": 1}]"#, "[0].type: a block names its type"),
        ] {
            let faults = faults(text);
            assert!(faults.len() == 1 && faults[0].contains(says), "{text}: {faults:?}");
        }
    }

    #[test]
    fn all_faults_of_all_blocks_are_told_at_once() {
        let text = r#"{"role": "assistant", "content": [
            {"type": "tool_use", "id": "a", "name": "t", "input": {}, "toolset_name": 7},
            {"type": "tool_use", "name": "t", "input": {}},
            {"type": "tool_use", "id": "c", "name": "", "input": {}},
            {"type": "tool_use", "id": "d", "input": {}},
            {"type": "tool_use", "id": "e", "name": "t", "input": {}},
            {"type": "tool_use", "id": "e", "name": "t", "input": {}},
            {"type": "tool_use", "id": "f", "id": "g", "name": "t", "input": {}},
            {"type": "tool_use", "id": 7, "name": ["t"], "input": {}}]}"#;
        let faults = faults(text);
        let expected = [
            "content[0].toolset_name: a toolset's name is a string; a number came",
            "content[1].id: a `tool_use` block has an id, a string",
            "content[2].name: a `tool_use` block names its tool, a string that is not empty",
            "content[3].name: a `tool_use` block names its tool, a string that is not empty",
            "content[5].id: the id \"e\" stands at content[4].id too",
            "content[6].id: this key stands twice in its block",
            "content[7].id: a `tool_use` block has an id, a string",
            "content[7].name: a `tool_use` block names its tool, a string that is not empty",
        ];
        assert_eq!(faults, expected);
    }

    #[test]
    fn an_input_that_cannot_be_read_is_kept_from_running_and_is_told_as_it_came() {
        for (input, came) in [
            (r#""input": {"INVALID_JSON": "{\"city\": \"Ber"}"#, r#"{"city": "Ber"#),
            (r#""input": {"INVALID_JSON": ""}"#, ""),
            (r#""input": "{\"city\": 1}""#, r#""{\"city\": 1}""#),
            (r#""input": [1]"#, "[1]"),
            (r#""input": null"#, "null"),
            (r#""input": {"a": 1, "a": 2}"#, r#"{"a": 1, "a": 2}"#),
            (r#""unput": {}"#, ""),
        ] {
            let text = format!(r#"[{{"type":"tool_use","id":"a","name":"t",{input}}}]"#);
            let call = decode(&text).unwrap().calls.remove(0);
            assert_eq!(&*call.input.unwrap_err(), came, "{input}");
        }
    }

    #[test]
    fn an_input_that_only_mentions_invalid_json_is_an_input() {
        for input in [r#"{"INVALID_JSON": 1}"#, r#"{"INVALID_JSON": "x", "b": 1}"#] {
            let text = format!(r#"[{{"type":"tool_use","id":"a","name":"t","input":{input}}}]"#);
            let call = decode(&text).unwrap().calls.remove(0);
            assert_eq!(call.input.unwrap().as_str(), input);
        }
    }

    #[test]
    fn blocks_that_others_run_and_unknown_fields_are_passed_over() {
        let text = r#"{"id": "msg_1", "type": "message", "role": "assistant", "stop_reason": "tool_use",
            "content": [
            {"type": "thinking", "thinking": "hm", "signature": "x"},
            {"type": "text", "text": "Let me see."},
            {"type": "server_tool_use", "id": "srv.1", "name": "web_search", "input": {}},
            {"type": "web_search_tool_result", "tool_use_id": "srv.1", "content": []},
            {"type": "mcp_tool_use", "id": "m", "name": "x", "server_name": "y", "input": {}},
            {"type": "mcp_tool_result", "tool_use_id": "m", "is_error": false, "content": []},
            {"type": "something_of_tomorrow"},
            {"type": "tool_use", "id": "toolu_1", "name": "get_user", "caller": {"type": "direct"},
             "toolset_name": "crm", "cache_control": null,
             "input": { "id": 12345678901234567890123, "price": 1.10 }},
            {"type": "tool_use", "id": "toolu_2", "name": "na\u006de.with dots", "input": {}}]}"#;
        let calls = decode(text).unwrap().calls;
        assert_eq!(calls.len(), 2);
        assert_eq!(
            calls[0].input.as_ref().unwrap().as_str(),
            r#"{ "id": 12345678901234567890123, "price": 1.10 }"#
        );
        assert_eq!((calls[0].id.as_str(), &*calls[0].tool), ("toolu_1", "get_user"));
        assert_eq!((calls[1].id.as_str(), &*calls[1].tool), ("toolu_2", "name.with dots"));
    }

    #[test]
    fn members_of_a_toolset_are_a_series_and_others_are_not() {
        let text = r#"[
            {"type": "tool_use", "id": "a", "name": "left_click", "toolset_name": "computer", "input": {}},
            {"type": "tool_use", "id": "b", "name": "left_click", "toolset_name": null, "input": {}},
            {"type": "tool_use", "id": "c.d", "name": "navigate", "toolset_name": "browser", "input": {}}]"#;
        let turn = decode(text).unwrap();
        let series: Vec<_> = turn.calls.iter().map(|call| call.series.as_ref()).collect();
        let of = |call: usize| series[call].map(|series| (&*series.name, &*series.skipped));
        let computer = "Not executed: an earlier computer action in this turn failed.";
        let browser = "Not executed: an earlier action in this turn failed.";
        assert_eq!(of(0), Some(("computer", computer)));
        assert_eq!(of(1), None);
        assert_eq!(of(2), Some(("browser", browser)));
        let kept = turn.frame.blocks;
        assert_eq!(kept[0].as_deref(), Some(r#"{"id":"a","toolset_name":"computer"}"#));
        assert_eq!(kept[1], None);
        assert_eq!(kept[2].as_deref(), Some(r#"{"id":"c.d","toolset_name":"browser"}"#));
    }

    #[test]
    fn an_id_that_cannot_stand_here_is_kept_for_the_bundle() {
        let text = r#"[{"type":"tool_use","id":"functions.t:0","name":"t","input":{}}]"#;
        let turn = decode(text).unwrap();
        assert_eq!(turn.calls[0].id.as_str(), "functions_t_0");
        assert_eq!(turn.frame.blocks[0].as_deref(), Some(r#"{"id":"functions.t:0"}"#));
    }

    proptest! {
        #[test]
        fn every_tool_use_becomes_one_call_in_block_order(kinds in prop::collection::vec(0..4, 0..60)) {
            let blocks: Vec<String> = kinds.iter().enumerate().map(|(n, kind)| match kind {
                0 => format!(r#"{{"type":"text","text":"{n}"}}"#),
                1 => format!(r#"{{"type":"server_tool_use","id":"{n}","name":"t","input":{{}}}}"#),
                _ => format!(r#"{{"name":"t{n}","input":{{"n":{n}.0}},"id":"{n}","type":"tool_use"}}"#),
            }).collect();
            let wanted: Vec<usize> = (0..kinds.len()).filter(|&n| kinds[n] > 1).collect();
            match decode(&format!("[{}]", blocks.join(","))) {
                Err(_) => prop_assert!(wanted.is_empty()),
                Ok(turn) => {
                    prop_assert_eq!(turn.calls.len(), wanted.len());
                    for (call, n) in turn.calls.iter().zip(wanted) {
                        prop_assert_eq!(call.id.as_str(), n.to_string());
                        let input = call.input.as_ref().unwrap();
                        prop_assert_eq!(input.as_str(), format!("{{\"n\":{n}.0}}"));
                    }
                }
            }
        }

        #[test]
        fn no_text_whatever_makes_the_reader_fall(text in ".{0,200}|[\\[\\]{}\",:a-z ]{0,80}") {
            let _ = decode(&text);
        }
    }
}
