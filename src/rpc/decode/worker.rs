//! What a worker says.

use std::{
    collections::HashMap,
    num::{NonZeroU32, NonZeroUsize},
    sync::Arc,
};

use super::Faults;
use crate::{
    backend::{Error, Progress, Reply, worker},
    model::{Content, Effect, FailureCode, Json, SessionId, ToolName},
    policy::Caller,
    proto::v1::{self, content::Block},
    registry::{Hello, Offered, Schema, offers, tool},
    rpc::cut,
    schedule::Refusal,
};

/// Most bytes of a worker's name.
const NAME_BYTES_MAX: usize = 128;
/// Most bytes of a tool's description.
const DESCRIPTION_BYTES_MAX: usize = 16 << 10;
/// Most bytes of a tool's schema.
const SCHEMA_BYTES_MAX: usize = 256 << 10;
/// Most bytes of what a tool says of its error: the model reads it.
const ERROR_BYTES_MAX: usize = 8 << 10;
/// Most bytes of a line about an attempt's progress.
const PROGRESS_BYTES_MAX: usize = 1 << 10;

/// Who a worker is and what it offers.
///
/// # Errors
///
/// [`Refusal::Invalid`] with every fault.
pub(in crate::rpc) fn hello(
    hello: v1::WorkerHello,
    caller: &Arc<Caller>,
    offers: &offers::Settings,
    workers: &worker::Settings,
) -> Result<Hello, Refusal> {
    let mut faults = Faults::default();
    let v1::WorkerHello { name, session_id, shared, tools, attempts_max } = hello;
    let name = faults.worker_name(name);
    let session = faults.whose(session_id, shared, caller);
    let attempts = faults.attempts(attempts_max, workers.attempts_max);
    let tools = faults.tools(tools, offers);
    faults.none()?;
    Ok(Hello { caller: Arc::clone(caller), session, name, attempts, tools })
}

impl Faults {
    fn worker_name(&mut self, name: String) -> Arc<str> {
        if name.len() > NAME_BYTES_MAX {
            let bytes = name.len();
            let why = format!("has {bytes} bytes; at most {NAME_BYTES_MAX} are allowed");
            self.add("hello.name", why);
        } else if let Some(character) = name.chars().find(|c| c.is_control()) {
            self.add("hello.name", format!("holds {character:?}; write it without"));
        }
        if name.is_empty() { "worker".into() } else { name.into() }
    }

    fn whose(&mut self, session_id: String, shared: bool, caller: &Caller) -> Option<SessionId> {
        match (session_id.is_empty(), shared) {
            (true, false) => self.add(
                "hello.session_id",
                "is missing: name the session that the tools belong to, or set `shared`",
            ),
            (false, true) => self.add(
                "hello.shared",
                "shared tools belong to no session: leave `session_id` or `shared` out",
            ),
            _ => {}
        }
        self.session("hello.session_id", session_id, caller)
    }

    fn attempts(&mut self, attempts: Option<u32>, most: NonZeroU32) -> Option<NonZeroU32> {
        let attempts = attempts?;
        let fitting = NonZeroU32::new(attempts).filter(|attempts| *attempts <= most);
        if fitting.is_none() {
            let why = format!("{attempts} is not from 1 to {most} (workers.attempts)");
            self.add("hello.attempts_max", why);
        }
        fitting
    }

    fn tools(&mut self, tools: Vec<v1::WorkerTool>, offers: &offers::Settings) -> Vec<Offered> {
        let most = offers.tools_max.get();
        if tools.is_empty() {
            self.add("hello.tools", "is empty: a worker offers at least one");
        } else if tools.len() > most {
            let count = tools.len();
            self.add("hello.tools", format!("has {count} tools; workers.tools allows {most}"));
            return Vec::new();
        }
        let mut places = HashMap::with_capacity(tools.len());
        let mut offered = Vec::with_capacity(tools.len());
        for (place, tool) in tools.into_iter().enumerate() {
            if let Some(first) = places.insert(tool.name.clone(), place) {
                self.add(
                    path(place, "name"),
                    format!("is also that of tools[{first}]; every tool has its own"),
                );
            }
            offered.extend(self.worker_tool(place, tool, offers));
        }
        offered
    }

    fn worker_tool(
        &mut self,
        place: usize,
        tool: v1::WorkerTool,
        offers: &offers::Settings,
    ) -> Option<Offered> {
        let v1::WorkerTool { name, description, input_schema_json, effect, timeout, latency } =
            tool;
        if name.is_empty() {
            self.add(path(place, "name"), "is missing: name the tool");
        }
        let name = self.id(&path(place, "name"), name, ToolName::try_new);
        if description.len() > DESCRIPTION_BYTES_MAX {
            let bytes = description.len();
            let why = format!("has {bytes} bytes; at most {DESCRIPTION_BYTES_MAX} are allowed");
            self.add(path(place, "description"), why);
        }
        let schema = self.schema(&path(place, "input_schema_json"), input_schema_json);
        let effect = self.effect(&path(place, "effect"), effect);
        let timeout = self.timeout(&path(place, "timeout"), timeout);
        let latency = self.timeout(&path(place, "latency"), latency);
        let settings = offers.tool(name?, schema?);
        let timeout = timeout.unwrap_or(settings.timeout);
        let settings = tool::Settings { description, timeout, latency, ..settings };
        Some(Offered { settings, effect: effect? })
    }

