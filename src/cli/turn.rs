//! TURN.json: one turn, from a file or standard input.
//!
//! Either the wire's own request in proto3 JSON, or what the model's API
//! answered, as it is; which one is seen by its shape. Only the shape is
//! decided here: what stands in it is the server's to judge, and it says all
//! faults at once.

use std::{
    fmt, fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use self::shape::Shape;
use super::wire;
use crate::{
    model::{Json, json},
    proto::v1,
};

mod shape;

/// Most bytes of a turn that are read. The server's own bound is lower.
const BYTES_MAX: u64 = 256 << 20;

/// A turn, and how to run it; flattened into the subcommands that take one.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct TurnArgs {
    /// The turn: a request in JSON, or the message that the model's API
    /// answered, as it is. `-` reads standard input.
    #[arg(value_name = "TURN.json")]
    pub(crate) turn: PathBuf,
    /// Resolves `${tool.path}` and {"$ref": …} in the inputs, whatever the file
    /// says.
    #[arg(long)]
    references: bool,
    /// Runs one call after the other and stops at the first failure, whatever
    /// the file says.
    #[arg(long)]
    ordered: bool,
}

/// Why a turn cannot be read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Fault {
    /// The file, and the line and column where they are known.
    place: String,
    /// What is wrong.
    what: String,
    /// What to write instead.
    fix: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\n  {}", self.place, self.what, self.fix)
    }
}

impl TurnArgs {
    /// Reads the turn and applies what the command line says of it.
    pub(crate) fn read(&self) -> Result<v1::ExecuteBatchRequest, Fault> {
        let (place, text) = read(&self.turn)?;
        let mut request = parse(&place, &text)?;
        if self.references {
            request.set_references(v1::References::On);
        }
        if self.ordered {
            request.set_ordering(v1::Ordering::Ordered);
        }
        Ok(request)
    }
}

fn read(path: &Path) -> Result<(String, String), Fault> {
    let stdin = path.as_os_str() == "-";
    let place = if stdin { "standard input".to_owned() } else { path.display().to_string() };
    let mut bytes = Vec::new();
    let read = if stdin {
        io::stdin().lock().take(BYTES_MAX + 1).read_to_end(&mut bytes)
    } else {
        fs::File::open(path).and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut bytes))
    };
    let fault = |what: String, fix: &str| Fault { place: place.clone(), what, fix: fix.to_owned() };
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(fault(
                "there is no such file".to_owned(),
                "Name a file that holds a turn, or `-` to read standard input.",
            ));
        }
        Err(error) => {
            let fix = "Name a file that can be read, or `-` to read standard input.";
            return Err(fault(format!("cannot be read: {error}"), fix));
        }
        Ok(read) if read as u64 > BYTES_MAX => {
            return Err(fault(
                format!("is larger than {} MiB", BYTES_MAX >> 20),
                "Send fewer calls in one turn.",
            ));
        }
        Ok(_) => {}
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok((place, text)),
        Err(error) => Err(fault(
            format!("is not UTF-8, from byte {} on", error.utf8_error().valid_up_to()),
            "JSON is written in UTF-8: save the file so.",
        )),
    }
}

/// Reads a turn in whichever shape it is. `place` names where it came from.
fn parse(place: &str, text: &str) -> Result<v1::ExecuteBatchRequest, Fault> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(unknown(place, "is empty"));
    }
    let turn = Json::try_new(text).map_err(|error| not_json(place, &error))?;
    match shape::of(turn.value()) {
        Shape::Request => request(place, text),
        Shape::Provider(field) => {
            Ok(v1::ExecuteBatchRequest { turn: Some(field(text.to_owned())), ..Default::default() })
        }
        Shape::Answer => {
            let content = json::members(text)
                .and_then(|members| members.into_iter().find(|(key, _)| key == "message"));
            match content {
                Some((_, message)) => parse(place, message),
                None => Err(unknown(place, "holds no message")),
            }
        }
        Shape::Unknown(what) => Err(unknown(place, &what)),
    }
}

