//! A response, read item by item.

use std::sync::Arc;

use serde::de::IgnoredAny;

use crate::{
    format::{
        Fault, Shape, Turn,
        reader::{Found, Grammar, Ids, Members, Reader, arguments, free_text, kind, string},
    },
    model::{
        Json,
        json::{elements, members},
    },
};

/// An output belongs to the call of its `call_id`, wherever it stands.
pub(in crate::format) const GRAMMAR: Grammar =
    Grammar { block: "a call", id: "call_id", ids: Ids::Unique };

/// What an output repeats of its call: which program made it, where one did, and
/// whose the function is.
const REPEATED: [&str; 2] = ["caller", "namespace"];

/// Reads a response, or its `output` array: the items `function_call` and
/// `custom_tool_call` become calls in their order. Items of other kinds are passed
/// over: those that the provider runs itself, and those of its own tools that the
/// agent runs, as `computer_call`.
///
/// A function's arguments come as text. Where that is no object of JSON, the call
/// is never run and has its result like every other. The free text of a custom
/// call becomes the input `{"input": "…"}`.
///
/// # Errors
///
/// Every fault that leaves a call without an answer, in the order of the text.
pub fn decode(text: &str) -> Result<Turn, Vec<Fault>> {
    let mut reader = Reader::new(Shape::OpenAiResponses, GRAMMAR);
    reader.response(text);
    reader.finish("there is no `function_call` item in it, so there is nothing to run")
}

impl Reader {
    fn response(&mut self, text: &str) {
        if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
            return self.fault("", format!("this is not JSON: {error}"));
        }
        if let Some(items) = elements(text) {
            return self.items(&items, "");
        }
        let Some(response) = members(text).map(Members) else {
            let came = kind(text);
            return self
                .fault("", format!("expected a response or its `output` array; {came} came"));
        };
        match response.get("output") {
            None => self.fault("output", "a response has `output`, an array of items"),
            Some(output) => match elements(output) {
                Some(items) => self.items(&items, "output"),
                None => {
                    let came = kind(output);
                    self.fault("output", format!("expected an array of items; {came} came"));
                }
            },
        }
    }

    fn items(&mut self, items: &[&str], path: &str) {
        for (place, source) in items.iter().enumerate() {
            let path = format!("{path}[{place}]");
            let Some(item) = members(source).map(Members) else {
                self.fault(path, format!("an item is an object; {} came", kind(source)));
                continue;
            };
            match item.get("type").and_then(string).as_deref() {
                Some("function_call") => self.call(&item, &path, "arguments"),
                Some("custom_tool_call") => self.call(&item, &path, "input"),
                Some(_) => {}
                None => self.fault(format!("{path}.type"), "an item names its type"),
            }
        }
    }

    fn call(&mut self, item: &Members<'_>, path: &str, input: &str) {
        let faults = self.faults();
        let id = self.id(item, path);
        let tool = self.name(item, "name", path);
        self.once(item, &["type", "call_id", "name", input, REPEATED[0], REPEATED[1]], path);
        let Some(tool) = tool.filter(|_| self.faults() == faults) else { return };
        let is_custom = input == "input";
        let source = item.some(input);
        let input = if is_custom { free_text(source) } else { function_input(item, source) };
        let repeats = REPEATED.iter().any(|key| item.some(key).is_some());
        let block = (is_custom || repeats)
            .then(|| item.only(&["type", "call_id", REPEATED[0], REPEATED[1]]));
        self.push(Found { id, tool, input, series: None, block });
    }
}

