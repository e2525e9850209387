//! An assistant message, read call by call.

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

/// Some of those who speak this API number each turn's calls from zero, or give
/// all of them the same id: their answers follow in order.
pub(in crate::format) const GRAMMAR: Grammar =
    Grammar { block: "a tool call", id: "id", ids: Ids::Repeatable };

/// Reads an assistant message, its `tool_calls` array, or the response around it:
/// every tool call becomes a call. Fields that say nothing about a call are passed
/// over.
///
/// A `function` call's arguments come as text. Where that is no object of JSON,
/// the call is never run and has its result like every other. A `custom` call's
/// free text becomes the input `{"input": "…"}`.
///
/// # Errors
///
/// Every fault that leaves a call without an answer, in the order of the text.
pub fn decode(text: &str) -> Result<Turn, Vec<Fault>> {
    let mut reader = Reader::new(Shape::OpenAiChat, GRAMMAR);
    reader.chat(text);
    reader.finish("there is no tool call in it, so there is nothing to run")
}

impl Reader {
    fn chat(&mut self, text: &str) {
        if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
            return self.fault("", format!("this is not JSON: {error}"));
        }
        if let Some(calls) = elements(text) {
            return self.tool_calls(&calls, "", false);
        }
        let Some(message) = members(text).map(Members) else {
            let came = kind(text);
            return self.fault(
                "",
                format!("expected an assistant message or its `tool_calls` array; {came} came"),
            );
        };
        match message.some("choices") {
            None => self.chat_message(&message, "", false),
            Some(choices) => self.choices(choices),
        }
    }

    /// A whole response.
    fn choices(&mut self, source: &str) {
        match elements(source).as_deref() {
            Some(&[choice]) => {
                let choice = members(choice).map(Members);
                let of = |key| choice.as_ref().and_then(|choice: &Members<'_>| choice.some(key));
                let is_cut = of("finish_reason").and_then(string).is_some_and(|r| r == "length");
                match of("message").and_then(members).map(Members) {
                    Some(message) => self.chat_message(&message, "choices[0].message.", is_cut),
                    None => self.fault("choices[0].message", "a choice has a message, an object"),
                }
            }
            Some(choices) => {
                let came = choices.len();
                self.fault("choices", format!("{came} choices came; send the message of one"));
            }
            None => {
                self.fault("choices", format!("expected an array; {} came", kind(source)));
            }
        }
    }

    /// `is_cut` where the model was stopped while it wrote the message.
    fn chat_message(&mut self, message: &Members<'_>, path: &str, is_cut: bool) {
        match message.some("role").map(string) {
            None => {}
            Some(Some(role)) if role == "assistant" => {}
            Some(_) => {
                self.fault(format!("{path}role"), "only an assistant's message calls tools");
            }
        }
        if message.some("function_call").is_some() {
            let fault = "this is the older form, whose answer has no id; declare `tools` instead \
                         of `functions`";
            self.fault(format!("{path}function_call"), fault);
        }
        self.once(message, &["tool_calls"], path.trim_end_matches('.'));
        if let Some(source) = message.some("tool_calls") {
            let path = format!("{path}tool_calls");
            match elements(source) {
                Some(calls) => self.tool_calls(&calls, &path, is_cut),
                None => {
                    self.fault(path, format!("expected an array of calls; {} came", kind(source)));
                }
            }
        }
    }

    fn tool_calls(&mut self, calls: &[&str], path: &str, is_cut: bool) {
        for (place, source) in calls.iter().enumerate() {
            let path = format!("{path}[{place}]");
            match members(source).map(Members) {
                Some(call) => self.tool_call(&call, &path, is_cut && place + 1 == calls.len()),
                None => {
                    self.fault(path, format!("a tool call is an object; {} came", kind(source)));
                }
            }
        }
    }

    fn tool_call(&mut self, call: &Members<'_>, path: &str, is_cut: bool) {
        let faults = self.faults();
        let id = self.id(call, path);
        self.once(call, &["id", "type", "function", "custom"], path);
        let (key, input_key) = match call.some("type").map(string) {
            // Not all who speak this API write the type.
            None => ("function", "arguments"),
            Some(Some(kind)) if kind == "function" => ("function", "arguments"),
            Some(Some(kind)) if kind == "custom" => ("custom", "input"),
            Some(_) => {
                let fault = "a tool call is of type \"function\" or \"custom\"; every other has \
                             no answer here, and the API wants one to each";
                return self.fault(format!("{path}.type"), fault);
            }
        };
        let path = format!("{path}.{key}");
        let Some(body) = call.get(key).and_then(members).map(Members) else {
            return self.fault(path, "a tool call says in an object what it calls");
        };
        let tool = self.name(&body, "name", &path);
        self.once(&body, &["name", input_key], &path);
        if let Some(tool) = tool
            && self.faults() == faults
        {
            let source = body.some(input_key);
            let input = match key {
                "custom" => free_text(source),
                _ => function_input(source, is_cut),
            };
            self.push(Found { id, tool, input, series: None, block: None });
        }
    }
}