fn request(place: &str, text: &str) -> Result<v1::ExecuteBatchRequest, Fault> {
    let request: v1::ExecuteBatchRequest = wire::from_json("sidecall.v1.ExecuteBatchRequest", text)
        .map_err(|error| {
            let what = without_place(&error.to_string());
            let fix = fix(&what);
            Fault { place: placed(place, error.line(), error.column()), what, fix }
        })?;
    if request.turn.is_none() {
        return Err(Fault {
            place: place.to_owned(),
            what: "the request holds no turn".to_owned(),
            fix: "Add \"typed\": {\"toolUses\": [{\"name\": …, \"inputJson\": …}]}, or the \
                  message as text in the field of its provider: \"anthropicJson\", \
                  \"openaiChatJson\", …"
                .to_owned(),
        });
    }
    Ok(request)
}

/// What to write instead, by what the decoder says.
fn fix(what: &str) -> String {
    if what.contains("'input'") || what.contains("input_json") || what.contains("inputJson") {
        return "A request carries an input as JSON text: \"inputJson\": \"{\\\"id\\\": 7}\". An \
                Anthropic message may hold it as an object."
            .to_owned();
    }
    if what.contains("unrecognized field") {
        let request = wire::fields("sidecall.v1.ExecuteBatchRequest").join(", ");
        let call = wire::fields("sidecall.v1.ToolUse").join(", ");
        return format!("A request has {request}; a tool use has {call}.");
    }
    if what.contains("unrecognized enum value") {
        return "`references` is REFERENCES_ON or REFERENCES_OFF, `ordering` is ORDERING_FREE or \
                ORDERING_ORDERED, `onDisconnect` is ON_DISCONNECT_CANCEL."
            .to_owned();
    }
    if what.contains("oneof") {
        return "A request holds one turn: either `typed` or one provider's.".to_owned();
    }
    "Write what that field holds: ids, names and inputs are texts, times are texts as \"1.5s\"."
        .to_owned()
}

fn not_json(place: &str, error: &json::Error) -> Fault {
    let text = error.to_string();
    let at = text.rsplit_once(" at line ").and_then(|(_, at)| at.split_once(" column "));
    let at = at.and_then(|(line, column)| Some((line.parse().ok()?, column.parse().ok()?)));
    let (line, column) = at.unwrap_or_default();
    let what = without_place(&text);
    let fix = if what.contains("stands twice") {
        "Which of the two is meant cannot be known: remove one."
    } else if what.starts_with("EOF") {
        "The file ends too early: was it cut, or is a bracket or quote left open?"
    } else if what.contains("trailing characters") {
        "One file holds one turn: remove what follows it, or run the turns one by one."
    } else if what.contains("recursion limit") {
        "JSON is read 128 levels deep: send what is deeper as text."
    } else {
        "Correct the JSON there; keys and texts stand in double quotes, and no comma is last."
    };
    Fault {
        place: placed(place, line, column),
        what: format!("not JSON: {what}"),
        fix: fix.to_owned(),
    }
}

fn unknown(place: &str, what: &str) -> Fault {
    Fault {
        place: place.to_owned(),
        what: what.to_owned(),
        fix: "A turn is what a model's API answered, its message or the array of its calls, with \
              at least one call (Anthropic's: {\"type\": \"tool_use\", \"id\": …, \"name\": …, \
              \"input\": {…}}; docs/wire.md has every shape), or an ExecuteBatchRequest: \
              {\"typed\": {\"toolUses\": [{\"name\": …, \"inputJson\": …}]}}."
            .to_owned(),
    }
}

fn placed(place: &str, line: usize, column: usize) -> String {
    if line == 0 { place.to_owned() } else { format!("{place}:{line}:{column}") }
}

fn without_place(text: &str) -> String {
    text.rsplit_once(" at line ").map_or(text, |(what, _)| what).to_owned()
}

#[cfg(test)]
mod tests;
