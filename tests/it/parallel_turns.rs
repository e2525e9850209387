//! The 224 parallel turns of the Berkeley Function Calling Leaderboard through
//! the real server: every gold argument arrives byte for byte.

use serde_json::{Map, Value, json};
use sidecall::{format::widen::widened, proto::v1::Outcome};

use crate::support::{
    Reply, Turn, World,
    data::{config, folder, lines, spelt, tool},
};

/// What the gold calls give beyond what their functions declare: a model could
/// not know of it, and no tool has a place for it.
const UNDECLARED: usize = 2;

/// Gold arguments that their function's own schema refuses; the server would,
/// too, so their tools take anything there.
const CONTRADICTED: usize = 8;

/// One question's functions, and its gold calls.
struct Question {
    at: usize,
    functions: Vec<Value>,
    /// Function, then arguments.
    calls: Vec<(String, Map<String, Value>)>,
}

impl Question {
    fn read(at: usize, question: &Value, answers: &Value, undeclared: &mut usize) -> Self {
        let functions = question["function"].as_array().unwrap().clone();
        let calls = answers["ground_truth"].as_array().unwrap().iter();
        let calls = calls
            .map(|call| {
                let (name, arguments) = call.as_object().unwrap().iter().next().unwrap();
                let function = functions.iter().find(|f| f["name"] == **name).unwrap();
                let declared = function["parameters"]["properties"].as_object().unwrap();
                let mut arguments = chosen(arguments.as_object().unwrap());
                let given = arguments.len();
                arguments.retain(|argument, _| declared.contains_key(argument));
                *undeclared += given - arguments.len();
                (name.clone(), arguments)
            })
            .collect();
        Self { at, functions, calls }
    }

    /// The providers take no dots.
    fn tool_name(&self, function: &str) -> String {
        let portable = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
        format!("q{}_{}", self.at, function.chars().map(portable).collect::<String>())
    }
}

/// A function's schema, open where a gold argument contradicts it.
fn open_schema(question: &Question, function: &Value, contradicted: &mut usize) -> Value {
    let mut schema = schema(&function["parameters"]);
    for (property, declared) in schema["properties"].as_object_mut().unwrap() {
        let is_valid = |value| jsonschema::is_valid(declared, value);
        let calls = question.calls.iter().filter(|(called, _)| function["name"] == **called);
        let mut given = calls.filter_map(|(_, arguments)| arguments.get(property));
        if !given.all(is_valid) {
            *declared = json!({});
            *contradicted += 1;
        }
    }
    schema
}

fn fields(function: &Value) -> Vec<String> {
    function["parameters"]["properties"].as_object().unwrap().keys().cloned().collect()
}

/// The arguments that a model would give: of each the first acceptable value.
/// An empty text stands for leaving it out.
fn chosen(arguments: &Map<String, Value>) -> Map<String, Value> {
    let first = |values: &Value| {
        let mut values = values.as_array().unwrap().iter();
        values.find(|value| **value != json!("")).map(settled)
    };
    arguments.iter().filter_map(|(name, values)| Some((name.clone(), first(values)?))).collect()
}

/// Within an acceptable object each member lists its acceptable values again.
fn settled(value: &Value) -> Value {
    match value {
        Value::Object(members) if members.values().all(Value::is_array) => {
            Value::Object(chosen(members))
        }
        Value::Array(elements) => elements.iter().map(settled).collect(),
        other => other.clone(),
    }
}

/// The data's schema in JSON Schema's words.
fn schema(of: &Value) -> Value {
    let mut schema = of.as_object().unwrap().clone();
    schema.remove("optional");
    match schema.get("type").and_then(Value::as_str) {
        Some("dict") => schema.insert("type".to_owned(), json!("object")),
        Some("float") => schema.insert("type".to_owned(), json!("number")),
        Some("tuple") => schema.insert("type".to_owned(), json!("array")),
        Some("any") => schema.remove("type"),
        _ => None,
    };
    if let Some(properties) = schema.get_mut("properties") {
        for property in properties.as_object_mut().unwrap().values_mut() {
            *property = self::schema(property);
        }
    }
    if let Some(items) = schema.get_mut("items") {
        *items = self::schema(items);
    }
    Value::Object(schema)
}