    fn schema(&mut self, field: &str, text: String) -> Option<Schema> {
        if text.is_empty() {
            self.add(field, "is missing: write `{\"type\": \"object\"}` for a tool without input");
            return None;
        }
        if text.len() > SCHEMA_BYTES_MAX {
            let bytes = text.len();
            self.add(field, format!("has {bytes} bytes; at most {SCHEMA_BYTES_MAX} are allowed"));
            return None;
        }
        let source = match Json::try_new(text) {
            Ok(source) => source,
            Err(error) => {
                self.add(field, format!("is not JSON: {error}"));
                return None;
            }
        };
        match Schema::try_new(source.clone()) {
            Ok(schema) => Some(schema),
            Err(_) => {
                for fault in Schema::faults(&source) {
                    self.add(format!("{field}{}", fault.pointer), fault.message);
                }
                None
            }
        }
    }

    fn effect(&mut self, field: &str, number: i32) -> Option<Effect> {
        match v1::Effect::try_from(number) {
            Ok(v1::Effect::Unspecified | v1::Effect::AtMostOnce) => Some(Effect::AtMostOnce),
            Ok(v1::Effect::ReadOnly) => Some(Effect::ReadOnly),
            Ok(v1::Effect::Keyed) => Some(Effect::Keyed),
            Ok(v1::Effect::AtLeastOnce) => Some(Effect::AtLeastOnce),
            Err(_) => {
                self.unknown(field, number);
                None
            }
        }
    }
}

fn path(place: usize, field: &str) -> String {
    format!("{}.{field}", tool_path(place))
}

/// The field of a worker's tool.
pub(in crate::rpc) fn tool_path(place: usize) -> String {
    format!("hello.tools[{place}]")
}

/// What came of an attempt.
///
/// # Errors
///
/// The tool's own error, or what is wrong with its result.
pub(in crate::rpc) fn answer(
    result: v1::WorkerResult,
    bytes_max: NonZeroUsize,
) -> Result<Reply, Error> {
    let v1::WorkerResult { content, is_error, .. } = result;
    let content = content.into_iter().enumerate().map(|(place, block)| read(place, block));
    let content = content.collect::<Result<Vec<_>, _>>().map_err(|why| {
        let message = format!("the worker's result is not what it says it is: {why}");
        Error::new(FailureCode::ResultInvalid, message).answered()
    })?;
    if is_error {
        return Err(Error::new(FailureCode::ToolError, complaint(&content)).answered());
    }
    let bytes: usize = content.iter().map(Content::size_bytes).sum();
    if bytes > bytes_max.get() {
        let message = format!(
            "the worker's result has {bytes} bytes, and {bytes_max} are taken at most; ask for \
             less, with a filter or a smaller page"
        );
        return Err(Error::new(FailureCode::ResultTooLarge, message).answered());
    }
    // No block without content: no provider takes one.
    let content = content.into_iter().filter(|block| block.size_bytes() > 0).collect();
    Ok(Reply::new(content))
}

fn read(place: usize, content: v1::Content) -> Result<Content, String> {
    if content.in_parts {
        return Err(format!("content[{place}] is in parts, which a worker's never is"));
    }
    match content.block {
        None => Err(format!("content[{place}] has no block")),
        Some(Block::Text(text)) => Ok(Content::Text(text.into())),
        Some(Block::Json(text)) => match Json::from_backend(text) {
            Ok(json) => Ok(Content::Json(json)),
            Err((error, _)) => Err(format!("content[{place}] is not JSON: {error}")),
        },
        Some(Block::Image(v1::Blob { media_type, data })) => {
            let media_type = media_type_of(place, media_type)?;
            Ok(Content::Image { media_type, data })
        }
        Some(Block::Document(v1::Blob { media_type, data })) => {
            let media_type = media_type_of(place, media_type)?;
            Ok(Content::Document { media_type, data })
        }
        Some(Block::Link(v1::Link { uri, name })) => {
            if uri.is_empty() {
                return Err(format!("content[{place}].link has no `uri`"));
            }
            Ok(Content::Link { uri: uri.into(), name: name.into() })
        }
    }
}

fn media_type_of(place: usize, media_type: String) -> Result<Arc<str>, String> {
    let is_one = media_type.len() <= NAME_BYTES_MAX
        && media_type.split_once('/').is_some_and(|(kind, of)| !kind.is_empty() && !of.is_empty())
        && media_type.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if is_one {
        return Ok(media_type.into());
    }
    let shown = cut(&media_type, NAME_BYTES_MAX);
    Err(format!("content[{place}]: {shown:?} is no media type; write one as `image/png`"))
}

/// What a tool says of its own error.
fn complaint(content: &[Content]) -> String {
    let said: Vec<&str> = content
        .iter()
        .filter_map(|block| match block {
            Content::Text(text) => Some(&**text),
            Content::Json(json) => Some(json.as_str()),
            Content::Image { .. } | Content::Document { .. } | Content::Link { .. } => None,
        })
        .filter(|text| !text.trim().is_empty())
        .collect();
    if said.is_empty() {
        return "the tool failed, and did not say why".to_owned();
    }
    cut(&said.join("\n"), ERROR_BYTES_MAX)
}

/// How far an attempt is.
pub(in crate::rpc) fn progress(progress: v1::WorkerProgress) -> (u64, Progress) {
    let v1::WorkerProgress { attempt_id, done, total, message } = progress;
    let finite = |number: Option<f64>| number.filter(|number| number.is_finite());
    let message = cut(&message, PROGRESS_BYTES_MAX).into();
    (attempt_id, Progress { done: finite(done), total: finite(total), message })
}
