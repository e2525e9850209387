//! The nested tasks of NesTools: what a model would write, and what must come
//! of it, worked out without the server.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use sidecall::model::json::elements;

use super::{
    Turn,
    data::{folder, keys, lines, member, seed, tool, typed_value},
};

/// All 150; nothing where the data is not to be had.
pub(crate) fn tasks() -> Option<Vec<Task>> {
    let data = lines(folder()?.join("nestools/nested-calls-150.jsonl"));
    let tasks: Vec<Task> = data.iter().map(|line| Task::read(line)).collect();
    assert_eq!(tasks.len(), 150);
    Some(tasks)
}

/// One task with its gold calls.
pub(crate) struct Task {
    pub(crate) id: u64,
    pub(crate) apis: BTreeMap<String, Api>,
    pub(crate) calls: Vec<Call>,
}

/// One tool of a task.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    pub(crate) described: Value,
    /// The fields of its response with their types, in the order of the data,
    /// by which a call's `responses` name them.
    responses: Vec<(String, String)>,
}

impl Api {
    fn read(text: &str) -> Self {
        let described: Value = serde_json::from_str(text).unwrap();
        let kind =
            |field: &String| described["responses"][field]["type"].as_str().unwrap().to_owned();
        let fields = keys(member(text, "responses"));
        let responses = fields.into_iter().map(|field| (field.clone(), kind(&field))).collect();
        Self { described, responses }
    }
}

/// One gold call.
pub(crate) struct Call {
    pub(crate) api: String,
    parameters: Map<String, Value>,
    /// Global names of the response's fields.
    responses: Vec<String>,
}

impl Task {
    fn read(line: &str) -> Self {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let apis = elements(member(line, "api")).unwrap().into_iter().map(Api::read);
        let calls: Vec<Value> = serde_json::from_str(member(line, "call")).unwrap();
        Self {
            id: member(line, "test_id").parse().unwrap(),
            apis: apis.map(|api| (text(&api.described["api_name"]), api)).collect(),
            calls: calls
                .iter()
                .map(|call| Call {
                    api: text(&call["api_name"]),
                    parameters: call["parameters"].as_object().unwrap().clone(),
                    responses: call["responses"].as_array().unwrap().iter().map(text).collect(),
                })
                .collect(),
        }
    }

    pub(crate) fn tool_name(&self, api: &str) -> String {
        format!("t{}_{api}", self.id)
    }

    pub(crate) fn path(&self, api: &str) -> String {
        format!("/{}/{api}", self.id)
    }

    pub(crate) fn tools(&self, tools: &mut Map<String, Value>) {
        for (name, api) in &self.apis {
            let api = &api.described;
            let parameters = api["parameters"].as_object().unwrap();
            let properties: Map<String, Value> = parameters
                .iter()
                .map(|(name, parameter)| {
                    let kind = schema_type(parameter["type"].as_str().unwrap());
                    let description = &parameter["description"];
                    (name.clone(), json!({"type": kind, "description": description}))
                })
                .collect();
            let fields: Vec<String> = properties.keys().cloned().collect();
            let schema = json!({
                "type": "object",
                "properties": properties,
                "required": api["required"],
                "additionalProperties": false,
            });
            let description = api["api_description"].as_str().unwrap();
            let tool = tool(description, schema, &self.path(name), &fields);
            tools.insert(self.tool_name(name), tool);
        }
    }

    /// The field of an earlier call's response that a name stands for.
    fn source(&self, name: &str) -> Option<(usize, &str)> {
        self.calls.iter().enumerate().find_map(|(at, call)| {
            let place = call.responses.iter().position(|response| response == name)?;
            Some((at, self.apis[&call.api].responses[place].0.as_str()))
        })
    }

    /// The reference that a model would write for a field; each way in turn.
    fn reference(&self, way: usize, name: &str) -> Option<String> {
        let (at, field) = self.source(name)?;
        let api = &self.calls[at].api;
        let target = match way % 3 {
            0 => (at + 1).to_string(),
            1 => format!("call_{}", at + 1),
            _ => {
                let before = self.calls[..at].iter().filter(|call| call.api == *api).count();
                format!("{}#{}", self.tool_name(api), before + 1)
            }
        };
        Some(format!("${{{target}['{field}']}}"))
    }

    pub(crate) fn turn(&self) -> Turn {
        let mut way = self.id as usize;
        let calls: Vec<_> = self
            .calls
            .iter()
            .map(|call| {
                let input = self.object(call, |name| {
                    way += 1;
                    self.reference(way, name).map(|reference| Value::from(reference).to_string())
                });
                (String::new(), self.tool_name(&call.api), input)
            })
            .collect();
        Turn::of(calls).with_references()
    }

    /// Which earlier calls a call takes values from.
    pub(crate) fn parents(&self, call: usize) -> Vec<usize> {
        let mut parents = Vec::new();
        self.object(&self.calls[call], |name| {
            parents.extend(self.source(name).map(|(at, _)| at));
            None
        });
        parents
    }

    /// The body that must reach each call's API, made without the server.
    pub(crate) fn bodies(&self) -> Vec<String> {
        let mut bodies: Vec<String> = Vec::new();
        for call in &self.calls {
            let body = self.object(call, |name| {
                let (at, field) = self.source(name)?;
                let source = &self.calls[at].api;
                let answer = answer(&self.apis[source], &self.path(source), &bodies[at]);
                Some(answer.into_iter().find(|(key, _)| key == field).unwrap().1)
            });
            bodies.push(body);
        }
        bodies
    }

    /// A call's parameters as an object's text, in the order of the tool's
    /// fields, with `replace` asked about every string.
    fn object(&self, call: &Call, mut replace: impl FnMut(&str) -> Option<String>) -> String {
        let members: Vec<String> = call
            .parameters
            .iter()
            .map(|(name, value)| {
                format!("{}:{}", Value::from(name.as_str()), text(value, &mut replace))
            })
            .collect();
        format!("{{{}}}", members.join(","))
    }
}

fn text(value: &Value, replace: &mut impl FnMut(&str) -> Option<String>) -> String {
    match value {
        Value::String(name) => replace(name).unwrap_or_else(|| value.to_string()),
        Value::Array(elements) => {
            let elements: Vec<_> = elements.iter().map(|element| text(element, replace)).collect();
            format!("[{}]", elements.join(","))
        }
        other => other.to_string(),
    }
}

/// What an API answers: a pure function of the request.
fn answer(api: &Api, path: &str, body: &str) -> Vec<(String, String)> {
    let fields = api.responses.iter();
    fields
        .map(|(field, kind)| (field.clone(), typed_value(kind, seed(&[path, body, field]))))
        .collect()
}

/// The same as JSON text.
pub(crate) fn answer_text(api: &Api, path: &str, body: &str) -> String {
    let members: Vec<_> = answer(api, path, body)
        .into_iter()
        .map(|(field, value)| format!("{}: {value}", Value::from(field)))
        .collect();
    format!("{{{}}}", members.join(", "))
}

fn schema_type(kind: &str) -> &'static str {
    match kind {
        "str" => "string",
        "int" => "integer",
        "float" => "number",
        "list" => "array",
        "bool" => "boolean",
        "dict" => "object",
        other => panic!("{other}"),
    }
}
