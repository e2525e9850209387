//! The tools as a model's request has them.

use std::borrow::Cow;

use prost::Message;

use super::encode;
use crate::{
    format::{Definition, Shape, teach, widen::widened},
    proto::v1,
    registry::{Tool, View},
};

/// What is wanted of the tools.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Wanted {
    /// Whose request shape; `None` for typed definitions only.
    pub(super) shape: Option<Shape>,
    /// Whether inputs may hold references.
    pub(super) references: bool,
    /// Whether descriptions say how long a call takes.
    pub(super) latencies: bool,
}

/// Bytes around each tool of an answer.
const AROUND_BYTES: usize = 16;

/// The tools after the one named `token`, as many as fit into `room` bytes and
/// at least one.
pub(super) fn page(seen: &View, token: &str, wanted: Wanted, room: usize) -> v1::ListToolsResponse {
    let instructions = if wanted.references { teach::REFERENCES } else { "" };
    let mut page = v1::ListToolsResponse {
        instructions: instructions.to_owned(),
        ..v1::ListToolsResponse::default()
    };
    let mut bytes = instructions.len();
    for tool in seen.iter().skip_while(|tool| tool.name.as_str() <= token) {
        let told = told(tool, wanted);
        let shaped = wanted.shape.map_or(0, |shape| shape.tool_definitions([defined(&told)]).len());
        bytes += told.encoded_len() + shaped + AROUND_BYTES;
        if bytes > room
            && let Some(last) = page.tools.last()
        {
            page.next_page_token.clone_from(&last.name);
            break;
        }
        page.tools.push(told);
    }
    if let Some(shape) = wanted.shape {
        page.tools_json = shape.tool_definitions(page.tools.iter().map(defined));
    }
    page
}

/// A tool as the model is told of it.
fn told(tool: &Tool, wanted: Wanted) -> v1::ToolDefinition {
    let schema = tool.schema.source().as_str();
    let schema = match wanted.references && tool.references {
        true => widened(schema),
        false => Cow::Borrowed(schema),
    };
    let mut description = tool.description.clone();
    if let Some(latency) = tool.latency.measured().filter(|_| wanted.latencies) {
        let space = if description.is_empty() { "" } else { " " };
        description.truncate(description.trim_end().len());
        description.extend([space, &teach::latency(latency)]);
    }
    v1::ToolDefinition {
        name: tool.name.to_string(),
        description,
        input_schema_json: schema.into_owned(),
        effect: encode::effect(tool.effect).into(),
    }
}

fn defined(told: &v1::ToolDefinition) -> Definition<'_> {
    Definition {
        name: &told.name,
        description: &told.description,
        input_schema: &told.input_schema_json,
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;
    use crate::{
        backend::{Attempt, Backend, Pending},
        model::{ApiName, Effect, Json, ToolName},
        policy::Caller,
        registry::{Registry, Schema, tool::Settings},
    };

    #[derive(Debug)]
    struct NeverRun;

    impl Backend for NeverRun {
        fn attempt(&self, _: Attempt) -> Pending {
            Box::pin(std::future::pending())
        }
    }

    fn tool(name: &str, description: String, schema: &str, references: bool) -> Tool {
        let schema = Schema::try_new(Json::try_new(schema).unwrap()).unwrap();
        let (name, api) = (ToolName::try_new(name).unwrap(), ApiName::try_new("api").unwrap());
        let settings = Settings { description, references, ..Settings::new(name, schema, api) };
        Tool::new(settings, Effect::ReadOnly, Arc::new(NeverRun))
    }

    fn described(index: usize) -> Tool {
        tool(&format!("tool_{index:02}"), "x".repeat(index * 10), r#"{"type":"object"}"#, true)
    }

    fn view(tools: impl IntoIterator<Item = Tool>) -> View {
        Registry::new(tools).view(&Arc::new(Caller::local()), None)
    }

    fn names(page: &v1::ListToolsResponse) -> Vec<&str> {
        page.tools.iter().map(|tool| tool.name.as_str()).collect()
    }

    #[test]
    fn pages_hold_every_tool_once_whatever_their_size() {
        let seen = view((0..40).map(described));
        let all: Vec<_> = seen.iter().map(|tool| tool.name.to_string()).collect();
        for shape in [None, Some(Shape::Anthropic)] {
            for room in [0, 500, 2_000, 1 << 20] {
                let wanted = Wanted { shape, ..Wanted::default() };
                let (mut read, mut token, mut pages) = (Vec::new(), String::new(), 0);
                loop {
                    let page = page(&seen, &token, wanted, room);
                    read.extend(names(&page).into_iter().map(str::to_owned));
                    pages += 1;
                    token = page.next_page_token;
                    if token.is_empty() {
                        break;
                    }
                }
                assert_eq!(read, all, "{room} bytes");
                assert_eq!(pages == 1, room == 1 << 20, "{pages} pages of {room} bytes");
            }
        }
    }

    #[test]
    fn a_token_of_another_configuration_goes_on_at_its_place() {
        let seen = view((0..5).map(described));
        let page = page(&seen, "tool_02b", Wanted::default(), 1 << 20);
        assert_eq!(names(&page), ["tool_03", "tool_04"]);
    }

    #[test]
    fn schemas_take_references_only_where_the_turn_and_the_tool_do() {
        let schema = r#"{"type":"object","properties":{"n":{"type":"integer"}}}"#;
        let seen = view([
            tool("run_shell", "Runs it.".to_owned(), schema, false),
            tool("send", "Sends it.".to_owned(), schema, true),
        ]);
        let shape = Some(Shape::Anthropic);
        for (references, are_widened) in [(false, [false, false]), (true, [false, true])] {
            let wanted = Wanted { shape, references, ..Wanted::default() };
            let page = page(&seen, "", wanted, 1 << 20);
            let widened = page.tools.iter().map(|tool| tool.input_schema_json != schema);
            assert_eq!(widened.collect::<Vec<_>>(), are_widened);
            assert_eq!(page.tools_json.matches("$ref").count(), usize::from(references));
            assert_eq!(page.instructions.is_empty(), !references);
        }
    }

    #[test]
    fn a_description_says_how_long_a_call_takes_where_that_was_measured() {
        let declared = Settings {
            latency: Some(Duration::from_secs(9)),
            ..Settings::new(
                ToolName::try_new("declared").unwrap(),
                Schema::try_new(Json::try_new("{}").unwrap()).unwrap(),
                ApiName::try_new("api").unwrap(),
            )
        };
        let tools = [
            Tool::new(declared, Effect::ReadOnly, Arc::new(NeverRun)),
            tool("plain", "Finds it.\n".to_owned(), "{}", true),
            tool("silent", String::new(), "{}", true),
        ];
        for tool in &tools[1..] {
            tool.latency.record(Duration::from_millis(117));
        }
        let seen = view(tools);
        let told = |latencies| {
            let page = page(&seen, "", Wanted { latencies, ..Wanted::default() }, 1 << 20);
            page.tools.into_iter().map(|tool| tool.description).collect::<Vec<_>>()
        };
        assert_eq!(
            told(true),
            ["", "Finds it. Returns in about 120 ms.", "Returns in about 120 ms."]
        );
        assert_eq!(told(false), ["", "Finds it.\n", ""]);
    }
}