fn questions(folder: &std::path::Path) -> Vec<Question> {
    let mut questions = Vec::new();
    let mut undeclared = 0;
    for set in ["BFCL_v4_parallel_multiple", "BFCL_v4_live_parallel_multiple"] {
        let asked = lines(folder.join(format!("bfcl/{set}.jsonl")));
        let answers = lines(folder.join(format!("bfcl/{set}_answers.jsonl")));
        for (question, answer) in asked.iter().zip(&answers) {
            let question: Value = serde_json::from_str(question).unwrap();
            let answer: Value = serde_json::from_str(answer).unwrap();
            assert_eq!(question["id"], answer["id"]);
            questions.push(Question::read(questions.len(), &question, &answer, &mut undeclared));
        }
    }
    assert_eq!(undeclared, UNDECLARED);
    questions
}

/// Every place below the root of a value, as JSON pointers.
fn places(value: &Value, place: &str, found: &mut Vec<String>) {
    let mut below = |token: &str, value: &Value| {
        let place = format!("{place}/{}", token.replace('~', "~0").replace('/', "~1"));
        found.push(place.clone());
        places(value, &place, found);
    };
    match value {
        Value::Object(members) => members.iter().for_each(|(key, value)| below(key, value)),
        Value::Array(elements) => {
            elements.iter().enumerate().for_each(|(at, value)| below(&at.to_string(), value));
        }
        _ => {}
    }
}

/// What models are told with references on, by schemas that people wrote.
#[test]
fn every_value_of_the_gold_calls_may_be_a_reference_by_the_widened_schemas() {
    let Some(folder) = folder() else { return };
    let (mut calls, mut values) = (0, 0);
    for question in questions(&folder) {
        for function in &question.functions {
            let schema = open_schema(&question, function, &mut 0);
            let widened: Value = serde_json::from_str(&widened(&schema.to_string())).unwrap();
            let validator = jsonschema::validator_for(&widened).unwrap();
            for (_, arguments) in
                question.calls.iter().filter(|(name, _)| function["name"] == **name)
            {
                let input = Value::Object(arguments.clone());
                assert!(validator.is_valid(&input), "{input} by {widened}");
                let mut below = Vec::new();
                places(&input, "", &mut below);
                calls += 1;
                for place in below {
                    let mut input = input.clone();
                    *input.pointer_mut(&place).unwrap() = json!("${find.items[0]}");
                    assert!(validator.is_valid(&input), "{input} by {widened}");
                    values += 1;
                }
            }
        }
    }
    assert!(calls >= 600 && values >= 1_500, "{values} values of {calls} calls");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_gold_argument_of_the_parallel_turns_arrives_byte_for_byte() {
    let Some(folder) = folder() else { return };
    let questions = questions(&folder);
    assert_eq!(questions.len(), 224);
    let mut tools = Map::new();
    let mut contradicted = 0;
    for question in &questions {
        for function in &question.functions {
            let name = question.tool_name(function["name"].as_str().unwrap());
            let path = format!("/{name}");
            let description = function["description"].as_str().unwrap();
            let schema = open_schema(question, function, &mut contradicted);
            let tool = tool(description, schema, &path, &fields(function));
            assert!(tools.insert(name, tool).is_none(), "two tools of one name");
        }
    }
    assert_eq!(contradicted, CONTRADICTED);
    let world = World::start(&config(&tools)).await;
    world.peer.script("POST /*", |arrival| Reply::json(arrival.text()));
    let mut calls = 0;
    for question in &questions {
        let before = world.peer.log().len();
        let blocks = question.calls.iter().enumerate().map(|(at, (function, arguments))| {
            format!(
                r#"{{"type":"tool_use","id":"toolu_{at}","name":"{}","input":{}}}"#,
                question.tool_name(function),
                spelt(&Value::Object(arguments.clone()))
            )
        });
        let content = format!("[{}]", blocks.collect::<Vec<_>>().join(","));
        let ran = world.run(&Turn::anthropic(content)).await;
        assert_eq!(
            ran.count(Outcome::Succeeded),
            question.calls.len(),
            "{}: {ran:#?}",
            question.at
        );
        let mut came: Vec<_> = world.peer.log()[before..]
            .iter()
            .map(|arrival| (arrival.line.clone(), arrival.text().to_owned()))
            .collect();
        let mut expected: Vec<_> = question
            .calls
            .iter()
            .map(|(function, arguments)| {
                let members: Vec<_> = arguments
                    .iter()
                    .map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), spelt(value)))
                    .collect();
                let line = format!("POST /{}", question.tool_name(function));
                (line, format!("{{{}}}", members.join(",")))
            })
            .collect();
        came.sort();
        expected.sort();
        assert_eq!(came, expected, "question {}", question.at);
        calls += came.len();
    }
    assert_eq!(calls, 662);
    world.end().await;
}