/// What a function is called with. Where the model was cut off before it wrote
/// anything, that is not the empty input that it would be otherwise.
fn function_input(item: &Members<'_>, source: Option<&str>) -> Result<Json, Arc<str>> {
    let source = source.unwrap_or(r#""""#);
    let text = string(source).ok_or(source)?;
    let is_cut = item.get("status").and_then(string).is_some_and(|status| status == "incomplete");
    if is_cut && text.trim().is_empty() {
        return Err(text.into());
    }
    arguments(&text)
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
            ("7", ": expected a response or its `output` array; a number came"),
            ("{}", "output: a response has `output`"),
            (r#"{"output": {}}"#, "output: expected an array of items; an object came"),
            ("[]", ": there is no `function_call` item"),
            (r#"[{"type": "message", "role": "assistant", "content": []}]"#, ": there is no"),
            ("[7]", "[0]: an item is an object; a number came"),
            ("[{}]", "[0].type: an item names its type"),
            (r#"[{"type": "function_call", "name": "f"}]"#, "[0].call_id: a call has an id"),
            (r#"[{"type": "function_call", "call_id": "a"}]"#, "[0].name: a call names its tool"),
            (
                r#"[{"type": "custom_tool_call", "call_id": "a", "name": "f", "input": "", "input": ""}]"#,
                "[0].input: this key stands twice",
            ),
            (
                r#"[{"type": "function_call", "call_id": "a", "name": "f"},
                    {"type": "custom_tool_call", "call_id": "a", "name": "f"}]"#,
                "[1].call_id: the id \"a\" stands at [0].call_id too",
            ),
        ] {
            let faults = faults(text);
            assert!(faults.len() == 1 && faults[0].contains(says), "{text}: {faults:?}");
        }
    }

    #[test]
    fn functions_and_custom_tools_are_calls_and_other_items_are_passed_over() {
        let items = r#"[
            {"type": "reasoning", "id": "rs_1", "summary": []},
            {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "get_user",
             "arguments": "{ \"id\": 12345678901234567890123 }", "status": "completed"},
            {"type": "web_search_call", "id": "ws_1", "status": "completed"},
            {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_2", "name": "query",
             "input": "SELECT 1;\n"},
            {"type": "mcp_call", "id": "mcp_1", "name": "x", "arguments": "{}", "server_label": "s"},
            {"type": "something_of_tomorrow"},
            {"type": "function_call", "call_id": "a.b", "name": "list", "namespace": "crm",
             "caller": {"type": "program", "caller_id": "prog_1"}, "arguments": ""}]"#;
        let response = format!(r#"{{"id": "resp_1", "object": "response", "output": {items}}}"#);
        for text in [items.to_owned(), response] {
            let turn = decode(&text).unwrap();
            let read: Vec<_> = turn
                .calls
                .iter()
                .map(|call| (&*call.id, &*call.tool, call.input.as_ref().unwrap().as_str()))
                .collect();
            let expected = [
                ("call_1", "get_user", r#"{ "id": 12345678901234567890123 }"#),
                ("call_2", "query", r#"{"input":"SELECT 1;\n"}"#),
                ("a_b", "list", "{}"),
            ];
            assert_eq!(read, expected);
            let kept: Vec<_> = turn.frame.blocks.iter().map(Option::as_deref).collect();
            let expected = [
                None,
                Some(r#"{"type":"custom_tool_call","call_id":"call_2"}"#),
                Some(
                    r#"{"type":"function_call","call_id":"a.b","caller":{"type": "program", "caller_id": "prog_1"},"namespace":"crm"}"#,
                ),
            ];
            assert_eq!(kept, expected);
        }
    }

    #[test]
    fn arguments_that_cannot_be_read_are_kept_from_running_and_are_told_as_they_came() {
        for (written, came) in [
            (r#""arguments": "{\"city\": \"Ber""#, r#"{"city": "Ber"#),
            (r#""arguments": "[1]""#, "[1]"),
            (r#""arguments": {"a": 1}"#, r#"{"a": 1}"#),
            (r#""arguments": "", "status": "incomplete""#, ""),
        ] {
            let text =
                format!(r#"[{{"type": "function_call", "call_id": "a", "name": "f", {written}}}]"#);
            let call = decode(&text).unwrap().calls.remove(0);
            assert_eq!(&*call.input.unwrap_err(), came, "{written}");
        }
    }

    proptest! {
        #[test]
        fn no_text_whatever_makes_the_reader_fall(text in "[\\[\\]{}\":,a-z_ 0-9]{0,60}") {
            let _ = decode(&text);
        }
    }
}