/// What a function is called with: a string of JSON, as the API has it, or the
/// object itself, as others write it. Where the model was cut off before it wrote
/// anything, that is not the empty input that it would be otherwise.
fn function_input(source: Option<&str>, is_cut: bool) -> Result<Json, Arc<str>> {
    let source = source.unwrap_or(r#""""#);
    match string(source) {
        Some(text) if is_cut && text.trim().is_empty() => Err(text.into()),
        Some(text) => arguments(&text),
        None if members(source).is_some() => arguments(source),
        None => Err(source.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        let faults = decode(text).unwrap_err();
        faults.into_iter().map(|fault| format!("{}: {}", fault.path, fault.message)).collect()
    }

    #[test]
    fn what_is_no_turn_is_refused_with_its_place() {
        for (text, says) in [
            ("", ": this is not JSON: EOF"),
            ("7", ": expected an assistant message or its `tool_calls` array; a number came"),
            ("{}", ": there is no tool call in it"),
            ("[]", ": there is no tool call in it"),
            (r#"{"role": "assistant", "content": "hi", "tool_calls": null}"#, ": there is no tool"),
            (r#"{"role": "user", "tool_calls": []}"#, "role: only an assistant's message"),
            (r#"{"tool_calls": {}}"#, "tool_calls: expected an array of calls; an object came"),
            (r#"{"tool_calls": [], "tool_calls": []}"#, "tool_calls: this key stands twice"),
            (r#"{"choices": 7}"#, "choices: expected an array; a number came"),
            (r#"{"choices": []}"#, "choices: 0 choices came; send the message of one"),
            (r#"{"choices": [{}, {}]}"#, "choices: 2 choices came"),
            (r#"{"choices": [{}]}"#, "choices[0].message: a choice has a message"),
            (r#"{"choices": [{"message": {"role": "user"}}]}"#, "choices[0].message.role: only"),
            (
                r#"{"function_call": {"name": "f", "arguments": "{}"}}"#,
                "function_call: this is the",
            ),
            ("[7]", "[0]: a tool call is an object; a number came"),
            (r#"[{"id": "a"}]"#, "[0].function: a tool call says in an object what it calls"),
            (r#"[{"id": "a", "type": "custom"}]"#, "[0].custom: a tool call says in an object"),
            (r#"[{"id": "a", "type": "tomorrow"}]"#, "[0].type: a tool call is of type"),
            (r#"[{"id": "a", "function": {}}]"#, "[0].function.name: a tool call names its tool"),
            (r#"[{"function": {"name": "f"}}]"#, "[0].id: a tool call has an id, a string"),
            (r#"[{"id": 7, "function": {"name": "f"}}]"#, "[0].id: a tool call has an id"),
            (
                r#"[{"id": "a", "function": {"name": "f", "arguments": "", "arguments": ""}}]"#,
                "[0].function.arguments: this key stands twice",
            ),
        ] {
            let faults = faults(text);
            assert!(faults.len() == 1 && faults[0].contains(says), "{text}: {faults:?}");
        }
    }

    #[test]
    fn a_message_its_calls_and_the_response_around_it_are_the_same_turn() {
        let calls = r#"[
            {"id": "call_1", "type": "function", "function":
                {"name": "get_user", "arguments": "{ \"id\": 12345678901234567890123, \"price\": 1.10 }"}},
            {"id": "call_2", "type": "custom", "custom": {"name": "query", "input": "SELECT \"a\";\n"}},
            {"id": "call_1", "index": 2, "function": {"name": "list", "arguments": {"a": 1.0}}},
            {"id": "functions.list:3", "type": "function", "function": {"name": "list"}}]"#;
        let message = format!(
            r#"{{"role": "assistant", "content": null, "refusal": null, "reasoning_content": "hm",
                "function_call": null, "tool_calls": {calls}}}"#
        );
        let response = format!(
            r#"{{"id": "chatcmpl-1", "object": "chat.completion", "choices":
                [{{"index": 0, "finish_reason": "tool_calls", "message": {message}}}]}}"#
        );
        for text in [calls.to_owned(), message, response] {
            let calls = decode(&text).unwrap().calls;
            let read: Vec<_> = calls
                .iter()
                .map(|call| (&*call.id, &*call.tool, call.input.as_ref().unwrap().as_str()))
                .collect();
            let expected = [
                ("call_1", "get_user", r#"{ "id": 12345678901234567890123, "price": 1.10 }"#),
                ("call_2", "query", r#"{"input":"SELECT \"a\";\n"}"#),
                ("call_1_2", "list", r#"{"a": 1.0}"#),
                ("functions_list_3", "list", "{}"),
            ];
            assert_eq!(read, expected);
        }
    }

    #[test]
    fn arguments_that_cannot_be_read_are_kept_from_running_and_are_told_as_they_came() {
        for (written, came) in [
            (r#""{\"city\": \"Ber""#, r#"{"city": "Ber"#),
            (r#""[1]""#, "[1]"),
            (r#""{} {}""#, "{} {}"),
            (r#""{\"a\":1,\"a\":2}""#, r#"{"a":1,"a":2}"#),
            ("[1]", "[1]"),
            ("7", "7"),
        ] {
            let text =
                format!(r#"[{{"id": "a", "function": {{"name": "f", "arguments": {written}}}}}]"#);
            let call = decode(&text).unwrap().calls.remove(0);
            assert_eq!(&*call.input.unwrap_err(), came, "{written}");
        }
        let text = r#"{"choices": [{"finish_reason": "length", "message": {"tool_calls": [
            {"id": "a", "function": {"name": "f", "arguments": ""}},
            {"id": "b", "function": {"name": "f", "arguments": ""}}]}}]}"#;
        let calls = decode(text).unwrap().calls;
        assert!(calls[0].input.is_ok() && calls[1].input.is_err());
        let text = r#"[{"id": "a", "type": "custom", "custom": {"name": "f", "input": {"a": 1}}}]"#;
        let call = decode(text).unwrap().calls.remove(0);
        assert_eq!(&*call.input.unwrap_err(), r#"{"a": 1}"#);
    }
}
