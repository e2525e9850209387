//! `sidecall tools`: Lists the tools, for people or as a model's request has them.

use std::io::Write;

use serde_json::Value;

use super::{
    Exit,
    client::{Client, Error, Target},
    command,
    terminal::{DrawArgs, Ink, Look, Screen, harmless, wrapped},
    wire,
};
use crate::{model::json, proto::v1};

/// Lists the tools, for people or as a model's request has them.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 all well; 2 the command line or the configuration is wrong; \
                        3 no server answers, or it refused."
)]
pub struct Args {
    #[command(flatten)]
    target: Target,
    /// Prints them with their schemas as proto3 JSON.
    #[arg(long, group = "form")]
    json: bool,
    /// Prints them as the JSON array of a model's request.
    #[arg(long, group = "form", value_name = "SHAPE")]
    shape: Option<Shape>,
    /// Prints the text for the system prompt that teaches the model references.
    #[arg(long, group = "form")]
    instructions: bool,
    /// Lets their inputs hold references.
    #[arg(long)]
    references: bool,
    /// Says in each description how long a call takes, where that was measured.
    #[arg(long)]
    latencies: bool,
    #[command(flatten)]
    draw: DrawArgs,
}

/// Whose request.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Shape {
    /// Anthropic Messages: `tools`.
    Anthropic,
    /// OpenAI Chat Completions: `tools`.
    OpenaiChat,
    /// OpenAI Responses: `tools`.
    OpenaiResponses,
    /// Gemini: the `functionDeclarations` of one of `tools`.
    Gemini,
    /// Bedrock Converse: the `tools` of `toolConfig`.
    Bedrock,
    /// Vercel AI SDK: function tools; `inputSchema` goes through `jsonSchema()`.
    AiSdk,
    /// LangChain: for `bind_tools`.
    Langchain,
}

impl From<Shape> for v1::Shape {
    fn from(shape: Shape) -> Self {
        match shape {
            Shape::Anthropic => Self::Anthropic,
            Shape::OpenaiChat => Self::OpenaiChat,
            Shape::OpenaiResponses => Self::OpenaiResponses,
            Shape::Gemini => Self::Gemini,
            Shape::Bedrock => Self::Bedrock,
            Shape::AiSdk => Self::AiSdk,
            Shape::Langchain => Self::Langchain,
        }
    }
}

/// Runs it.
pub fn run(args: Args) -> Exit {
    command::run(tools(args))
}

async fn tools(args: Args) -> Result<Exit, Error> {
    let mut request =
        v1::ListToolsRequest { latencies: args.latencies, ..v1::ListToolsRequest::default() };
    if let Some(shape) = args.shape {
        request.set_shape(shape.into());
    }
    if args.references || args.instructions {
        request.set_references(v1::References::On);
    }
    let mut client = Client::connect(&args.target).await?;
    let listed = list(&mut client, request).await;
    client.close().await;
    let listed = listed?;
    let mut screen = Screen::stdout(&args.draw);
    let text = if args.shape.is_some() {
        listed.array()
    } else if args.instructions {
        listed.response.instructions
    } else if args.json {
        wire::to_pretty_json("sidecall.v1.ListToolsResponse", &listed.response)?
    } else {
        for_people(&listed.response.tools, &screen.look)
    };
    writeln!(screen.out, "{}", text.trim_end())?;
    screen.out.flush()?;
    Ok(Exit::Well)
}

/// All pages as one.
#[derive(Debug, Default)]
struct Listed {
    response: v1::ListToolsResponse,
    /// Elements of the provider's array.
    definitions: Vec<String>,
}

impl Listed {
    fn array(&self) -> String {
        if self.definitions.is_empty() {
            return "[]".to_owned();
        }
        format!("[\n  {}\n]", self.definitions.join(",\n  "))
    }
}

async fn list(client: &mut Client, mut request: v1::ListToolsRequest) -> Result<Listed, Error> {
    let mut listed = Listed::default();
    loop {
        let page = client.rpc.list_tools(request.clone()).await;
        let page = page.map_err(|status| client.refused(&status))?.into_inner();
        let definitions = json::elements(&page.tools_json).unwrap_or_default();
        listed.definitions.extend(definitions.into_iter().map(str::to_owned));
        listed.response.tools.extend(page.tools);
        listed.response.instructions = page.instructions;
        // A server that gave the same page for ever would keep us for ever.
        if page.next_page_token.is_empty() || page.next_page_token == request.page_token {
            return Ok(listed);
        }
        request.page_token = page.next_page_token;
    }
}

/// Each as a signature and what it is for.
fn for_people(tools: &[v1::ToolDefinition], look: &Look) -> String {
    if tools.is_empty() {
        return "There are no tools: name some under `tools` in the configuration.".to_owned();
    }
    let mut text = String::new();
    for tool in tools {
        let name = harmless(&tool.name);
        let signature = format!("{name}({})", parameters(&tool.input_schema_json).join(", "));
        for (at, line) in wrapped(&signature, look.width.saturating_sub(9)).iter().enumerate() {
            let indent = if at == 0 { "" } else { "        " };
            let line = match line.strip_prefix(name.as_str()) {
                Some(rest) if at == 0 => format!("{}{rest}", look.paint(Ink::Bold, &name)),
                _ => line.clone(),
            };
            text.push_str(&format!("{indent}{line}\n"));
        }
        for line in wrapped(&harmless(&tool.description), look.width.saturating_sub(5)) {
            text.push_str(&format!("    {line}\n"));
        }
    }
    text
}

/// Names of the input's fields, in the schema's order; `?` after those that may
/// be left out.
fn parameters(schema: &str) -> Vec<String> {
    let members = json::members(schema).unwrap_or_default();
    let find = |key: &str| members.iter().find(|(name, _)| name == key).map(|(_, text)| *text);
    let required: Vec<String> =
        find("required").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let properties = find("properties").and_then(json::members).unwrap_or_default();
    let parameter = |(name, schema): &(std::borrow::Cow<'_, str>, &str)| {
        let optional = if required.iter().any(|required| required == name) { "" } else { "?" };
        format!("{}{optional}{}", harmless(name), kind(schema))
    };
    properties.iter().map(parameter).collect()
}

/// The type that a schema names, where it names one.
fn kind(schema: &str) -> String {
    let schema: Value = serde_json::from_str(schema).unwrap_or_default();
    match schema.get("type") {
        Some(Value::String(kind)) => format!(": {}", harmless(kind)),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_listed_as_signatures_with_what_they_are_for() {
        let tool = |name: &str, description: &str, schema: &str| v1::ToolDefinition {
            name: name.into(),
            description: description.into(),
            input_schema_json: schema.into(),
            ..v1::ToolDefinition::default()
        };
        let tools = [
            tool(
                "list_orders",
                "A customer's orders, newest first, each with its total and the shipment that \
                 brings it.",
                r#"{"type": "object", "required": ["customer_id"], "properties":
                    {"customer_id": {"type": "string"}, "limit": {"type": ["integer", "null"]}}}"#,
            ),
            tool("ping", "Says \u{1b}[5mpong.", r#"{"type": "object"}"#),
        ];
        let look = Look { width: 60, unicode: true, color: false };
        insta::assert_snapshot!(for_people(&tools, &look), @r"
        list_orders(customer_id: string, limit?)
            A customer's orders, newest first, each with its total
            and the shipment that brings it.
        ping()
            Says �[5mpong.
        ");
        assert!(for_people(&[], &look).contains("no tools"));
    }
}
