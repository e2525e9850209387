//! Real tool calls from public data sets, where `SIDECALL_DATA` says they are.

use std::{
    fmt::Write as _,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io::Write as _,
    path::PathBuf,
};

use serde_json::{Map, Value, json};
use sidecall::{
    config::env::{Environment, Process, Variable},
    model::json::members,
};

/// The folder with the data; nothing, and a line that says so, where it is not
/// set. Nobody is asked to have it, whatever else has to be there.
pub(crate) fn folder() -> Option<PathBuf> {
    set_or_told("SIDECALL_DATA", "set it to the folder with the data").ok().map(PathBuf::from)
}

/// A variable of the environment; where it is not set, what needs it is left
/// out, with a line that says so and what to do.
pub(crate) fn exported(name: &str, remedy: &str) -> Option<String> {
    let value = set_or_told(name, remedy);
    // Where everything has to be there, nothing is left out in silence.
    let must_be_there = Process.variable("SIDECALL_TESTS_STRICT") != Variable::Missing;
    match value {
        Err(lacks) if must_be_there => panic!("{lacks}"),
        value => value.ok(),
    }
}

/// A variable's value; where it is not set, a line that has said so.
fn set_or_told(name: &str, remedy: &str) -> Result<String, String> {
    let lacks = match Process.variable(name) {
        Variable::Set(value) => return Ok(value),
        other => format!("{name} is {other:?}; {remedy}"),
    };
    std::io::stderr().write_all(format!("left out: {lacks}\n").as_bytes()).unwrap();
    Err(lacks)
}

/// The JSON texts of a file with one on each line.
pub(crate) fn lines(file: PathBuf) -> Vec<String> {
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file:?}: {error}"));
    text.lines().map(str::to_owned).collect()
}

/// The member of an object's text.
#[track_caller]
pub(crate) fn member<'a>(text: &'a str, name: &str) -> &'a str {
    members(text).unwrap().into_iter().find(|(key, _)| key == name).unwrap().1
}

/// The keys of an object's text, in the order of the text.
#[track_caller]
pub(crate) fn keys(text: &str) -> Vec<String> {
    members(text).unwrap().into_iter().map(|(key, _)| key.into_owned()).collect()
}

/// A tool that sends each field of its input as a member of a JSON body.
pub(crate) fn tool(description: &str, schema: Value, path: &str, fields: &[String]) -> Value {
    let body: Map<String, Value> =
        fields.iter().map(|field| (field.clone(), json!(format!("{{{field}}}")))).collect();
    let description = if description.is_empty() { "No words." } else { description };
    json!({
        "description": description,
        "input": schema,
        "max_bytes": "64KiB",
        "http": {"api": "world", "post": path, "json": body},
    })
}

/// A configuration of these tools, all at the peer.
pub(crate) fn config(tools: &Map<String, Value>) -> String {
    format!(
        "apis:\n  world: {{url: \"{{peer}}\"}}\ntools: {}\n",
        serde_json::to_string_pretty(tools).unwrap()
    )
}

/// A number that depends on nothing but these texts.
pub(crate) fn seed(texts: &[&str]) -> u64 {
    let mut hasher = DefaultHasher::new();
    texts.hash(&mut hasher);
    hasher.finish()
}

/// A JSON text of one of the data sets' types, with digits that no float holds.
pub(crate) fn typed_value(kind: &str, seed: u64) -> String {
    match kind {
        "int" => format!("9{seed:020}"),
        "float" => format!("{}.10", seed % 1000),
        "bool" => seed.is_multiple_of(2).to_string(),
        "list" => format!(r#"[{seed}, "é", 1.50]"#),
        "dict" => format!(r#"{{"n":9{seed:020}, "rate":0.70}}"#),
        _ => format!(r#""v-{seed} \"é\"""#),
    }
}

/// JSON text that no serialiser would write so: what arrives like this was
/// never parsed and written anew.
pub(crate) fn spelt(value: &Value) -> String {
    match value {
        Value::Number(number) => {
            let text = number.to_string();
            if text.contains('.') && !text.contains('e') { format!("{text}0") } else { text }
        }
        Value::Array(elements) => {
            let elements: Vec<_> = elements.iter().map(spelt).collect();
            format!("[ {} ]", elements.join(" , "))
        }
        Value::Object(members) => {
            let mut text = String::from("{");
            for (at, (key, value)) in members.iter().enumerate() {
                let comma = if at == 0 { "" } else { " ," };
                write!(text, "{comma} {} : {}", Value::from(key.as_str()), spelt(value)).unwrap();
            }
            text + " }"
        }
        other => other.to_string(),
    }
}
